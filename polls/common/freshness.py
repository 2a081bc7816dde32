"""A value with its origin: the region, the time, and the consistency of the read."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from failover import gateway

T = TypeVar("T")
U = TypeVar("U")
EVENTUAL = gateway.Consistency.EVENTUAL


@dataclass(frozen=True)
class Known(Generic[T]):
    """A value, the region that gave it, when (seconds since the epoch), and the consistency asked
    for and given.
    """

    value: T
    region: str
    at: float
    asked: gateway.Consistency = EVENTUAL
    given: gateway.Consistency = EVENTUAL

    @classmethod
    def read(cls, value: T, routed: gateway.Routed[U], at: float) -> "Known[T]":
        """A value that was made of one routed read."""
        return cls(value, routed.region, at, routed.asked, routed.given)

    @property
    def degraded(self) -> bool:
        """Whether a read that was to be strong was eventual: the latest votes may be missing."""
        return self.asked is not EVENTUAL and self.given is EVENTUAL

    def age_ms(self) -> int:
        """The age of the value now, in milliseconds."""
        return max(0, round((gateway.clock.wall() - self.at) * 1000))
