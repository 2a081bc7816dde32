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

from .adapters import control_store, dns
from .adapters.binding import Connections
from .adapters.clients import make_client
from .adapters.clock import SystemClock
from .adapters.host_files import HostFiles
from .adapters.models import Stamp, use_connections
from .adapters.runner import PooledRunner
from .conf import FailoverConfig
from .core.config import RouterConfig
from .core.errors import FailoverError
from .core.events import Event
from .core.interfaces import Clock
from .core.policy import Decision, latest
from .core.regions import Region
from .core.status import HostView
from .core.watch import Watch
from .rounds import EVENTS_SHOWN, RegionRounds, Seen

log = logging.getLogger(__name__)

TICK_S = 0.1
REMEMBER_CIRCUITS_S = 60.0
CALLS_AT_ONCE = 4
"""In each region; one is the rule, and the others are for those that were given up on and still hang."""


class MonitorRunning(FailoverError):
    """Another monitor works on the same run directory."""


class Monitor:
    """Feeds the watch and publishes its verdict. `run` blocks until `stop` is called from another thread or a signal
    handler.
    """

    def __init__(
        self,
        config: FailoverConfig,
        router_config: RouterConfig,
        regions: tuple[Region, ...],
        resolver: dns.Resolver,
        files: HostFiles,
    ) -> None:
        self.config = config
        self.attempt_timeout_s = router_config.attempt_timeout_s
        self.runner = PooledRunner(config.regions, threads=CALLS_AT_ONCE)
        self.clock: Clock = SystemClock()
        self.resolver = resolver
        self.host = f"{socket.gethostname()}-{zlib.crc32(str(config.run_dir.resolve()).encode()):08x}"
        self.stopped = threading.Event()
        self.inbox: queue.Queue[Seen] = queue.Queue()
        self.unwritten: queue.Queue[Event] = queue.Queue()
        self.next_beat = Stamp(self.clock)
        self.counters: dict[str, dict[str, int]] = {}
        self._files = files
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
            clients = {
                region: make_client(self.config, region, connections=CALLS_AT_ONCE) for region in self.config.regions
            }
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
        try:
            self._files.publish(self._watch.view(), status, at=wall)
        except OSError as error:
            # A full disk: the watching goes on, and the workers notice by its age that the file is old.
            log.error("the status cannot be published: %s", error)

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
