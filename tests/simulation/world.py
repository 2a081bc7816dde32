"""A small world for the whole engine: regions that fail, hosts with a monitor and workers, replication, operators.

It is wired as in production (each monitor reads and writes control rows in every region, reports and views go between
it and its workers, each host has a clock of its own) but nothing sleeps: a worker lives on a clock of its own that runs
ahead while it waits for a region, and catches up with the world's. Reports and views are JSON files in production; here
they are handed over as they are, and the rules look now and then whether they would survive that journey.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from failover.core.config import RouterConfig
from failover.core.decisions import Decision
from failover.core.events import Event
from failover.core.exchange.reports import HostView, WorkerReport
from failover.core.regions import Region
from failover.core.router import Router
from failover.core.signals.breaker import CircuitState
from failover.core.watch import Watch
from tests.simulation.places import SAYS_NOTHING, Fault, Place, WorldRunner
from tests.simulation.turns import TurnClock

NAMES = ("us-east-1", "us-west-2", "eu-west-1")
TICK_S = 5.0
ROUND_TICKS = 2
"""A monitor has its round every other tick; two hosts take turns."""
ROUND_S = ROUND_TICKS * TICK_S
CONFIG = RouterConfig(
    hold_s=5.0,
    quiet_s=3 * ROUND_S,
    stale_after_s=1.5 * ROUND_S,
    lag_limit_ms=1600 * ROUND_S,
    lag_stalled=2.5,
    slow_window_s=60.0,
    slow_volume=20,
    flap_openings=4,
)
KEPT_BEATS = 20
"""How many of its own beats a monitor looks for."""
START_WALL = 1_760_943_600.0


class Worker:
    """One web worker."""

    def __init__(self, key: str, world: World, skew_s: float) -> None:
        self.key = key
        self.clock = TurnClock(monotonic=world.now, wall=START_WALL + world.now + skew_s)
        self.runner = WorldRunner(self.clock, world.places, world.random)
        regions = [Region(name, number) for number, name in enumerate(world.places)]
        self.router = Router(
            regions, config=world.config, clock=self.clock, runner=self.runner, jitter=world.random.random
        )
        self.followed_at = float("-inf")

    def catch_up(self, now: float) -> bool:
        """Whether it is free now; its clock stands at the world's time then."""
        behind = now - self.clock.monotonic()
        if behind >= 0:
            self.clock.wait(behind)
        return behind >= 0


class Host:
    """A machine: one monitor, some workers, the files between them, and a wall clock that differs."""

    def __init__(self, number: int, world: World, skew_s: float, workers: int) -> None:
        self.number, self.name = number, f"h{number}-"
        self.world = world
        self.skew_s = skew_s
        self.ids = 0
        self.beat = 0
        self.began_at = world.now
        self.read: dict[str, tuple[Decision, ...]] = {}
        self.best: Decision | None = None
        self.heard = 0
        self.written: dict[str, list[tuple[int, float]]] = {name: [] for name in world.places}
        self.files: dict[str, WorkerReport] = {}
        self.passes = dict.fromkeys(world.places, 0)
        self.failures = dict.fromkeys(world.places, 0)
        self.watch = self._monitor()
        self._publish()
        self.workers = [Worker(f"{self.name}{one}-0", world, skew_s) for one in range(workers)]
        self.restarts = 0

    def restart_monitor(self) -> None:
        """It was killed, and begins where it ended."""
        self.watch, self.began_at, now = self._monitor(), self.world.now, self.world.now
        self.watch.restore(replace(self.view, age_s=now - self.looked_at), now, self.wall)
        self.read.clear()
        self.heard = 0
        self.passes, self.failures = dict.fromkeys(self.passes, 0), dict.fromkeys(self.failures, 0)

    @property
    def wall(self) -> float:
        """What its clock says."""
        return START_WALL + self.world.now + self.skew_s

    def has_its_round(self, ticks: int) -> bool:
        """Whether its monitor looks in that tick."""
        return (ticks + self.number) % ROUND_TICKS == 0

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
                if place.fault not in SAYS_NOTHING:
                    self.passes[name] = self.passes[name] + 1 if place.well else 0
                    self.failures[name] = 0 if place.well else self.failures[name] + 1
                if place.readable:
                    watch.on_beat_written(name, self.beat, now)
                    self.written[name].append((self.beat, now))
            if place.readable:
                self._look(name)
                self.read[name] = tuple(place.rows.values())
        known = [one for rows in self.read.values() for one in rows]
        if len(known) != self.heard:  # rows are never taken away
            self.heard = len(known)
            watch.on_decisions(known)
            self.best = max(known if self.best is None else [*known, self.best], key=rank)
        watch.on_reports(self.files, now)
        events = watch.tick(now, self.wall)
        self._publish()
        return events

    def followed(self, worker: Worker) -> None:
        """The worker reads the file: in production five times a second, and the same file says the same again."""
        if worker.followed_at != self.looked_at:
            age_s = worker.clock.monotonic() - self.looked_at
            worker.router.follow(HostView(self.view.decision, self.view.circuits, age_s))
            worker.followed_at = self.looked_at

    def reported(self, worker: Worker) -> WorkerReport:
        """The worker replaces its file."""
        self.files[worker.key] = report = worker.router.report()
        return report

    def _publish(self) -> None:
        """Write the view, and take down which circuits are not closed in it."""
        self.view, self.looked_at = self.watch.view(self.world.now), self.world.now
        states = [(name, circuit.state) for name, circuit in self.view.circuits.items()]
        self.shut = {name for name, state in states if state is CircuitState.OPEN}
        self.tried = {name for name, state in states if state is CircuitState.HALF_OPEN}

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
            before = min(self.world.now, paused_at)
            arrived = next((seq for seq, at in reversed(beats) if at < before), None)
            if arrived is not None:
                self.watch.on_beat_seen(origin, name, arrived, self.world.now)
            del beats[:-KEPT_BEATS]


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
        self.hosts = [Host(number, self, skews[number], workers) for number in range(hosts)]

    def pass_time(self) -> None:
        """To the next tick; what was to end by then has ended."""
        self.ticks += 1
        self.now += TICK_S
        for place in self.places.values():
            if self.now >= place.ends_at:
                self.mend(place.name)
            place.still_wrong(self.now)

    def hurt(self, name: str, fault: Fault, seconds: float = float("inf")) -> None:
        """Break a region for so long."""
        place = self.places[name]
        place.fault, place.ends_at = fault, self.now + seconds
        place.still_wrong(self.now)

    def mend(self, name: str) -> None:
        """Make a region well; what the others hold reaches it."""
        place = self.places[name]
        place.still_wrong(self.now)
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
        if all(len(place.rows) == self.decisions for place in self.places.values()):
            return
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
            host.wall,
        )
        for place in reachable:
            place.rows[made.id] = made
        return made


def rank(decision: Decision) -> tuple[int, float, str]:
    """Whichever is higher holds: the epoch counts, and a clock only between two of the same epoch."""
    return (decision.epoch, decision.at, decision.id)
