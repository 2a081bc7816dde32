"""What the router is given (a clock, a runner) and what it returns (a routed value and its trace)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from failover.core.errors import Attempt, Failure

__all__ = ["Attempt", "Bound", "Clock", "Consistency", "Routed", "Runner", "Success"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Consistency(StrEnum):
    """How fresh a read must be."""

    EVENTUAL = "eventual"
    STRONG = "strong"
    """Strong wherever it lands: up to date with that region's replica, which may itself be behind another's."""
    STRONG_ELSE_EVENTUAL = "strong-else-eventual"
    """Strong at home, degraded to eventual (and said so) when the read has failed over; strong everywhere where the
    tables are (MRSC)."""


class Clock(Protocol):
    """The core's only source of time, and its only way to wait."""

    def monotonic(self) -> float:
        """Seconds that never run backwards; all durations come from here."""

    def wall(self) -> float:
        """Seconds since the epoch, for people to read."""

    def wait(self, seconds: float) -> None:
        """Let that much time pass."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The region that an operation runs in, and whether its reads must be strong. `fresh`: it must not use a connection
    that was made before it began."""

    region: str
    strong: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Success(Generic[T_co]):
    """An attempt that brought a value."""

    value: T_co


class Runner(Protocol):
    """Runs one attempt in one region."""

    def run(self, region: str, op: Callable[[Bound], T], bound: Bound, timeout: float) -> Success[T] | Failure:
        """Never raises, and returns within `timeout` seconds whatever the region does, also when its
        DNS is silent or it sends one byte per second.
        """

    def renew(self, region: str) -> None:
        """Let no later attempt use a connection that was made until now. Never raises and never waits."""


@dataclass(frozen=True, slots=True)
class Routed(Generic[T_co]):
    """A value, the region that it came from, all attempts made for it, and the consistency asked and given."""

    value: T_co
    region: str
    attempts: tuple[Attempt, ...]
    asked: Consistency = Consistency.EVENTUAL
    given: Consistency = Consistency.EVENTUAL

    @property
    def degraded(self) -> bool:
        """Whether the read got less than it asked for."""
        return self.asked is not Consistency.EVENTUAL and self.given is Consistency.EVENTUAL
