"""A value that says where it came from and when."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from failover import gateway

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """A value, the region that told it, and when (seconds since the epoch)."""

    value: T
    region: str
    at: float

    def age_ms(self) -> int:
        """How old it is now, in milliseconds."""
        return max(0, round((gateway.clock.wall() - self.at) * 1000))
