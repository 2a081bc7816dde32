"""A wall clock that a test sets ahead, for what takes months."""

import time

from failover.adapters.clock import SystemClock


class AheadClock(SystemClock):
    """The host's clock, `ahead_s` seconds ahead of its time of day."""

    ahead_s = 0.0

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time() + self.ahead_s
