"""How another process talks to the running lab: its state as JSON, and orders to set or clear faults.

Start with ``client.py``, which commands, drills and tests use; ``server.py`` answers it inside the lab.
"""
