"""Rows of several regions -> one survey; ballots of several regions -> one vote a voter.

Every item's key ends in the region that wrote it, so nothing is ever overwritten by another region and readers merge.
Merging is commutative, associative and idempotent: in whatever order and however often a reader sees the rows, it comes
to the same survey. Standard library only: the tally function runs this on AWS Lambda, without Django.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = Any  # what json.loads returns; the shapes are checked where they enter (definitions.py, answers.py)


def canonical(value: JSON) -> str:
    """One text for one JSON value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Field:
    """One property of a survey and when it was last changed, in milliseconds since the epoch."""

    value: JSON
    at: int

    @property
    def rank(self) -> tuple[int, str]:
        """The later change wins; two in the same millisecond are settled by their text, so that every reader agrees."""
        return self.at, canonical(self.value)


@dataclass(frozen=True)
class Row:
    """What one region wrote about a survey, or what several rows come to."""

    round: int = 0
    fields: Mapping[str, Field] = field(default_factory=dict)

    def value(self, name: str, default: JSON = None) -> JSON:
        """The latest value of a property."""
        return self.fields[name].value if name in self.fields else default

    @property
    def changed_at(self) -> int:
        """When anything was last changed, in milliseconds since the epoch; 0 for an empty row."""
        return max((entry.at for entry in self.fields.values()), default=0)


def merge(rows: Iterable[Row]) -> Row:
    """`round` is the highest, every other field its latest change."""
    number = 0
    fields: dict[str, Field] = {}
    for row in rows:
        number = max(number, row.round)
        for name, entry in row.fields.items():
            if name not in fields or fields[name].rank < entry.rank:
                fields[name] = entry
    return Row(number, fields)


def change(merged: Row, values: Mapping[str, JSON], *, now_ms: int, new_round: bool = False) -> Row:
    """The row that says only what changes: never earlier than what it changes, whatever this machine's clock says."""
    at = max(now_ms, merged.changed_at + 1)
    return Row(merged.round + new_round, {name: Field(value, at) for name, value in values.items()})


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
