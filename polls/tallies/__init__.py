"""What the ballots count up to, in each region. Results pages read tallies, one row for each shard,
and never count.

Start with `tally.py` (one pure function counts) and `recount.py` (when a shard is counted again).
`ports.py` has the types and the interface to storage, `store.py` implements it in a region,
`fakes.py` in memory. `audit.py` compares tallies with ballots for a person;
`deploy/functions/tally/handler.py` runs the recount on AWS and in the lab.
"""
