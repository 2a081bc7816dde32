"""A small world for the whole engine: regions that fail, hosts with a monitor and workers, replication, operators.

It is wired as in production (reports and views travel as JSON, each monitor reads and writes control rows in every
region, each host has a clock of its own) but nothing sleeps: a worker lives on a clock of its own that runs ahead while
it waits for a region, and catches up with the world's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from failover.core.breaker import CircuitState
from failover.core.config import RouterConfig
from failover.core.errors import ErrorClass
from failover.core.events import Event
from failover.core.fakes import FakeClock, ScriptedRunner, Step, answers, fails
from failover.core.health import Canary, Layer
from failover.core.interfaces import Bound
from failover.core.policy import Decision, latest
from failover.core.regions import Region
from failover.core.router import Router
from failover.core.status import HostView, report_from_json, report_to_json, view_from_json, view_to_json
from failover.core.watch import Watch

NAMES = ("us-east-1", "us-west-2", "eu-west-1")
TICK_S = 5.0
CANARY_TICKS = 2
CONFIG = RouterConfig(
    quiet_s=30.0, lag_limit_ms=8000.0, lag_stalled_ms=40000.0, slow_window_s=60.0, slow_volume=20, flap_openings=4
)
START_WALL = 1_760_943_600.0


class Fault(StrEnum):
    """What can be wrong with a region."""

    DNS = "dns"
    HANG = "hang"
    ERRORS = "http-503"
    THROTTLE = "throttle"
    DENIED = "denied"
    SLOW = "slow"


_OK = Layer(True, 1.0)
_BROKEN = {
    Fault.DNS: Canary(Layer(False, 2.0, "DNS answers empty", ErrorClass.NOT_SENT)),
    Fault.HANG: Canary(_OK, _OK, Layer(False, 1000.0, "no answer", ErrorClass.UNKNOWN)),
    Fault.ERRORS: Canary(_OK, _OK, Layer(False, 5.0, "503", ErrorClass.UNKNOWN)),
    Fault.THROTTLE: Canary(_OK, _OK, Layer(False, 5.0, "throttled", ErrorClass.REFUSED)),
    Fault.DENIED: Canary(_OK, _OK, Layer(False, 5.0, "denied", ErrorClass.CALLER)),
}
_STEPS = {
    Fault.DNS: fails(ErrorClass.NOT_SENT, seconds=0.003),
    Fault.HANG: answers(seconds=3600.0),
    Fault.ERRORS: fails(ErrorClass.UNKNOWN, seconds=0.008),
    Fault.THROTTLE: fails(ErrorClass.REFUSED, seconds=0.005),
    Fault.DENIED: fails(ErrorClass.CALLER, seconds=0.005),
    Fault.SLOW: answers(seconds=0.8),
}


@dataclass
class Place:
    """A region: what is wrong with it now, and when each kind of fault last was; its control rows."""

    name: str
    distance_s: float
    fault: Fault | None = None
    ends_at: float = float("inf")
    faulty_at: float = float("-inf")
    rows: dict[str, Decision] = field(default_factory=dict)

    @property
    def readable(self) -> bool:
        """Whether its rows can be read and written."""
        return self.fault in (None, Fault.SLOW)

    @property
    def well(self) -> bool:
        """Whether every attempt there brings an answer in time."""
        return self.fault in (None, Fault.SLOW)

    def canary(self) -> Canary:
        """What a fresh connection meets."""
        if self.fault in (None, Fault.SLOW):
            call = Layer(True, 800.0 if self.fault else 1.0 + 1000 * self.distance_s)
            return Canary(_OK, _OK, call, call)
        return _BROKEN[self.fault]


class WorldRunner(ScriptedRunner):
    """Attempts meet the regions as they are."""

    def __init__(self, clock: FakeClock, places: dict[str, Place], random: Random) -> None:
        super().__init__(clock)
        self._places = places
        self._random = random

    def next_step(self, region: str, bound: Bound, timeout: float) -> Step:
        """Pooled connections outlive a DNS failure now and then."""
        place = self._places[region]
        pooled = place.fault is Fault.DNS and self._random.random() < 0.3
        if place.fault is None or pooled:
            late = 0.3 if self._random.random() < 0.02 else 0.0
            return Step(None, 0.004 + place.distance_s + late)
        return _STEPS[place.fault]


class Worker:
    """One web worker."""

    def __init__(self, key: str, world: World, skew_s: float) -> None:
        self.key = key
        self.clock = FakeClock(monotonic=world.now, wall=START_WALL + world.now + skew_s)
        self.runner = WorldRunner(self.clock, world.places, world.random)
        regions = [Region(name, number) for number, name in enumerate(world.places)]
        self.router = Router(
            regions, config=world.config, clock=self.clock, runner=self.runner, jitter=world.random.random
        )
        self.reads = 0

    def catch_up(self, now: float) -> bool:
        """Whether it is free now; its clock stands at the world's time then."""
        behind = now - self.clock.monotonic()
        if behind >= 0:
            self.clock.wait(behind)
        return behind >= 0


