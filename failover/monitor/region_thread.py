"""What the monitor does in one region, round after round: the canary that is a heartbeat too, the decision, the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from failover.adapters import control_store
from failover.adapters.probes import Probe
from failover.core.decisions import Decision
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.events import Event
from failover.core.phrases import phrase
from failover.core.ports import Bound, Success
from failover.core.signals.health import Canary

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from failover.monitor.process import Monitor

T = TypeVar("T")
log = logging.getLogger(__name__)

CONTROL_PERIOD_S = 0.3
"""How often the routing decision and the beats are read in each region: a flip has to reach every worker within a
second.
"""
EVENTS_SHOWN = 50
EVENTS_PERIOD_S = 2.0


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
        self._timeout_s = monitor.attempt_timeout_s
        self._probe = Probe(
            config.endpoint(region),
            client,
            monitor.resolver,
            monitor.clock,
            timeout=config.connect_timeout_s,
            loopback_only=config.loopback_only,
        )
        self._next_canary = self._next_events = 0.0

    def run(self) -> None:
        """Rounds until the monitor stops."""
        clock = self._monitor.clock
        while not self._monitor.stopped.is_set():
            started = clock.monotonic()
            try:
                self._monitor.inbox.put(self._round(started))
            except Exception:
                # Whatever a region does, its rounds go on: a monitor with a dead thread would show old health for ever.
                log.exception("a round in %(region)s failed", {"event": "round-failed", "region": self._region})
            self._monitor.stopped.wait(max(0.05, CONTROL_PERIOD_S - (clock.monotonic() - started)))

    def _round(self, now: float) -> Seen:
        canary, written = None, None
        if now >= self._next_canary:
            self._next_canary = now + self._monitor.config.heartbeat_s
            canary, written = self._canary()
            if canary.write.ok is False or canary.dns.ok is False or canary.connect.ok is False:
                # The rest would fail for the same reason and only make the next canary late.
                return Seen(self._region, self._monitor.clock.monotonic(), canary, written)
        decisions = self._ask(control_store.read_decisions)
        beats = self._ask(control_store.read_beats) if isinstance(decisions, Success) else decisions
        if isinstance(decisions, Failure) or isinstance(beats, Failure):
            told = {"event": "control-unreadable", "region": self._region, "error": beats}
            log.debug("the control rows of %(region)s could not be read: %(error)s", told)
            return Seen(self._region, self._monitor.clock.monotonic(), canary, written)
        at = self._monitor.clock.monotonic()
        events = self._events(now)
        return Seen(self._region, at, canary, written, tuple(beats.value), tuple(decisions.value), events)

    def _ask(self, op: Callable[[], T]) -> Success[T] | Failure:
        """Runs `op` bound to the region, and gives up on it on time: each page of a query has a time limit of its
        own, and so have its name and its connection.
        """
        bound = Bound(self._region, strong=True)
        return self._monitor.runner.run(self._region, lambda _: op(), bound, self._timeout_s)

    def _canary(self) -> tuple[Canary, tuple[int, float] | None]:
        monitor = self._monitor
        seq, wrote_at = monitor.next_beat(), []

        def write() -> object:
            at = monitor.clock.wall()
            result = self._ask(lambda: control_store.write_beat(monitor.host, seq, at, monitor.counters))
            if isinstance(result, Success):
                wrote_at.append(monitor.clock.monotonic())
            return result

        def read() -> object:
            result = self._ask(lambda: control_store.read_back(monitor.host))
            if isinstance(result, Success) and result.value != seq:
                missing = phrase("the heartbeat that was just written is not there")
                return Failure(ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, missing, LookupError(missing))
            return result

        canary = self._probe.run(seq, write, read)
        return canary, (seq, wrote_at[0]) if wrote_at else None

    def _events(self, now: float) -> tuple[Event, ...] | None:
        """Writes what is waiting to be logged (any region will do, replication carries it on), and now and then reads
        the log; None when it did not, or could not.
        """
        outbox = self._monitor.outbox
        while (waiting := outbox.take(self._region)) is not None:
            result = self._ask(partial(control_store.write_event, waiting.event))
            if isinstance(result, Failure) and result.error_class in (ErrorClass.CALLER, ErrorClass.DENIED):
                outbox.refused(waiting, self._region, result.error)
            elif isinstance(result, Failure):
                outbox.put_back(waiting)
                return None
            self._next_events = 0.0
        if now < self._next_events:
            return None
        self._next_events = now + EVENTS_PERIOD_S
        read = self._ask(lambda: control_store.read_events(EVENTS_SHOWN))
        return tuple(read.value) if isinstance(read, Success) else None
