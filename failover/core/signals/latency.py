"""How quick a region is: a region with a gray failure answers every call, but too late.

A region is called slow when three measures agree: its p99 is high against its own past, and high
against what the same calls would take in another region, and its mean shows that most calls are
affected. A region that is only far away is not called slow, because its latency has not changed. A
slow region keeps its traffic while no other one is clearly better, and while it is pinned.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low

from failover.core.config import RouterConfig
from failover.core.counters import NOTHING, RegionCounters
from failover.core.signals.error_rate import Window

REMEMBERED = 30
"""How many past stretches of traffic the usual latency is taken from."""
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """A region's latency in ms, of live answers. None where nothing is known.

    `volume` answers came in the recent window; `p99_ms` is theirs, and `mean_ms` the mean of the quickest third of the
    window, so that a short stall does not raise it (unknown where there is too little traffic). `usual_p99_ms` is the
    median of past stretches.
    """

    volume: int = 0
    p99_ms: float | None = None
    mean_ms: float | None = None
    usual_p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Rival:
    """Another region that is well and up to date, and the longest of its latest canaries' calls in ms."""

    name: str
    canary_ms: float


@dataclass(frozen=True, slots=True)
class Slowness:
    """One region's pace beside its limits. `pinned`: a person chose the region, and slowness overrides no person."""

    pace: Pace
    rival: Rival | None
    pinned: bool
    config: RouterConfig

    @property
    def own_limit_ms(self) -> float | None:
        """The p99 above which the region is slow by its own past; None while the usual p99 is not known."""
        return _own_limit_ms(self.pace.usual_p99_ms, self.config)

    @property
    def there_ms(self) -> float | None:
        """What nearly every call would take in the other region: the time of its canary, and what the work itself
        usually takes here. None when there is no such region."""
        if self.rival is None or self.pace.usual_p99_ms is None:
            return None
        return self.rival.canary_ms + self.pace.usual_p99_ms

    @property
    def rival_limit_ms(self) -> float | None:
        """The p99 above which the other region is clearly better."""
        return None if self.there_ms is None else self.config.slow_factor * self.there_ms

    @property
    def mean_limit_ms(self) -> float | None:
        """The mean above which most calls, not only the slowest of them, would be quicker elsewhere."""
        return None if self.there_ms is None else max(self.config.slow_floor_ms / 2, self.there_ms)

    @property
    def enough(self) -> bool:
        """Whether there was enough traffic to judge."""
        return self.pace.volume >= self.config.slow_volume

    @property
    def by_itself(self) -> bool:
        """Whether it is slow against its own past."""
        return _above(self.pace.p99_ms, self.own_limit_ms)

    @property
    def by_rival(self) -> bool:
        """Whether it is slow against the other region."""
        return _above(self.pace.p99_ms, self.rival_limit_ms)

    @property
    def for_most(self) -> bool:
        """Whether most calls are slow, all the time."""
        return _above(self.pace.mean_ms, self.mean_limit_ms)

    @property
    def met(self) -> bool:
        """Whether the region is slow and another one clearly better. With too little traffic the mean is not known, so
        the rule is not met."""
        return self.by_itself and self.by_rival and self.for_most and not self.pinned

    @property
    def limit_ms(self) -> float:
        """The time that calls must stay below for the region to count as quick again."""
        return min((ms for ms in (self.own_limit_ms, self.rival_limit_ms) if ms is not None), default=float("inf"))


class PaceMeter:
    """Gathers one region's answers. The usual latency is learnt from one stretch of traffic after another."""

    def __init__(self, config: RouterConfig) -> None:
        self._config = config
        self._recent = Window(config.slow_window_s)
        self._stretch = NOTHING
        self._stretch_from: float | None = None
        self._stretches: deque[float] = deque(maxlen=REMEMBERED)
        self._usual_ms: float | None = None

    def add(self, answers: RegionCounters, now: float, *, learn: bool) -> None:
        """Count answers. `learn`: they may become part of the usual latency."""
        self._recent.add(answers, now)
        if not learn:
            self._stretch, self._stretch_from = NOTHING, None
            return
        if self._stretch_from is None:
            self._stretch_from = now
        self._stretch += answers
        over = now - self._stretch_from >= self._config.slow_window_s
        if over and self._stretch.answers >= self._config.slow_volume:
            self._stretches.append(self._stretch.percentile(0.99) or 0.0)
            self._usual_ms = median_low(self._stretches)
            self._stretch, self._stretch_from = NOTHING, None

    def may_be_slow(self, now: float, *, since: float) -> bool:
        """Whether it is slow by its own past. If not, the other measures need not be taken."""
        limit_ms = _own_limit_ms(self._usual_ms, self._config)
        return limit_ms is not None and _above(self._recent.total(now, since=since).percentile(0.99), limit_ms)

    def pace(self, now: float, *, since: float) -> Pace:
        """The pace now, of the answers that came after `since`."""
        whole = self._recent.total(now, since=since)
        volume = whole.answers
        enough = volume >= self._config.slow_volume
        return Pace(
            volume=volume,
            p99_ms=whole.percentile(0.99),
            mean_ms=self._quickest_third(now, since) if enough else None,
            usual_p99_ms=self._usual_ms,
        )

    def _quickest_third(self, now: float, since: float) -> float | None:
        """The least of the means of the window's thirds; None when one of them is empty."""
        third = self._config.slow_window_s / _PARTS
        edges = [*(now - third * part for part in range(_PARTS, 0, -1)), float("inf")]
        means = [self._recent.total(now, since=max(since, start), until=end).mean_ms for start, end in pairwise(edges)]
        known = [mean for mean in means if mean is not None]
        return min(known) if len(known) == _PARTS else None


def _own_limit_ms(usual_ms: float | None, config: RouterConfig) -> float | None:
    return None if usual_ms is None else max(config.slow_floor_ms, config.slow_factor * usual_ms)


def _above(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value > limit
