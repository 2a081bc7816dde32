"""Pages that need no account: the join screen, the ballot, its receipt, the results and the
projector's view. Each works without JavaScript and without cookies, and says in plain words when no
region answers.
"""
