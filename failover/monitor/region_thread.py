"""The monitor's work in one region: the canary (which is also the heartbeat), the decisions, the
event log.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from failover.adapters import control_store
from failover.adapters.dns import Resolver
from failover.adapters.models import Stamp
from failover.adapters.probes import Probe
from failover.adapters.runner import PooledRunner
from failover.conf import FailoverConfig
from failover.core.decisions import Decision
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.events import Event
from failover.core.phrases import phrase
from failover.core.ports import Bound, Clock, Success
from failover.core.signals.health import Canary
from failover.monitor.outbox import Outbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")
log = logging.getLogger(__name__)

CONTROL_PERIOD_S = 0.3
"""How often the routing decision and the beats are read in each region: a flip has to reach every
worker within a second.
"""
EVENTS_SHOWN = 50
EVENTS_PERIOD_S = 2.0


@dataclass(frozen=True)
class Seen:
    """The result of one round in one region. Times are monotonic seconds; None means that this part
    was not due, or could not be read.
    """

    region: str
    at: float
    canary: Canary | None = None
    beat_written: tuple[int, float] | None = None
    beats: tuple[control_store.Beat, ...] = ()
    decisions: tuple[Decision, ...] | None = None
    events: tuple[Event, ...] | None = None


@dataclass
class MonitorContext:
    """What the region threads share with the monitor that started them.

    The threads put what they saw into `inbox` and take the events to write from `outbox`.
    `counters` are this host's `requests` and `failed` by region, which each heartbeat carries; the
    monitor replaces them as a whole.
    """

    config: FailoverConfig
    host: str
    clock: Clock
    resolver: Resolver
    runner: PooledRunner
    attempt_timeout_s: float
    outbox: Outbox
    next_beat: Stamp
    inbox: queue.Queue[Seen] = field(default_factory=queue.Queue)
    stopped: threading.Event = field(default_factory=threading.Event)
    counters: dict[str, dict[str, int]] = field(default_factory=dict)


class RegionThread(threading.Thread):
    """Does the monitor's work in one region, round after round, as a daemon: a region that hangs
    delays no other.
    """

    def __init__(self, context: MonitorContext, region: str, client: DynamoDBClient) -> None:
        super().__init__(name=f"monitor-{region}", daemon=True)
        self._context = context
        self._region = region
        config = context.config
        self._probe = Probe(
            config.endpoint(region),
            client,
            context.resolver,
            context.clock,
            timeout=config.connect_timeout_s,
            loopback_only=config.loopback_only,
        )
        self._next_canary = self._next_events = 0.0

    def run(self) -> None:
        """Rounds until the monitor stops."""
        context = self._context
        while not context.stopped.is_set():
            started = context.clock.monotonic()
            try:
                context.inbox.put(self._round(started))
            except Exception:
                # The rounds go on whatever a region does: a monitor with a dead thread would show
                # old health for ever.
                log.exception("a round in %(region)s failed", {"event": "round-failed", "region": self._region})
            context.stopped.wait(max(0.05, CONTROL_PERIOD_S - (context.clock.monotonic() - started)))

    def _round(self, now: float) -> Seen:
        clock = self._context.clock
        canary, beat_written = None, None
        if now >= self._next_canary:
            self._next_canary = now + self._context.config.heartbeat_s
            canary, beat_written = self._canary()
            if canary.write.ok is False or canary.dns.ok is False or canary.connect.ok is False:
                # The reads would fail for the same reason and only delay the next canary.
                return Seen(self._region, clock.monotonic(), canary, beat_written)
        decisions = self._ask(control_store.read_decisions)
        beats = self._ask(control_store.read_beats) if isinstance(decisions, Success) else decisions
        if isinstance(decisions, Failure) or isinstance(beats, Failure):
            details = {"event": "control-unreadable", "region": self._region, "error": beats}
            log.debug("the control rows of %(region)s could not be read: %(error)s", details)
            return Seen(self._region, clock.monotonic(), canary, beat_written)
        at = clock.monotonic()
        events = self._events(now)
        return Seen(self._region, at, canary, beat_written, tuple(beats.value), tuple(decisions.value), events)

    def _ask(self, op: Callable[[], T]) -> Success[T] | Failure:
        """Runs `op` bound to the region, for at most one attempt's time. Each page of a query has a
        time limit of its own, and so have the region's name and the connection: only this bounds
        them together.
        """
        bound = Bound(self._region, strong=True)
        return self._context.runner.run(self._region, lambda _: op(), bound, self._context.attempt_timeout_s)

    def _canary(self) -> tuple[Canary, tuple[int, float] | None]:
        """Writes and reads this host's heartbeat. Returns the canary, and the beat's number and
        time (monotonic seconds) if it was written.
        """
        context = self._context
        seq, wrote_at = context.next_beat(), []

        def write() -> object:
            at = context.clock.wall()
            result = self._ask(lambda: control_store.write_beat(context.host, seq, at, context.counters))
            if isinstance(result, Success):
                wrote_at.append(context.clock.monotonic())
            return result

        def read() -> object:
            result = self._ask(lambda: control_store.read_back(context.host))
            if isinstance(result, Success) and result.value != seq:
                missing = phrase("the heartbeat that was just written is not there")
                return Failure(ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, missing, LookupError(missing))
            return result

        canary = self._probe.run(seq, write, read)
        return canary, (seq, wrote_at[0]) if wrote_at else None

    def _events(self, now: float) -> tuple[Event, ...] | None:
        """Writes the events that wait in the outbox (any region will do, replication carries them
        on), and reads the log if that is due. None when the log was not read.
        """
        outbox = self._context.outbox
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
        events = self._ask(lambda: control_store.read_events(EVENTS_SHOWN))
        return tuple(events.value) if isinstance(events, Success) else None
