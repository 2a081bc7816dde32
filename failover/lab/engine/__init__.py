"""The process that stores one region's data, a DynamoDB-compatible program.

Start with ``engine.py``, which starts and stops it. ``programs.py`` has the two programs that can
be an engine, ``leash.py`` is the small parent process that ends an engine when the lab is gone, and
``leftover.py`` ends the engine of a lab that was killed. ``replica.py`` reads and writes an
engine's tables for the lab itself.
"""
