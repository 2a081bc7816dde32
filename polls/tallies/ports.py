"""What counting works with: shards, what is kept of them, and where. Standard library only."""

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
    """Some of the voters of one round, with all ballots of each."""

    code: str
    round: int
    number: int


@dataclass(frozen=True)
class Scheme:
    """What counting must know of a survey: its current round, and that round's options and rule.

    `expires_at` is when that round's rows expire, in seconds since the epoch, and `earlier` says it of the rounds
    before it; a round that it does not name has expired.
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
    """A shard's tally as it is kept. `counted_at` is when its count began, in seconds since the epoch; `version` is
    unique, so that a version which still stands means that nothing was written.
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
    """When a round's tallies were last held against its ballots (seconds since the epoch), and how many shards were
    put right then.
    """

    at: float
    corrected: int


@dataclass(frozen=True)
class Kept:
    """Everything that is kept of one round."""

    shards: Mapping[int, Stored]
    compared: Compared | None = None

    @property
    def counted_at(self) -> float:
        """When a shard was last counted; 0 when none was."""
        return max((stored.counted_at for stored in self.shards.values()), default=0.0)


class Unreachable(Exception):
    """The region's data cannot be read or written now."""


class TallyStore(Protocol):
    """One region's ballots and tallies. Reads are strongly consistent; every method raises Unreachable."""

    def scheme(self, code: str) -> Scheme | None:
        """The survey as this region's replica knows it; None while it does not."""

    def open_schemes(self) -> list[Scheme]:
        """Every open survey."""

    def casts(self, shard: Shard) -> list[Cast]:
        """The shard's ballots."""

    def stored(self, shard: Shard) -> Stored | None:
        """The shard's tally."""

    def write(self, shard: Shard, new: Stored, *, over: str | None) -> bool:
        """Keeps a tally if the version `over` still stands (None: if there is none); False when it does not."""

    def kept(self, code: str, number: int) -> Kept:
        """Everything that is kept of a round."""

    def mark(self, scheme: Scheme, compared: Compared) -> None:
        """Remembers that the current round was compared."""
