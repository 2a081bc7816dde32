"""Days of live traffic, for the tests of slow regions."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import Any

from failover.core.config import RouterConfig
from failover.core.counters import LATENCY_BOUNDS_MS
from failover.core.exchange.reports import RegionReport
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from tests.simulation.support import CONFIG, EAST, GOOD, WEST, Post

OPEN = CircuitState.OPEN


def canary(ms: float) -> Canary:
    """A canary that passed, each of whose calls took so long."""
    call = Layer(True, ms)
    return Canary(GOOD, GOOD, call, call)


class Day(Post):
    """A host with one busy worker: four answers a second in each region that takes traffic."""

    def __init__(self, *, distance_ms: float = 70.0, config: RouterConfig | None = None) -> None:
        super().__init__(config or CONFIG)
        self.canaries[WEST] = canary(distance_ms)
        self.met = {EAST: RegionReport(), WEST: RegionReport()}
        self.reports(w1=dict(self.met))

    def answer(self, region: str, ms: float, count: int = 2, *, trial: bool = False) -> None:
        was = self.met[region]
        buckets = list(was.latency)
        buckets[bisect_left(LATENCY_BOUNDS_MS, ms)] += count
        self.met[region] = replace(
            was,
            requests=was.requests + count,
            ok=was.ok + count,
            latency=tuple(buckets),
            trials_passed=was.trials_passed + (count if trial else 0),
        )
        self.reports(w1=dict(self.met))

    def lives(self, seconds: float, ms: float, *, region: str = EAST, tail: float = 0) -> None:
        """So many seconds of traffic that takes `ms`; of every tenth second's answers one takes `tail`."""
        for number in range(round(seconds * 2)):
            self.answer(region, ms)
            if tail and number % 20 == 0:
                self.answer(region, tail, 1)
            self.step()

    def row(self, rule: str, region: str = EAST) -> Any:
        """What `explain` says about a rule."""
        rows = self.watch.status(self.now, self.wall, [])["explain"]
        return next(one for one in rows if (one["rule"], one["region"]) == (rule, region))


def slowed() -> Day:
    """A day on which the first region became slow, and was left for it."""
    day = Day()
    day.lives(120, 8)
    for _ in range(120):
        if day.state(EAST) is OPEN:
            return day
        day.lives(0.5, 900)
    raise AssertionError("a minute of slow answers, and it is not left")
