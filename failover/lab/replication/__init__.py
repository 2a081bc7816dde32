"""Copies items between the regions, as DynamoDB Global Tables does.

Start with ``rules.py``, which decides which copy wins and says where this emulation differs from
AWS. ``link.py`` applies the rules to one direction, ``threads.py`` runs every direction, and
``fakes.py`` has the replica in memory with which links are tested.
"""
