"""Chooses the region of each vote, as one strategy would. Pure but for the clocks and calls handed in.

An application asks `region(voter)` before a vote and says `ended(worked)` after it. `step()` is called
several times per second, beside the votes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

from failover.drills.strategies import catalogue
from failover.drills.strategies.catalogue import Strategy


class Chooses(Protocol):
    """What an application needs to know of its strategy."""

    def region(self, voter: str) -> str:
        """Where this voter's vote goes now."""

    def ended(self, *, worked: bool) -> None:
        """A vote was written, or was not."""

    def step(self) -> None:
        """Do what is due."""


class Fixed:
    """The first region, whatever happens."""

    def __init__(self, regions: Sequence[str]) -> None:
        self._region = regions[0]

    def region(self, voter: str) -> str:
        return self._region

    def ended(self, *, worked: bool) -> None:
        """Nobody looks."""

    def step(self) -> None:
        """Nothing is due."""


class Nearest(Fixed):
    """Each voter's own region: half of them live near each of the two."""

    def __init__(self, regions: Sequence[str]) -> None:
        super().__init__(regions)
        self._regions = regions

    def region(self, voter: str) -> str:
        return self._regions[zlib.crc32(voter.encode()) % len(self._regions)]


class Flag(Fixed):
    """The region that a flag names; it is read again and again from the first region.

    While it cannot be read the last word counts. Votes fail, so somebody wants to change it, and
    cannot: it is written where it is read.
    """

    def __init__(
        self, regions: Sequence[str], *, read: Callable[[], str | None], write: Callable[[str], None], patience: int = 5
    ) -> None:
        super().__init__(regions)
        self._other = regions[-1]
        self._read, self._write, self._patience = read, write, patience
        self._failures = 0

    def ended(self, *, worked: bool) -> None:
        self._failures = 0 if worked else self._failures + 1

    def step(self) -> None:
        """Both raise OSError when the region does not answer."""
        try:
            if self._failures >= self._patience:
                self._write(self._other)
            self._region = self._read() or self._region
        except OSError:
            return


class Operator(Fixed):
    """The second region once a person has noticed, decided and deployed it."""

    def __init__(self, regions: Sequence[str], *, after_s: float, monotonic: Callable[[], float]) -> None:
        super().__init__(regions)
        self._other, self._after_s, self._monotonic = regions[-1], after_s, monotonic
        self._failing_since: float | None = None

    def ended(self, *, worked: bool) -> None:
        if worked:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = self._monotonic()

    def step(self) -> None:
        if self._failing_since is not None and self._monotonic() - self._failing_since >= self._after_s:
            self._region = self._other


class HealthCheck(Fixed):
    """The address that DNS gives: another one after failed checks in a row, and after its TTL."""

    def __init__(
        self, regions: Sequence[str], *, every_s: float, is_healthy: Callable[[], bool], monotonic: Callable[[], float]
    ) -> None:
        super().__init__(regions)
        self._regions = regions
        self._every_s, self._is_healthy, self._monotonic = every_s, is_healthy, monotonic
        self._checked_at = monotonic()
        self._in_a_row = 0
        self._record, self._changes_at = regions[0], float("inf")

    def step(self) -> None:
        now = self._monotonic()
        if now >= self._changes_at:
            self._region, self._changes_at = self._record, float("inf")
        if now - self._checked_at < self._every_s:
            return
        self._checked_at = now
        is_first = self._record == self._regions[0]
        self._in_a_row = 0 if self._is_healthy() is is_first else self._in_a_row + 1
        if self._in_a_row == catalogue.CHECKS_TO_FAIL:
            self._record = self._regions[-1] if is_first else self._regions[0]
            self._changes_at, self._in_a_row = now + catalogue.TTL_S, 0


def make(
    strategy: Strategy,
    regions: Sequence[str],
    *,
    read_flag: Callable[[], str | None],
    write_flag: Callable[[str], None],
    is_healthy: Callable[[], bool],
    monotonic: Callable[[], float],
) -> Chooses:
    """The decider of a strategy."""
    match strategy.decider:
        case catalogue.Decider.NEAREST:
            return Nearest(regions)
        case catalogue.Decider.FLAG:
            return Flag(regions, read=read_flag, write=write_flag)
        case catalogue.Decider.OPERATOR:
            return Operator(regions, after_s=strategy.switches_after_s or 0.0, monotonic=monotonic)
        case catalogue.Decider.HEALTH_CHECK:
            return HealthCheck(regions, every_s=strategy.check_every_s, is_healthy=is_healthy, monotonic=monotonic)
        case _:
            return Fixed(regions)
