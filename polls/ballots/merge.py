"""Merges the ballots that a voter has in several regions into one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from polls.surveys.merge import JSON


@dataclass(frozen=True)
class Cast:
    """One ballot row: a voter's answers as one region recorded them."""

    voter: str
    vote_id: str
    digest: str
    answers: Mapping[str, JSON]

    @property
    def rank(self) -> tuple[str, str]:
        """Orders by the time of voting; equal ids with different answers by digest, so that every
        reader agrees.
        """
        return self.vote_id, self.digest


def stands(casts: Iterable[Cast], *, may_change: bool) -> Cast | None:
    """The ballot of one voter that counts: the last, or the first where votes may not be changed;
    None without any.
    """
    return (max if may_change else min)(casts, key=lambda cast: cast.rank, default=None)


def merge_ballots(casts: Iterable[Cast], *, may_change: bool) -> dict[str, Cast]:
    """One ballot for each voter, from rows in any order and any number."""
    merged: dict[str, Cast] = {}
    for cast in casts:
        known = merged.get(cast.voter)
        winner = cast if known is None else stands((known, cast), may_change=may_change)
        if winner is not None:
            merged[cast.voter] = winner
    return merged
