"""What was answered: who votes, under which name, and how one ballot is recorded and read.

Start with `services.py`: `vote` is the policy that pages and the API share, `ballot_cast` writes
one ballot. `merge.py` says which of a voter's ballots counts; `selectors.py` and `bulk_reads.py`
have the reads.
"""
