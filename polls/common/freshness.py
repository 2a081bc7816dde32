"""A value that says where it came from, when, and how up to date it was to be and is."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from failover import gateway

T = TypeVar("T")
U = TypeVar("U")
EVENTUAL = gateway.Consistency.EVENTUAL


@dataclass(frozen=True)
class Known(Generic[T]):
    """A value, the region that told it, when (seconds since the epoch), and the consistency asked for and given."""

    value: T
    region: str
    at: float
    asked: gateway.Consistency = EVENTUAL
    given: gateway.Consistency = EVENTUAL

    @classmethod
    def read(cls, value: T, routed: gateway.Routed[U], at: float) -> "Known[T]":
        """What was made of one routed read."""
        return cls(value, routed.region, at, routed.asked, routed.given)

    @property
    def degraded(self) -> bool:
        """Whether a read that was to be strong was not: the latest votes of the region it is about may be missing."""
        return self.asked is not EVENTUAL and self.given is EVENTUAL

    def age_ms(self) -> int:
        """How old it is now, in milliseconds."""
        return max(0, round((gateway.clock.wall() - self.at) * 1000))
