"""A clock on which several threads wait at once: each acts when its time has come, and one alone at any moment.

So the calls of one worker interleave as they do in production, at every wait of theirs, and every run is the same run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count

from failover.core.fakes import FakeClock


class TurnClock(FakeClock):
    """Outside of `together` it is a `FakeClock`. `acting` is the number of the call that acts now."""

    def __init__(self, *, monotonic: float = 1000.0, wall: float = 1_760_943_600.0) -> None:
        super().__init__(monotonic=monotonic, wall=wall)
        self.acting: int | None = None
        self._waiting: list[tuple[float, int, int]] = []
        self._arrivals = count()
        self._turns: list[threading.Lock] = []

    def wait(self, seconds: float) -> None:
        """Let whoever comes sooner act meanwhile."""
        me = self.acting
        if me is None or seconds < 0:
            super().wait(seconds)
            return
        self._enlist(me, seconds)
        following = self._next()
        if following != me:
            self._turns[following].release()
            self._turns[me].acquire()

    def together(self, calls: Sequence[tuple[float, Callable[[], object]]]) -> None:
        """Make each call in a thread of its own, so many seconds from now. Returns when all have ended, and raises what
        the first one raised that did."""
        over, broken = _taken(), list[BaseException]()
        self._turns = [_taken() for _ in calls]

        def act(number: int, call: Callable[[], object]) -> None:
            self._turns[number].acquire()
            try:
                call()
            except BaseException as exc:  # is raised below, where somebody sees it
                broken.append(exc)
            if self._waiting:
                self._turns[self._next()].release()
            else:
                over.release()

        threads = [
            threading.Thread(target=act, args=(number, call), daemon=True) for number, (_, call) in enumerate(calls)
        ]
        for number, (seconds, _) in enumerate(calls):
            self._enlist(number, seconds)
            threads[number].start()
        self._turns[self._next()].release()
        over.acquire()
        self.acting = None
        for thread in threads:
            thread.join()
        if broken:
            raise broken[0]

    def _enlist(self, number: int, seconds: float) -> None:
        heappush(self._waiting, (self.monotonic() + seconds, next(self._arrivals), number))

    def _next(self) -> int:
        """Whose time comes first; it is that time now."""
        at, _, self.acting = heappop(self._waiting)
        super().wait(max(0.0, at - self.monotonic()))
        self._monotonic = at
        return self.acting


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock
