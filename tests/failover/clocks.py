"""Clocks that a test moves."""

from __future__ import annotations

import threading

from failover.adapters.clock import SystemClock
from tests.waiting import wait_until


class SteppedClock:
    """Stands still. `step` lets time pass for whoever waits, and returns when all of them have done what they woke up
    for and wait again.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._changed = threading.Condition()
        self._waiting: dict[int, float] = {}
        self._waits = 0

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return 1_760_942_600.0 + self._now  # at the start as FakeClock's

    def wait(self, seconds: float) -> None:
        me = threading.get_ident()
        with self._changed:
            until = self._now + seconds
            self._waiting[me] = until
            self._waits += 1
            while self._now < until:
                if not self._changed.wait(60):
                    return
            del self._waiting[me]

    def step(self, seconds: float) -> None:
        """Lets time pass; returns when the threads whose wait was over wait again."""
        with self._changed:
            self._now += seconds
            due = sum(until <= self._now for until in self._waiting.values())
            target = self._waits + due
            self._changed.notify_all()
        wait_until(lambda: self._waits >= target, within=30, what="the woken threads wait again")

    def someone_waits(self) -> None:
        """Returns when a thread waits."""
        wait_until(lambda: bool(self._waiting), within=30, what="a thread waits")


class ShiftedClock(SystemClock):
    """The machine's clocks, which a test sets forward; the monotonic one stands still while the machine sleeps."""

    ahead_s = asleep_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def wall(self) -> float:
        return super().wall() + self.ahead_s + self.asleep_s
