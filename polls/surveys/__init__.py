"""What is asked: surveys, how their rows in several regions merge, and every read and write of
them.

Start with `survey.py` (a survey as it stands) and `definitions.py` (what its author wrote), then
`merge.py` (how rows become one survey). `services.py` has the writes, `selectors.py` the reads,
`listing.py` the list of all surveys.
"""
