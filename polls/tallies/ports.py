"""The types of counting, and the interface to where tallies are stored. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from polls.ballots.merge import Cast
from polls.tallies.tally import Tally


class Clock(Protocol):
    """What the gateway's clock can do."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    def wait(self, seconds: float) -> None:
        """Blocks for so long."""


@dataclass(frozen=True, order=True)
class Shard:
    """A part of the voters of one round, with all ballots of each voter."""

    code: str
    round: int
    number: int


@dataclass(frozen=True)
class Scheme:
    """What counting must know about a survey: its current round, and the options and the rule of
    that round.

    `expires_at` is when the rows of that round expire, in seconds since the epoch. `earlier` has
    the same for the rounds before it; a round that it does not name has expired.
    """

    code: str
    round: int
    shards: int
    options: Mapping[str, Sequence[str]]
    may_change: bool
    expires_at: int
    is_open: bool
    earlier: Mapping[int, int] = field(default_factory=dict)

    def expiry_of(self, number: int) -> int:
        """When a round's rows expire."""
        return self.expires_at if number == self.round else self.earlier.get(number, 0)


@dataclass(frozen=True)
class Stored:
    """A shard's tally as it is stored. `counted_at` is when its count began, in seconds since the
    epoch. `version` is unique for each write: while it stands, nothing was written since.
    """

    tally: Tally
    version: str
    may_change: bool
    counted_at: float
    expires_at: int

    @property
    def options(self) -> dict[str, list[str]]:
        """What could be chosen when it was counted."""
        return {question: list(chosen) for question, chosen in self.tally.chosen.items()}


@dataclass(frozen=True)
class Compared:
    """When a round's tallies were last compared with its ballots (seconds since the epoch), and how
    many shards were corrected then.
    """

    at: float
    corrected: int


@dataclass(frozen=True)
class Kept:
    """Everything that is stored about the tallies of one round."""

    shards: Mapping[int, Stored]
    compared: Compared | None = None

    @property
    def counted_at(self) -> float:
        """When a shard was last counted; 0.0 before the first count."""
        return max((stored.counted_at for stored in self.shards.values()), default=0.0)


class Unreachable(Exception):
    """The region's data cannot be read or written now."""


class TallyStore(Protocol):
    """One region's ballots and tallies. Reads are strongly consistent; every method raises
    Unreachable.
    """

    def scheme(self, code: str) -> Scheme | None:
        """What this region's replica has of the survey; None while it has nothing."""

    def open_schemes(self) -> list[Scheme]:
        """Every open survey."""

    def casts(self, shard: Shard) -> list[Cast]:
        """The shard's ballots."""

    def stored(self, shard: Shard) -> Stored | None:
        """The shard's tally."""

    def write(self, shard: Shard, new: Stored, *, over: str | None) -> bool:
        """Stores a tally if the version `over` still stands (None: if there is no tally yet). False
        if it does not.
        """

    def kept(self, code: str, number: int) -> Kept:
        """Everything that is stored about a round."""

    def mark(self, scheme: Scheme, compared: Compared) -> None:
        """Stores that the current round was compared."""
