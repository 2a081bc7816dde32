"""Plays a drill in the running demo and writes its ledger.

`run.py` is the whole of it: `preflight.py` waits for a steady state, `arms.py` starts the strategies,
`timeline.py` breaks and mends, `watching.py` writes down what the monitor says and what arrives in the
regions, `finals.py` reads every region at the end, and `watchdog.py` puts everything back when the
drill is killed.
"""
