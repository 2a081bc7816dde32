"""The router: one call's way over the regions, under one deadline. One in each web worker.

It decides under its lock and acts outside it: a hung region blocks the call that met it, and no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from failover.core.breaker import CircuitState
from failover.core.config import RouterConfig
from failover.core.errors import Attempt, ErrorClass, Failure, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.interfaces import Bound, Clock, Consistency, Routed, Runner, Success
from failover.core.lanes import Lane, Ticket
from failover.core.policy import Decision, Plan, latest, plan
from failover.core.regions import Region, by_priority
from failover.core.status import HostView, WorkerReport

__all__ = ["Router", "RouterConfig"]

T = TypeVar("T")
Trace = Callable[[Attempt], None]


class Router:
    """Orders the regions, tries them, classifies what comes back, and remembers it. Thread-safe.

    `jitter` gives a number from 0 to 1 for the one pause there is, that before a throttled attempt's repeat.
    """

    def __init__(
        self,
        regions: Sequence[Region],
        *,
        config: RouterConfig,
        clock: Clock,
        runner: Runner,
        jitter: Callable[[], float],
    ) -> None:
        self._regions = by_priority(regions)
        self._config = config
        self._clock = clock
        self._runner = runner
        self._jitter = jitter
        self._lock = threading.Lock()
        self._lanes = {region.name: Lane(config) for region in self._regions}
        self._started_at = clock.wall()
        self._decision: Decision | None = None
        self._view: HostView | None = None
        self._view_from = 0.0
        self._answered = self._refused = self._unanswered = self._failed_over = self._calls = 0

    def call(
        self,
        op: Callable[[Bound], T],
        *,
        idempotent: bool,
        consistency: Consistency = Consistency.EVENTUAL,
        on_attempt: Trace | None = None,
    ) -> Routed[T]:
        """Run `op` in the first region that answers, within `deadline_s`; `on_attempt` sees each attempt as it ends.

        A class D failure raises its own exception, unchanged. A write that may not be repeated (`idempotent=False`)
        raises OutcomeUnknown when it may have been applied; everything else that found no region NoRegionAnswered.
        """
        attempts: list[Attempt] = []

        def note(attempt: Attempt) -> None:
            attempts.append(attempt)
            if on_attempt is not None:
                on_attempt(attempt)

        deadline = self._clock.monotonic() + self._config.deadline_s
        with self._lock:
            self._calls += 1
            way = self._plan()
        cause: BaseException | None = None
        for region, ticket in self._candidates(way, note):
            if deadline - self._clock.monotonic() <= 0:
                self._settle(region, ticket, None)
                break
            strong = consistency is Consistency.STRONG or (
                consistency is Consistency.STRONG_ELSE_EVENTUAL and region == way.home
            )
            result = self._try(region, ticket, op, Bound(region, strong), deadline, note)
            if isinstance(result, Success):
                self._ended(answered=1, failed_over=region != way.home)
                given = Consistency.STRONG if strong else Consistency.EVENTUAL
                return Routed(result.value, region, tuple(attempts), consistency, given)
            cause = result.error
            if result.error_class is ErrorClass.CALLER:
                self._ended(refused=1)
                raise cause
            if result.error_class is ErrorClass.UNKNOWN and not idempotent:
                self._ended(unanswered=1)
                raise OutcomeUnknown(tuple(attempts)) from cause
        self._ended(unanswered=1)
        raise NoRegionAnswered(tuple(attempts)) from cause

    def order(self) -> tuple[str, ...]:
        """What a call would try now, in that order; never empty."""
        with self._lock:
            return self._plan().order

    def active(self) -> str:
        """The region that this worker's ordinary traffic goes to."""
        with self._lock:
            return self._plan().active

    def follow(self, view: HostView) -> None:
        """Take the monitor's verdict. Its circuits count while it is fresh, its routing decision until a later one."""
        with self._lock:
            self._view = view
            self._view_from = self._clock.monotonic() - view.age_s
            known = [decision for decision in (self._decision, view.decision) if decision is not None]
            self._decision, _ = latest(known)

    def report(self) -> WorkerReport:
        """Everything counted since this router was made."""
        with self._lock:
            self._plan()  # so that a circuit whose wait is over is not reported open for want of traffic
            return WorkerReport(
                started_at=self._started_at,
                at=self._clock.wall(),
                regions={name: lane.report() for name, lane in self._lanes.items()},
                calls=self._calls,
                answered=self._answered,
                refused=self._refused,
                unanswered=self._unanswered,
                failed_over=self._failed_over,
            )

    def _plan(self) -> Plan:
        """The regions as they stand. Needs the lock."""
        now = self._clock.monotonic()
        states = {name: lane.state(self._host(name, now), now) for name, lane in self._lanes.items()}
        return plan(self._regions, states, self._decision)

    def _host(self, region: str, now: float) -> CircuitState | None:
        """The monitor's verdict, or None when it has none or is too old to be trusted. Needs the lock."""
        if self._view is None or now - self._view_from > self._config.stale_after_s:
            return None
        circuit = self._view.circuits.get(region)
        return None if circuit is None else circuit.state

    def _candidates(self, way: Plan, note: Trace) -> Iterator[tuple[str, Ticket]]:
        """The regions that let this call through, and after them, rather than fail it, those that do not.

        Of the latter, one whose trial is under way is likelier to answer than one whose circuit is open.
        """
        passed_over: list[tuple[bool, str]] = []
        for region in way.preferred:
            with self._lock:
                now = self._clock.monotonic()
                host = self._host(region, now)
                ticket = self._lanes[region].admit(host, now)
                is_open = self._lanes[region].state(host, now) is CircuitState.OPEN
            if ticket is not None:
                yield region, ticket
                continue
            passed_over.append((is_open, region))
            if not way.panic:
                why = "its circuit is open" if is_open else "another call is trying it"
                note(Attempt(region, Outcome.SKIPPED, 0.0, why))
        for _, region in sorted(passed_over, key=lambda one: one[0]):
            with self._lock:
                ticket = self._lanes[region].last_resort()
            yield region, ticket

    def _try(
        self, region: str, ticket: Ticket, op: Callable[[Bound], T], bound: Bound, deadline: float, note: Trace
    ) -> Success[T] | Failure:
        """One attempt, and one more after a jittered pause when it was throttled and there is time."""
        result: Success[T] | Failure | None = None
        try:
            result = self._once(region, op, bound, deadline, note)
            if isinstance(result, Failure) and result.error_class is ErrorClass.REFUSED:
                pause = self._config.throttle_retry_s * (0.5 + self._jitter())
                if pause < deadline - self._clock.monotonic():
                    self._clock.wait(pause)
                    result = self._once(region, op, bound, deadline, note)
            return result
        finally:
            self._settle(region, ticket, result)

    def _once(
        self, region: str, op: Callable[[Bound], T], bound: Bound, deadline: float, note: Trace
    ) -> Success[T] | Failure:
        began = self._clock.monotonic()
        result = self._runner.run(region, op, bound, min(self._config.attempt_timeout_s, deadline - began))
        ms = (self._clock.monotonic() - began) * 1000
        with self._lock:
            self._lanes[region].count(result, ms)
        if isinstance(result, Failure):
            note(Attempt(region, result.outcome, ms, result.detail, result.error_class))
        else:
            note(Attempt(region, Outcome.OK, ms))
        return result

    def _settle(self, region: str, ticket: Ticket, result: Success[T] | Failure | None) -> None:
        with self._lock:
            self._lanes[region].settle(ticket, result, self._clock.monotonic())

    def _ended(self, *, answered: int = 0, refused: int = 0, unanswered: int = 0, failed_over: int = 0) -> None:
        with self._lock:
            self._answered += answered
            self._refused += refused
            self._unanswered += unanswered
            self._failed_over += failed_over
