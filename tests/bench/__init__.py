"""`make bench`: how fast this is, as ratios beside a named peer in the same run. `pytest` runs none of it but the
arithmetic's test: the machine's load must never be a test result.
"""
