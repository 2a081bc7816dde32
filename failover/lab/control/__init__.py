"""How another process reads the running lab's state, and sets or clears faults.

Start with ``client.py``, which commands, drills and tests use. ``server.py`` answers in the lab.
"""
