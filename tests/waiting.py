"""Wait until something holds, with a deadline: tests do not sleep and hope."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST = 6.0


def wait_until(probe: Callable[[], T], *, within: float, what: str, every: float = 0.05) -> T:
    """The first truthy value of `probe`, asked every `every` seconds.

    Fails the test after `within` seconds, saying what was awaited; later while more processes want to run than
    there are processors, so that a busy machine fails no test.
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
    """By what a limit is to be multiplied now: 1 on a quiet machine, at most `MOST` on a busy one."""
    return min(MOST, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
