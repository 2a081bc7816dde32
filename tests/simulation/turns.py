"""A clock on which several calls wait at once: each acts when its time has come, and one alone at any moment.

So the calls of one worker interleave as they do in production, at every wait of theirs, and every run is the same run.
They are greenlets (Playwright brings them along): threads that take turns would spend most of the time in waking up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count

from greenlet import greenlet

from failover.core.fakes import FakeClock


class TurnClock(FakeClock):
    """Outside of `together` it is a `FakeClock`. `acting` is the number of the call that acts now."""

    def __init__(self, *, monotonic: float = 1000.0, wall: float = 1_760_943_600.0) -> None:
        super().__init__(monotonic=monotonic, wall=wall)
        self.acting: int | None = None
        self._waiting: list[tuple[float, int, int]] = []
        self._arrivals = count()
        self._calls: list[greenlet] = []

    def wait(self, seconds: float) -> None:
        """Let whoever comes sooner act meanwhile."""
        me = self.acting
        if me is None or seconds < 0:
            super().wait(seconds)
            return
        self._enlist(me, seconds)
        following = self._next()
        if following != me:
            self._calls[following].switch()

    def together(self, calls: Sequence[tuple[float, Callable[[], object]]]) -> None:
        """Begin each call so many seconds from now. Returns when all have ended, or raises what one of them raises."""
        self._calls = [greenlet(call) for _, call in calls]
        for number, (seconds, _) in enumerate(calls):
            self._enlist(number, seconds)
        try:
            while self._waiting:
                self._calls[self._next()].switch()  # comes back whenever one has ended
        finally:
            self.acting = None
            self._waiting.clear()
            self._calls.clear()

    def _enlist(self, number: int, seconds: float) -> None:
        heappush(self._waiting, (self.monotonic() + seconds, next(self._arrivals), number))

    def _next(self) -> int:
        """Whose time comes first; it is that time now."""
        at, _, self.acting = heappop(self._waiting)
        super().wait(max(0.0, at - self.monotonic()))
        self._monotonic = at
        return self.acting
