"""The monitor: one process per host that watches the regions and publishes one status for the web
workers.

A thread for each region (region_thread.py) writes and reads in that region, so a region that hangs
delays no other. The main thread feeds what these threads saw to `core.watch.Watch`, which decides,
and publishes the verdict in a file that the web workers read. `manage.py monitor` starts it, never
Django itself.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import socket
import zlib
from itertools import chain
from typing import assert_never

from failover import wiring
from failover.adapters import control_store, dns
from failover.adapters.binding import Connections
from failover.adapters.clients import make_clients
from failover.adapters.clock import SystemClock
from failover.adapters.models import Stamp, use_connections
from failover.adapters.runner import PooledRunner
from failover.conf import FailoverConfig
from failover.core.decisions import Decision
from failover.core.errors import FailoverError
from failover.core.events import Event, EventKind
from failover.core.exchange.reports import HostView
from failover.core.exchange.totals import Totals, counted, folded, with_canary, with_event
from failover.core.signals.breaker import CircuitState
from failover.core.text import harmless
from failover.core.watch import Watch
from failover.monitor.outbox import Outbox
from failover.monitor.region_thread import EVENTS_SHOWN, MonitorContext, RegionThread, Seen

log = logging.getLogger(__name__)

TICK_S = 0.1
REMEMBER_CIRCUITS_S = 60.0
FORGET_HOSTS_S = 3600.0
"""How long another host is remembered after its beat is gone from every region."""
CALLS_AT_ONCE = 4
"""Threads in each region. Usually one works; the others replace those that still hang in a call
that was given up on."""


class MonitorRunning(FailoverError):
    """Another monitor works on the same run directory."""


class Monitor:
    """Feeds the watch and publishes its verdict. `run` blocks until `stop` is called from another
    thread or a signal handler.
    """

    def __init__(self, config: FailoverConfig) -> None:
        router_config = wiring.router_config(config)
        self._config = config
        self._clock = clock = SystemClock()
        host = f"{harmless(socket.gethostname())}-{zlib.crc32(os.fsencode(config.run_dir.resolve())):08x}"
        self.context = MonitorContext(
            config=config,
            host=host,
            clock=clock,
            resolver=wiring.make_resolver(config),
            runner=PooledRunner(config.regions, threads=CALLS_AT_ONCE),
            attempt_timeout_s=router_config.attempt_timeout_s,
            outbox=Outbox(config.regions),
            next_beat=Stamp(clock),
        )
        self._files = wiring.make_files(config)
        self._unpublished = False
        self._watch = Watch(wiring.regions_of(config), config=router_config)
        self._decisions: dict[str, tuple[Decision, ...]] = {}
        self._events: dict[str, Event] = {}
        self._hosts: dict[str, tuple[int, float]] = {}
        self._totals = self._written = Totals()
        self._began = self._clock.wall()
        self._logged_losers: set[str] = set()
        published = self._files.published(now=self._clock.wall())
        if published is not None:
            # After a restart the last known decision holds, also with no region reachable. Which
            # circuits are not closed, and since when a region serves, counts only if it is recent.
            # The past of a closed circuit ages by itself.
            view = published.view
            if view.age_s > REMEMBER_CIRCUITS_S:
                closed = {
                    name: circuit for name, circuit in view.circuits.items() if circuit.state is CircuitState.CLOSED
                }
                view = HostView(view.decision, closed, view.age_s)
            self._watch.restore(view, self._clock.monotonic(), self._clock.wall())

    def run(self) -> None:
        """Watches until stopped. Raises `MonitorRunning` when another monitor holds the run
        directory.
        """
        with open(self._config.run_dir / "monitor.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise MonitorRunning(f"another monitor works in {self._config.run_dir}") from error
            self._files.tidy()
            self._totals = self._written = self._files.totals()
            restore = dns.install(self.context.resolver)
            clients = make_clients(self._config, connections=CALLS_AT_ONCE)
            use_connections(Connections(clients))
            try:
                for region, client in clients.items():
                    RegionThread(self.context, region, client).start()
                while not self.context.stopped.is_set():
                    self._tick()
            finally:
                self.context.stopped.set()
                restore()

    def stop(self) -> None:
        """Ends `run` within a tick."""
        self.context.stopped.set()

    def _tick(self) -> None:
        """Takes what has arrived, decides, publishes."""
        try:
            self._take(self.context.inbox.get(timeout=TICK_S))
            while True:
                self._take(self.context.inbox.get_nowait())
        except queue.Empty:
            pass
        now, wall = self._clock.monotonic(), self._clock.wall()
        gone = self._take_reports(now)
        for event in self._watch.tick(now, wall):
            self._happened(event, now)
            self._events[event.id] = event
            self.context.outbox.put(event)
        status = self._watch.status(now, wall, self._latest_events())
        try:
            self._files.publish(self._watch.view(now), status, at=wall)
            if self._totals is not self._written:
                self._files.write_totals(self._totals)
                self._written = self._totals
            for worker in gone:  # only now: until the totals are written, the worker's report is the only record
                self._files.forget(worker)
            self._unpublished = False
        except OSError as error:
            # A full disk: the watching goes on, and the workers notice that the file is old. Logged
            # once, and again only after a success.
            if not self._unpublished:
                log.error("the status cannot be published: %(error)s", {"event": "publish-failed", "error": error})
            self._unpublished = True

    def _take(self, seen: Seen) -> None:
        if seen.beat_written is not None:
            self._watch.on_beat_written(seen.region, *seen.beat_written)
        for beat in seen.beats:
            self._take_beat(beat, seen)
        self._hosts = {host: beat for host, beat in self._hosts.items() if seen.at - beat[1] <= FORGET_HOSTS_S}
        if seen.canary is not None:
            self._watch.on_canary(seen.region, seen.canary, seen.at)
            self._totals = with_canary(self._totals, seen.region, seen.canary)
        if seen.decisions is not None:
            self._decisions[seen.region] = seen.decisions
            self._watch.on_decisions(chain.from_iterable(self._decisions.values()))
        for event in seen.events or ():
            # A host that overwrites another's decision logs this event itself: no monitor may have
            # seen the loser.
            if event.kind is EventKind.ROUTING_SUPERSEDED and event.at >= self._began:
                self._happened(event, seen.at)
            self._events[event.id] = event

    def _happened(self, event: Event, now: float) -> None:
        """Counts an event and logs it. A superseded decision can arrive in two ways (from the watch
        and from the event log) and is counted once.
        """
        if event.kind is EventKind.ROUTING_SUPERSEDED:
            if event.id in self._logged_losers:
                return
            self._logged_losers.add(event.id)
        cause = self._cause(event, now)
        self._totals = with_event(self._totals, event, cause)
        log.info(
            "%(event)s %(from)s -> %(to)s by %(actor)s: %(reason)s",
            {
                "event": event.kind.value,
                "region": event.region,
                "from": event.from_,
                "to": event.to,
                "actor": event.actor,
                "reason": event.reason,
                "cause": cause,
                "id": event.id,
                "host": self.context.host,
            },
        )

    def _cause(self, event: Event, now: float) -> str:
        match event.kind:
            case EventKind.CIRCUIT_OPENED:
                return self._watch.facts(now)[event.region].cause
            case EventKind.FAILOVER:
                return self._watch.facts(now)[event.from_].cause
            case EventKind.CIRCUIT_HALF_OPEN | EventKind.CIRCUIT_CLOSED | EventKind.FAILBACK:
                return "recovered"
            case EventKind.LAG_CLEARED | EventKind.CONFIGURATION_CLEARED:
                return "recovered"
            case EventKind.LAG_ALARM:
                return "lag"
            case EventKind.CONFIGURATION_ALARM:
                return "configuration"
            case EventKind.SWITCHED | EventKind.ROUTING_PINNED | EventKind.ROUTING_AUTO | EventKind.ROUTING_SUPERSEDED:
                return "manual"
            case _:
                assert_never(event.kind)

    def _take_beat(self, beat: control_store.Beat, seen: Seen) -> None:
        """This host's own beats, read in another region, measure the lag; another host's beats
        carry its counters.
        """
        if beat.host == self.context.host:
            self.context.next_beat.begin_above(beat.seq)  # the clock may have been set back while no monitor ran
            if beat.origin != seen.region and beat.origin in self._config.regions:
                self._watch.on_beat_seen(beat.origin, seen.region, beat.seq, seen.at)
            return
        known, _ = self._hosts.get(beat.host, (0, 0.0))
        self._hosts[beat.host] = (max(known, beat.seq), seen.at)
        if beat.seq > known:
            self._watch.on_host_counters(beat.host, beat.counters, seen.at)

    def _take_reports(self, now: float) -> frozenset[str]:
        """Adds up the workers' reports. Returns the workers that are gone: their files can be
        removed once the totals are written.
        """
        gone = self._files.gone()  # before the reports are read, so that theirs are final
        reports = self._files.reports()
        self._watch.on_reports(reports, now)
        self._totals = folded(self._totals, {name: report for name, report in reports.items() if name in gone})
        regions = counted(self._totals, reports).regions
        self.context.counters = {
            name: {"requests": region.requests, "failed": region.failed} for name, region in regions.items()
        }
        return gone

    def _latest_events(self) -> list[Event]:
        newest = sorted(self._events.values(), key=lambda event: (event.at, event.id), reverse=True)[:EVENTS_SHOWN]
        self._events = {event.id: event for event in newest}
        return newest
