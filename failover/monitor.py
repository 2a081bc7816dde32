"""One monitor a host, beside the web workers: canaries that are heartbeats too, the routing decision, one published
status.

A thread a region does what talks to that region, so a region that hangs delays no other; the main thread feeds what
they saw to `core.watch.Watch`, which decides, and publishes its verdict. The web workers only read a file. Started by
`manage.py monitor`, never by Django itself.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import socket
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .adapters import control_store, dns
from .adapters.binding import Connections, bind
from .adapters.clients import make_client
from .adapters.clock import SystemClock
from .adapters.host_files import HostFiles
from .adapters.models import Stamp, use_connections
from .adapters.probes import Probe
from .conf import FailoverConfig
from .core.config import RouterConfig
from .core.errors import FailoverError
from .core.events import Event
from .core.health import Canary
from .core.interfaces import Clock
from .core.policy import Decision, latest
from .core.regions import Region
from .core.status import HostView
from .core.watch import Watch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

CONTROL_PERIOD_S = 0.3
"""How often the routing decision and the beats are read in each region: a flip has to reach every worker within a
second.
"""
TICK_S = 0.1
EVENTS_SHOWN = 50
EVENTS_PERIOD_S = 2.0
REMEMBER_CIRCUITS_S = 60.0


class MonitorRunning(FailoverError):
    """Another monitor works on the same run directory."""


@dataclass(frozen=True)
class Seen:
    """What one round in one region brought. Times are monotonic seconds; None means that it was not looked for, or
    could not be read.
    """

    region: str
    at: float
    canary: Canary | None = None
    beat_written: tuple[int, float] | None = None
    beats: tuple[control_store.Beat, ...] = ()
    decisions: tuple[Decision, ...] | None = None
    events: tuple[Event, ...] | None = None


class RegionRounds(threading.Thread):
    """Everything that the monitor does in one region, in a daemon thread of its own."""

    def __init__(self, monitor: Monitor, region: str, client: DynamoDBClient) -> None:
        super().__init__(name=f"rounds-{region}", daemon=True)
        self._monitor = monitor
        self._region = region
        config = monitor.config
        self._probe = Probe(
            config.endpoint(region), client, monitor.resolver, monitor.clock, timeout=config.connect_timeout_s
        )
        self._next_canary = self._next_events = 0.0

    def run(self) -> None:
        """Rounds until the monitor stops."""
        clock = self._monitor.clock
        while not self._monitor.stopped.is_set():
            started = clock.monotonic()
            try:
                with bind(self._region):
                    seen = self._round(started)
                self._monitor.inbox.put(seen)
            except Exception:
                # Whatever a region does, its rounds go on: a monitor with a dead thread would show old health for ever.
                log.exception("a round in %s failed", self._region)
            self._monitor.stopped.wait(max(0.05, CONTROL_PERIOD_S - (clock.monotonic() - started)))

    def _round(self, now: float) -> Seen:
        canary, written = None, None
        if now >= self._next_canary:
            self._next_canary = now + self._monitor.config.heartbeat_s
            canary, written = self._canary()
            if canary.write.ok is False or canary.dns.ok is False or canary.connect.ok is False:
                # The rest would fail for the same reason and only make the next canary late.
                return Seen(self._region, self._monitor.clock.monotonic(), canary, written)
        try:
            decisions = tuple(control_store.read_decisions())
            beats = tuple(control_store.read_beats())
            events = self._events(now)
        except Exception as error:
            log.debug("the control rows of %s could not be read: %s", self._region, error)
            return Seen(self._region, self._monitor.clock.monotonic(), canary, written)
        return Seen(self._region, self._monitor.clock.monotonic(), canary, written, beats, decisions, events)

    def _canary(self) -> tuple[Canary, tuple[int, float] | None]:
        monitor = self._monitor
        seq, wrote_at = monitor.next_beat() // 1000, []

        def write() -> None:
            control_store.write_beat(monitor.host, seq, monitor.clock.wall(), monitor.counters)
            wrote_at.append(monitor.clock.monotonic())

        def read() -> None:
            if control_store.read_back(monitor.host) != seq:
                raise LookupError("the heartbeat that was just written is not there")

        canary = self._probe.run(seq, write, read)
        return canary, (seq, wrote_at[0]) if wrote_at else None

    def _events(self, now: float) -> tuple[Event, ...] | None:
        """Writes what is waiting to be logged (any region will do, replication carries it on), and now and then reads
        the log.
        """
        while True:
            try:
                event = self._monitor.unwritten.get_nowait()
            except queue.Empty:
                break
            try:
                control_store.write_event(event)
            except Exception:
                self._monitor.unwritten.put(event)
                raise
            self._next_events = 0.0
        if now < self._next_events:
            return None
        self._next_events = now + EVENTS_PERIOD_S
        return tuple(control_store.read_events(EVENTS_SHOWN))


class Monitor:
    """Feeds the watch and publishes its verdict. `run` blocks until `stop` is called from another thread or a signal
    handler.
    """

    def __init__(
        self, config: FailoverConfig, router_config: RouterConfig, regions: tuple[Region, ...], resolver: dns.Resolver
    ) -> None:
        self.config = config
        self.clock: Clock = SystemClock()
        self.resolver = resolver
        self.host = f"{socket.gethostname()}-{zlib.crc32(str(config.run_dir.resolve()).encode()):08x}"
        self.stopped = threading.Event()
        self.inbox: queue.Queue[Seen] = queue.Queue()
        self.unwritten: queue.Queue[Event] = queue.Queue()
        self.next_beat = Stamp(self.clock)
        self.counters: dict[str, dict[str, int]] = {}
        self._files = HostFiles(config.run_dir)
        self._watch = Watch(regions, config=router_config)
        self._decisions: dict[str, tuple[Decision, ...]] = {}
        self._events: dict[str, Event] = {}
        self._hosts: dict[str, int] = {}
        published = self._files.published(now=self.clock.wall())
        if published is not None:
            # With no region reachable after a restart, the last known routing holds; circuits only if they are recent.
            recent = published.view.age_s <= REMEMBER_CIRCUITS_S
            view = published.view if recent else HostView(published.view.decision, {})
            self._watch.restore(view, self.clock.monotonic())

    def run(self) -> None:
        """Watches until stopped. Raises `MonitorRunning` when another monitor holds the run directory."""
        with open(self.config.run_dir / "monitor.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise MonitorRunning(f"another monitor works in {self.config.run_dir}") from error
            restore = dns.install(self.resolver)
            clients = {region: make_client(self.config, region, connections=2) for region in self.config.regions}
            use_connections(Connections(clients))
            try:
                for region, client in clients.items():
                    RegionRounds(self, region, client).start()
                while not self.stopped.is_set():
                    self._tick()
            finally:
                self.stopped.set()
                restore()

    def stop(self) -> None:
        """Ends `run` within a tick."""
        self.stopped.set()

    def _tick(self) -> None:
        """Takes what has arrived, decides, publishes."""
        try:
            self._take(self.inbox.get(timeout=TICK_S))
            while True:
                self._take(self.inbox.get_nowait())
        except queue.Empty:
            pass
        now, wall = self.clock.monotonic(), self.clock.wall()
        self._take_reports(now)
        for event in self._watch.tick(now, wall):
            log.info("%s %s -> %s by %s: %s", event.kind.value, event.from_, event.to, event.actor, event.reason)
            self._events[event.id] = event
            self.unwritten.put(event)
        status = self._watch.status(now, wall, self._latest_events())
        self._files.publish(self._watch.view(), status, at=wall)

    def _take(self, seen: Seen) -> None:
        if seen.beat_written is not None:
            self._watch.on_beat_written(seen.region, *seen.beat_written)
        for beat in seen.beats:
            self._take_beat(beat, seen)
        if seen.canary is not None:
            self._watch.on_canary(seen.region, seen.canary, seen.at)
        if seen.decisions is not None:
            self._decisions[seen.region] = seen.decisions
            winner, superseded = latest(decision for found in self._decisions.values() for decision in found)
            self._watch.on_decision(winner, superseded, seen.at)
        for event in seen.events or ():
            self._events[event.id] = event

    def _take_beat(self, beat: control_store.Beat, seen: Seen) -> None:
        """This host's own beats, read in another region, are the lag; another host's carry its counters."""
        if beat.host == self.host:
            if beat.origin != seen.region and beat.origin in self.config.regions:
                self._watch.on_beat_seen(beat.origin, seen.region, beat.seq, seen.at)
        elif beat.seq > self._hosts.get(beat.host, 0):
            self._hosts[beat.host] = beat.seq
            self._watch.on_host_counters(beat.host, beat.counters, seen.at)

    def _take_reports(self, now: float) -> None:
        reports = self._files.reports()
        self._watch.on_reports(reports, now)
        totals: dict[str, dict[str, int]] = {}
        for report in reports.values():
            for region, one in report.regions.items():
                total = totals.setdefault(region, {"requests": 0, "failed": 0})
                total["requests"] += one.requests
                total["failed"] += one.failed
        self.counters = totals
        for worker in reports:
            if not _alive(worker):
                self._files.forget(worker)

    def _latest_events(self) -> list[Event]:
        newest = sorted(self._events.values(), key=lambda event: (event.at, event.id), reverse=True)[:EVENTS_SHOWN]
        self._events = {event.id: event for event in newest}
        return newest


def _alive(worker: str) -> bool:
    """Whether the process that wrote a report still runs; its name begins with its process id."""
    pid = worker.partition("-")[0]
    if not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
