"""Breaks a region on purpose, for a limited time, and checks from outside that it is broken.

Start with ``kinds.py``, one class for each way to break a region. ``book.py`` keeps the faults that
are in force and ends them in time. ``verify.py`` has one check for each kind; it looks through real
sockets (``outside.py``) and real items (``probe_items.py``), and does not ask the lab whether the
fault is set.
"""
