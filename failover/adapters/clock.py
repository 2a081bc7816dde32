"""The one place outside the monitor, the lab and the drills that reads a clock or waits."""

import time


class SystemClock:
    """The host's clocks: `monotonic` for durations, `wall` only where a person or another host
    reads it.
    """

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Blocks the calling thread for `seconds`."""
        time.sleep(seconds)
