"""Wait until something holds, with a deadline: tests do not sleep and hope."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(probe: Callable[[], T], *, within: float, what: str, every: float = 0.05) -> T:
    """The first truthy value of `probe`, asked every `every` seconds.

    Fails the test after `within` seconds, saying what was awaited.
    """
    deadline = time.monotonic() + within
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s (last: {value!r})"
        time.sleep(every)
