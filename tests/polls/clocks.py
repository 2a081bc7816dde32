"""A wall clock that a test sets ahead, for what takes months."""

import time
from datetime import UTC, datetime

from failover.adapters.clock import SystemClock


class AheadClock(SystemClock):
    """The host's clock, `ahead_s` seconds ahead of its time of day."""

    ahead_s = 0.0

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time() + self.ahead_s


def in_days(number: float) -> str:
    """A time so many days from now, as the survey JSON has it; a round takes votes for 185 days."""
    return f"{datetime.fromtimestamp(time.time() + number * 86_400, UTC):%Y-%m-%dT%H:%M:00Z}"