class Host:
    """A machine: one monitor, some workers, the files between them, and a wall clock that differs."""

    def __init__(self, name: str, world: World, skew_s: float, workers: int) -> None:
        self.name = name
        self.world = world
        self.skew_s = skew_s
        self.ids = 0
        self.beat = 0
        self.began_at = world.now
        self.read: dict[str, tuple[Decision, ...]] = {}
        self.best: Decision | None = None
        self.written: dict[str, list[tuple[int, float]]] = {name: [] for name in world.places}
        self.files: dict[str, str] = {}
        self.watch = self._monitor()
        self.view = json.dumps(view_to_json(self.watch.view()))
        self.workers = [Worker(f"{name}{number}-0", world, skew_s) for number in range(workers)]
        self.restarts = 0

    def restart_monitor(self) -> None:
        """It was killed, and begins where it ended."""
        self.watch, self.began_at = self._monitor(), self.world.now
        self.watch.restore(view_from_json(json.loads(self.view), age_s=0.0), self.world.now)
        self.read.clear()

    def restart_worker(self, number: int) -> None:
        """It was killed; its report stays behind until the monitor has counted it."""
        self.restarts += 1
        self.files.pop(self.workers[number].key, None)
        self.workers[number] = Worker(f"{self.name}{number}-{self.restarts}", self.world, self.skew_s)

    def monitor(self, *, canaries: bool) -> list[Event]:
        """One round of the monitor."""
        world, watch, now = self.world, self.watch, self.world.now
        self.beat += canaries
        for name, place in world.places.items():
            if canaries:
                watch.on_canary(name, place.canary(), now)
                if place.readable:
                    watch.on_beat_written(name, self.beat, now)
                    self.written[name].append((self.beat, now))
            if place.readable:
                self._look(name)
                self.read[name] = tuple(place.rows.values())
        winner, superseded = latest(one for rows in self.read.values() for one in rows)
        watch.on_decision(winner, superseded, now)
        if winner is not None and (self.best is None or winner.rank > self.best.rank):
            self.best = winner
        watch.on_reports({key: report_from_json(json.loads(text)) for key, text in self.files.items()}, now)
        events = watch.tick(now, START_WALL + now + self.skew_s)
        self.view = json.dumps(view_to_json(watch.view()))
        return events

    def followed(self, worker: Worker) -> HostView:
        """The worker reads the file, as it does five times a second."""
        view = view_from_json(json.loads(self.view), age_s=worker.clock.monotonic() - self.world.now)
        worker.router.follow(view)
        return view

    def reported(self, worker: Worker) -> None:
        """The worker replaces its file."""
        self.files[worker.key] = json.dumps(report_to_json(worker.router.report()))

    def _monitor(self) -> Watch:
        regions = [Region(name, number) for number, name in enumerate(self.world.places)]
        return Watch(regions, config=self.world.config, ids=self._next_id)

    def _next_id(self) -> str:
        self.ids += 1
        return f"{self.name}-{self.ids}"

    def _look(self, name: str) -> None:
        """Which of its own beats have arrived in a region: those older than a blink, unless replication is paused."""
        for origin, beats in self.written.items():
            if origin == name or not beats:
                continue
            paused_at = self.world.paused.get((origin, name), float("inf"))
            arrived = [seq for seq, at in beats if at < min(self.world.now, paused_at)]
            if arrived:
                self.watch.on_beat_seen(origin, name, arrived[-1], self.world.now)
            del beats[:-20]


class World:
    """Everything, at `now` (seconds since it began)."""

    def __init__(self, random: Random, *, regions: int = 2, hosts: int = 2, workers: int = 2) -> None:
        self.random = random
        self.config = CONFIG
        self.now = 0.0
        self.ticks = 0
        self.places = {name: Place(name, 0.07 * number) for number, name in enumerate(NAMES[:regions])}
        self.paused: dict[tuple[str, str], float] = {}
        self.pause_ended: dict[tuple[str, str], float] = {}
        self.decisions = 0
        skews = (5.0, -5.0, 0.0)
        self.hosts = [Host(f"h{number}-", self, skews[number], workers) for number in range(hosts)]

    def pass_time(self) -> None:
        """To the next tick; what was to end by then has ended."""
        self.ticks += 1
        self.now += TICK_S
        for place in self.places.values():
            if self.now >= place.ends_at:
                self.mend(place.name)
            if place.fault is not None:
                place.faulty_at = self.now

    def hurt(self, name: str, fault: Fault, seconds: float = float("inf")) -> None:
        """Break a region for so long."""
        place = self.places[name]
        place.fault, place.ends_at, place.faulty_at = fault, self.now + seconds, self.now

    def mend(self, name: str) -> None:
        """Make a region well; what the others hold reaches it."""
        place = self.places[name]
        if place.fault is not None:
            place.faulty_at = self.now
        place.fault, place.ends_at = None, float("inf")

    def pause(self, origin: str, name: str) -> None:
        """Stop replication from one region to another."""
        self.paused.setdefault((origin, name), self.now)

    def resume(self) -> None:
        """Let all replication flow."""
        self.pause_ended.update(dict.fromkeys(self.paused, self.now))
        self.paused.clear()

    def replicate(self) -> None:
        """Carry control rows wherever they can go."""
        for origin, source in self.places.items():
            for name, target in self.places.items():
                if (origin, name) not in self.paused and source.readable and target.readable:
                    target.rows.update(source.rows)

    def known(self) -> list[Decision]:
        """Every decision that can be read now."""
        return [one for place in self.places.values() if place.readable for one in place.rows.values()]

    def decide(self, host: Host, region: str | None, *, known: list[Decision] | None = None) -> Decision | None:
        """A person decides on a host; None when no region could be read. The epoch is the next after what is known:
        `known` and what their host last heard, or what can be read now."""
        reachable = [place for place in self.places.values() if place.readable]
        if not reachable:
            return None
        known = [*(self.known() if known is None else known), *([host.best] if host.best is not None else [])]
        self.decisions += 1
        made = Decision(
            "auto" if region is None else "pinned",
            region,
            max((one.epoch for one in known), default=0) + 1,
            f"d{self.decisions}",
            host.name,
            "as the world would have it",
            START_WALL + self.now + host.skew_s,
        )
        for place in reachable:
            place.rows[made.id] = made
        return made


def state_of(host: Host, region: str) -> CircuitState:
    """The circuit that the host publishes."""
    return host.watch.view().circuits[region].state
