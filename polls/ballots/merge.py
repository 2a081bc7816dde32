"""How a voter's ballots of several regions become one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from polls.surveys.merge import JSON


@dataclass(frozen=True)
class Cast:
    """One ballot row: what a voter said in one region."""

    voter: str
    vote_id: str
    digest: str
    answers: Mapping[str, JSON]

    @property
    def rank(self) -> tuple[str, str]:
        """By the time of voting; equal ids with different answers by digest, so that every reader agrees."""
        return self.vote_id, self.digest


def stands(casts: Iterable[Cast], *, may_change: bool) -> Cast | None:
    """Which of one voter's ballots counts: the last, or the first where votes may not be changed; None when there is
    none.
    """
    return (max if may_change else min)(casts, key=lambda cast: cast.rank, default=None)


def merge_ballots(casts: Iterable[Cast], *, may_change: bool) -> dict[str, Cast]:
    """One ballot a voter, from rows in any order and any number."""
    merged: dict[str, Cast] = {}
    for cast in casts:
        known = merged.get(cast.voter)
        winner = cast if known is None else stands((known, cast), may_change=may_change)
        if winner is not None:
            merged[cast.voter] = winner
    return merged
