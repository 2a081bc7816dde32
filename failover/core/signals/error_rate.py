"""The error rate of live traffic: counters in buckets of time, so that two minutes of it are two dozen values."""

from __future__ import annotations

from collections import deque
from functools import reduce
from operator import add

from failover.core.config import RouterConfig
from failover.core.counters import NOTHING, RegionCounters

BUCKETS = 24


def over_threshold(counters: RegionCounters, config: RouterConfig) -> bool:
    """Whether the error rate says that the region fails: it is over the threshold, and of enough requests."""
    return counters.weighed >= config.min_volume and counters.error_rate > config.error_rate


class Window:
    """The last `span_s` seconds of one region, forgotten bucket by bucket. The sum of all buckets is kept at hand."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._width_s = span_s / BUCKETS
        self._buckets: deque[tuple[float, RegionCounters]] = deque()
        self._sum = NOTHING

    def add(self, counters: RegionCounters, now: float) -> None:
        """Count what was learnt at `now`."""
        self._forget(now)
        self._sum += counters
        start = now // self._width_s * self._width_s
        if self._buckets and self._buckets[-1][0] >= start:
            start, before = self._buckets.pop()
            counters = before + counters
        self._buckets.append((start, counters))

    def total(self, now: float, *, since: float = float("-inf"), until: float = float("inf")) -> RegionCounters:
        """The sum of the buckets that began at `since` or later, and before `until`."""
        self._forget(now)
        if not self._buckets or (since <= self._buckets[0][0] and self._buckets[-1][0] < until):
            return self._sum
        return reduce(add, [counters for start, counters in self._buckets if since <= start < until], NOTHING)

    def _forget(self, now: float) -> None:
        while self._buckets and now - self._buckets[0][0] >= self._span_s:
            self._sum -= self._buckets.popleft()[1]
