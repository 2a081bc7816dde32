"""The whole demo: the lab, the monitor and the web tier, started and stopped together.

Start with ``demo.py``. ``children.py`` keeps the child processes, ``config.py`` reads the variables
of ``make demo``, and ``addresses.py`` finds the addresses that phones can open.
"""
