"""The error rate of live traffic: counts in buckets of time, so that two minutes of it cost two dozen numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add, sub

from failover.core.config import RouterConfig
from failover.core.latency_bounds import LATENCY_BOUNDS_MS

BUCKETS = 24
_MIDDLES_MS = (*((low + high) / 2 for low, high in pairwise((0, *LATENCY_BOUNDS_MS))), LATENCY_BOUNDS_MS[-1])


@dataclass(frozen=True, slots=True)
class Sample:
    """What a stretch of time held: all requests, the class A and B among them, and the latency of the successes; the
    calls that did not wait for one because others did, of both counts, the attempts that are not weighed, and the class
    E among all requests.
    """

    requests: int = 0
    failed: int = 0
    latency: tuple[int, ...] = (0,) * (len(LATENCY_BOUNDS_MS) + 1)
    crowded: int = 0
    unweighed: int = 0
    unweighed_failed: int = 0
    denied: int = 0

    def __add__(self, other: Sample) -> Sample:
        if other is NOTHING:
            return self
        if self is NOTHING:
            return other
        return self._with(other, add)

    def __sub__(self, other: Sample) -> Sample:
        return self._with(other, sub)

    def _with(self, other: Sample, both: Callable[[int, int], int]) -> Sample:
        return Sample(
            both(self.requests, other.requests),
            both(self.failed, other.failed),
            tuple(map(both, self.latency, other.latency)),
            both(self.crowded, other.crowded),
            both(self.unweighed, other.unweighed),
            both(self.unweighed_failed, other.unweighed_failed),
            both(self.denied, other.denied),
        )

    @property
    def weighed(self) -> int:
        """The requests that the error rate is of."""
        return self.requests - self.unweighed

    @property
    def error_rate(self) -> float:
        """The share of these that failed, 0 to 1; 0 when there was none."""
        return (self.failed - self.unweighed_failed) / self.weighed if self.weighed else 0.0

    @property
    def unserved_rate(self) -> float:
        """The share that brought no answer by the region's doing, 0 to 1: those that failed and those that it refused
        for what it says of itself or of us. It is shown, and opens no circuit."""
        return min(1.0, self.error_rate + self.denied / self.weighed) if self.weighed else 0.0

    @property
    def answers(self) -> int:
        """How many came back with a value."""
        return sum(self.latency)

    @property
    def mean_ms(self) -> float | None:
        """About how long a success took, each taken for the middle of its bucket; None when there was none."""
        if not any(self.latency):
            return None
        return sum(count * middle for count, middle in zip(self.latency, _MIDDLES_MS, strict=True)) / self.answers

    def percentile(self, share: float) -> float | None:
        """The latency in ms below which that share of the successes lies, interpolated; None when there was none.

        Above the last bound the last bound is given: "at least".
        """
        answers = self.answers
        if not answers:
            return None
        rank = share * answers
        below, low = 0, 0.0
        for count, high in zip(self.latency, LATENCY_BOUNDS_MS, strict=False):
            if count and below + count >= rank:
                return low + (high - low) * (rank - below) / count
            below, low = below + count, float(high)
        return low


NOTHING = Sample()
"""What adds nothing, and costs nothing to add."""


def over_threshold(sample: Sample, config: RouterConfig) -> bool:
    """Whether the error rate says that the region fails: over the threshold, and of enough requests."""
    return sample.weighed >= config.min_volume and sample.error_rate > config.error_rate


class Window:
    """The last `span_s` seconds of one region, forgotten a bucket at a time. The sum of all of it is kept at hand."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._width_s = span_s / BUCKETS
        self._buckets: deque[tuple[float, Sample]] = deque()
        self._sum = NOTHING

    def add(self, sample: Sample, now: float) -> None:
        """Count what was learnt at `now`."""
        self._forget(now)
        self._sum += sample
        start = now // self._width_s * self._width_s
        if self._buckets and self._buckets[-1][0] >= start:
            start, held = self._buckets.pop()
            sample = held + sample
        self._buckets.append((start, sample))

    def total(self, now: float, *, since: float = float("-inf"), until: float = float("inf")) -> Sample:
        """The sum of the buckets that began at `since` or later, and before `until`."""
        self._forget(now)
        if not self._buckets or (since <= self._buckets[0][0] and self._buckets[-1][0] < until):
            return self._sum
        found = [sample for start, sample in self._buckets if since <= start < until]
        if not found:
            return NOTHING
        return reduce(add, found)

    def _forget(self, now: float) -> None:
        while self._buckets and now - self._buckets[0][0] >= self._span_s:
            self._sum -= self._buckets.popleft()[1]
