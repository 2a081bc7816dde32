"""The single-region application beside ours, for a class to see: a process of its own, with one page.

It reads the survey over our API, links our style sheets and keeps its votes with stock boto3 in the
first region. The demo starts it at the first use of `/stock/`.
"""
