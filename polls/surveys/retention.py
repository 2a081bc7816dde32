"""How long a round takes votes, and how long its ballots are kept. Standard library only.

All ballots of a round expire together, 365 days after the round began; votes are taken for the
first 185 days. So every vote is kept for at least 180 days. Each round's expiry is a property of
the survey (`expires:3` for round 3), in seconds since the epoch. Where two regions began the same
round, the earlier expiry holds in every region.

Readers compare the expiry with the clock, because DynamoDB removes expired items up to 48 hours
later.
"""

from collections.abc import Mapping
from typing import Any

DAY_S = 24 * 3600
KEPT_S = 365 * DAY_S  # from the beginning of a round
LEAST_S = 180 * DAY_S  # that a vote is kept
VOTES_S = KEPT_S - LEAST_S  # from the beginning of a round
WARNING_S = 30 * DAY_S  # before the votes end
EXPIRES = "expires:"  # begins the name of the property that says when a round expires


def begun(number: int, now_s: float) -> Mapping[str, int]:
    """The property of a round that begins now."""
    return {expiry_name(number): int(now_s) + KEPT_S}


def expiry_name(number: int) -> str:
    """The property that says when a round expires."""
    return f"{EXPIRES}{number}"


def expiry_rank(value: Any) -> tuple[bool, int]:
    """Ranks the values that several regions have for one round: the earliest time highest, and what
    is no time lowest.
    """
    return (True, -value) if type(value) is int else (False, 0)
