"""The pages of the drills, which only the lab has: what there is to play, and the reports so far."""
