"""The report of a drill: `document.py` makes report.json, `chart.py` its picture, `page.py` report.html.
The figures are those of `failover/drills/verify.py`, which lies beside every report.
"""
