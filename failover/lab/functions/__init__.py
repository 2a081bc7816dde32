"""Runs a function of the cloud as AWS Lambda would: fed by a table's stream and by a schedule.

Start with ``event_source.py``, which hands one region's stream to one function. ``events.py`` has
the JSON that a function gets, ``function.py`` the child process that it is here, and
``triggers.py`` runs every function in every region.
"""
