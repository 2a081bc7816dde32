"""What the votes come to, as it is shown: counts of the current round and of past ones, charts,
free texts and their moderation, and rows for spreadsheets. Nothing here counts votes
(`polls.tallies` does) or renders a page (`polls.views` does).
"""
