"""The local cloud: two regions on one machine, for teaching and tests only.

It runs in a process of its own, and nothing that production settings load imports it. Start with
``lab.py``, which starts and stops everything, then read ``region.py``, one region's life.

``engine/`` stores a region's data; ``network/`` is what lies between the application and an engine;
``replication/`` copies items between the regions; ``functions/`` runs the tally function as AWS
Lambda would; ``faults/`` breaks all of these and checks that they are broken; ``control/`` is the
HTTP interface by which other processes ask for faults; ``demo/`` starts the whole application.
"""
