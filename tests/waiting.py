"""Wait until something holds, with a deadline, instead of sleeping for a fixed time."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST = 6.0


def wait_until(probe: Callable[[], T | None], *, within: float, what: str, every: float = 0.05) -> T:
    """Calls `probe` every `every` seconds and returns its first truthy value.

    Fails the test after `within` seconds, with `what` and the last value. On a busy machine it waits up to `MOST`
    times as long.
    """
    began = time.monotonic()
    while True:
        value = probe()
        if value:
            return value
        waited = time.monotonic() - began
        assert waited < within * patience(), f"{what}: not within {waited:.3g} s (last: {value!r})"
        time.sleep(every)


def patience() -> float:
    """The factor for a time limit: 1 on a quiet machine, more while processes wait for a CPU, at most `MOST`."""
    return min(MOST, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
