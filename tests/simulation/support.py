"""What the core's tests share: a router on a fake clock, and short names for canaries and decisions."""

from __future__ import annotations

import json
from typing import Any

from failover.core.config import RouterConfig
from failover.core.decisions import Decision, Mode
from failover.core.errors import ErrorClass
from failover.core.events import Event
from failover.core.exchange.reports import (
    HostCircuit,
    HostView,
    RegionReport,
    WorkerReport,
    view_from_json,
    view_to_json,
)
from failover.core.fakes import FakeClock, ScriptedRunner
from failover.core.ports import Bound
from failover.core.regions import Region
from failover.core.router import Router
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from failover.core.status.types import ExplainDocument
from failover.core.watch import Watch

EAST, WEST = "us-east-1", "us-west-2"
REGIONS = (Region(EAST, 0), Region(WEST, 1))
CONFIG = RouterConfig(hold_s=5.0)
"""The lab's hold, so that a scripted outage takes few steps."""


class Bench:
    """A router, its clock and its script."""

    def __init__(
        self, *names: str, config: RouterConfig = CONFIG, clock: FakeClock | None = None, jitter: float = 0.5
    ) -> None:
        self.clock = clock or FakeClock()
        self.runner = ScriptedRunner(self.clock)
        regions = [Region(name, priority) for priority, name in enumerate(names or (EAST, WEST))]
        self.router = Router(regions, config=config, clock=self.clock, runner=self.runner, jitter=lambda: jitter)

    def asked(self) -> list[str]:
        """The regions that were really asked, in order."""
        return [call.region for call in self.runner.calls]

    def circuit(self, region: str) -> CircuitState:
        """The worker's own circuit."""
        return self.router.report().regions[region].circuit

    def follow(self, *, decision: Decision | None = None, age_s: float = 0.0, **circuits: CircuitState) -> None:
        """Hand the router a host's view; keywords are `east` and `west`."""
        names = {"east": EAST, "west": WEST}
        told = {names[name]: HostCircuit(state) for name, state in circuits.items()}
        self.router.follow(HostView(decision, told, age_s))


def where(bound: Bound) -> str:
    """An operation whose value is the region it ran in."""
    return bound.region


def decision(region: str | None, *, epoch: int = 1, id: str = "d1", at: float = 1.0, forced: bool = False) -> Decision:
    """A pin, or `auto` for None."""
    mode: Mode = "auto" if region is None else "pinned"
    return Decision(mode, region, epoch, id, "instructor", "for the class", at, forced)


GOOD = Layer(True, 1.0)


def passing(seq: int = 0) -> Canary:
    """A canary whose layers all work."""
    return Canary(GOOD, GOOD, GOOD, GOOD, seq)


def failing(seq: int = 0) -> Canary:
    """A canary that found no address."""
    return Canary(Layer(False, 2.0, "DNS answers empty", ErrorClass.NOT_SENT), seq=seq)


def denied(seq: int = 0) -> Canary:
    """A canary that may not write: it says nothing about the region."""
    refused = Layer(False, 2.0, "AccessDenied", ErrorClass.DENIED)
    return Canary(GOOD, GOOD, refused, refused, seq)


class Post:
    """A Watch and the time it is told; beats arrive at once and canaries pass unless a test says otherwise."""

    def __init__(self, config: RouterConfig = CONFIG, regions: tuple[Region, ...] = REGIONS) -> None:
        self.config = config
        self.now = 1000.0
        self.wall = 1_760_943_600.0
        self.beat = 0
        self.names = [region.name for region in regions]
        self.canaries = {name: passing() for name in self.names}
        self.paused: set[tuple[str, str]] = set()
        numbers = iter(range(1_000_000))
        self.watch = Watch(regions, config=config, ids=lambda: f"e{next(numbers)}")
        self.events: list[Event] = []

    def step(self, times: int = 1, *, seconds: float = 0.5) -> list[Event]:
        """So many rounds of beats, canaries and a tick, `seconds` apart; the events of all of them."""
        happened: list[Event] = []
        for _ in range(times):
            self.now += seconds
            self.wall += seconds
            self.beat += 1
            for name in self.names:
                self.watch.on_canary(name, self.canaries[name], self.now)
                self.watch.on_beat_written(name, self.beat, self.now)
            for origin in self.names:
                for other in self.names:
                    if origin != other and (origin, other) not in self.paused:
                        self.watch.on_beat_seen(origin, other, self.beat, self.now)
            happened += self.watch.tick(self.now, self.wall)
        self.events += happened
        return happened

    def restarted(self, *, after: float = 0.0, clock_set: float = 0.0) -> Post:
        """The same with another monitor, so many seconds after this one was killed; `clock_set` is what somebody did to
        the wall clock meanwhile. The view comes out of its file, with the age that the clocks tell."""
        again = Post(self.config, tuple(Region(name, number) for number, name in enumerate(self.names)))
        again.now, again.wall = self.now + after, self.wall + after + clock_set
        again.beat, again.canaries, again.paused = self.beat, dict(self.canaries), set(self.paused)
        written = json.loads(json.dumps(view_to_json(self.watch.view(self.now))))
        view = view_from_json(written, age_s=max(0.0, again.wall - self.wall))
        again.watch.restore(view, again.now, again.wall)
        return again

    def row(self, rule: str, region: str) -> ExplainDocument:
        """How a rule is explained now."""
        rows = self.watch.status(self.now, self.wall, [])["explain"]
        return next(row for row in rows if (row["rule"], row["region"]) == (rule, region))

    def state(self, region: str) -> CircuitState:
        """The host's circuit."""
        return self.watch.view(self.now).circuits[region].state

    def until(self, region: str, state: CircuitState, *, most: int = 400) -> int:
        """Step until the circuit is in that state; how many steps it took."""
        for count in range(most):
            if self.state(region) is state:
                return count
            self.step()
        raise AssertionError(f"{region} is {self.state(region)}, never {state}")

    def active(self) -> str:
        """The region that the status says is active."""
        return self.watch.status(self.now, self.wall, [])["routing"]["active"]

    def reports(self, **workers: dict[str, RegionReport]) -> None:
        """Hand over one report a worker."""
        told = {key: WorkerReport(0.0, self.wall, regions) for key, regions in workers.items()}
        self.watch.on_reports(told, self.now)


def met(requests: int, failed: int = 0, **more: Any) -> RegionReport:
    """A report of so many requests, of which so many failed."""
    return RegionReport(requests=requests, ok=requests - failed, failed=failed, **more)
