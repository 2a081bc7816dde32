"""Waits for a condition, up to a deadline, and gives up when the lab stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

POLL_S = 0.03


def wait_until(condition: Callable[[], bool], timeout_s: float, *, stopping: Event | None = None) -> bool:
    """True as soon as the condition holds. False once ``timeout_s`` is over or ``stopping`` is set."""
    stop = stopping or Event()
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline or stop.wait(POLL_S):
            return False
    return True
