"""The local cloud: two real engines, a DNS server, fronts, a replicator and the faults, in a process of its own.

For teaching and tests only. Nothing that production settings load imports this package.
"""
