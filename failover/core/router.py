"""The router: one call's way over the regions, under one deadline. One in each web worker.

It decides under its lock and acts outside it: a hung region blocks the call that met it, and no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from failover.core.config import RouterConfig
from failover.core.decisions import Decision, latest
from failover.core.errors import (
    Attempt,
    ErrorClass,
    NoRegionAnswered,
    Outcome,
    OutcomeUnknown,
    RefusedEverywhere,
)
from failover.core.exchange.reports import HostCircuit, HostView, WorkerReport
from failover.core.ports import Bound, Clock, Consistency, Routed, Runner, Success
from failover.core.regions import Region, by_priority
from failover.core.routing.attempts import Attempts, Choice, Job, Trace
from failover.core.routing.plan import Plan, plan
from failover.core.routing.region_slots import Lane
from failover.core.signals.breaker import CircuitState

__all__ = ["Router", "RouterConfig"]

T = TypeVar("T")
_BESIDE_A_TRIAL, _PASSED_BY, _LEFT_IN_A_HURRY, _OPEN, _AFRESH, _ONCE_MORE = range(6)
"""Who is asked once nobody who let the call through has answered: in this order."""
_CROWDED = "others wait there, and none is answered"


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
        self._lock = threading.Lock()
        self._lanes = {region.name: Lane(config) for region in self._regions}
        self._attempts = Attempts(
            self._lanes, lock=self._lock, config=config, clock=clock, runner=runner, jitter=jitter
        )
        self._started_at = clock.wall()
        self._decision: Decision | None = None
        self._verdict: Mapping[str, HostCircuit] = {}
        self._verdict_from = float("-inf")
        self._ailing: frozenset[str] = frozenset()
        self._states: dict[str, CircuitState] = {}
        self._way: Plan | None = None
        self._turned: tuple[str, ...] = ()
        self._answered = self._refused = self._unanswered = self._failed_over = self._denied = self._calls = 0

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
        raises OutcomeUnknown when it may have been applied; what every region refused RefusedEverywhere; everything
        else that found no region NoRegionAnswered.
        """
        return self._route(op, idempotent, consistency, on_attempt, writes=True)

    def read(
        self,
        op: Callable[[Bound], T],
        *,
        consistency: Consistency = Consistency.EVENTUAL,
        on_attempt: Trace | None = None,
    ) -> Routed[T]:
        """The same for an operation that only reads, so that it may always be repeated."""
        return self._route(op, True, consistency, on_attempt, writes=False)

    def _route(
        self,
        op: Callable[[Bound], T],
        idempotent: bool,
        consistency: Consistency,
        on_attempt: Trace | None,
        *,
        writes: bool,
    ) -> Routed[T]:
        with self._lock:
            self._calls += 1
            way = self._plan()
        self._renew()
        deadline = self._clock.monotonic() + self._config.deadline_s
        job = Job(op, idempotent, consistency, way.home, self._config.tables, deadline, on_attempt, writes)
        cause: BaseException | None = None
        for choice in self._candidates(way, job):
            region, now = choice.region, self._clock.monotonic()
            if deadline - now <= 0:
                self._attempts.settle(region, choice.ticket, None)
                break
            leave = choice.leave(job, way.preferred, self._config, now)
            result = self._attempts.single(job, leave)
            job.tried.add(region)
            if isinstance(result, Success):
                self._attempts.accepted(job)
                self._ended(answered=1, failed_over=region != way.home)
                given = Consistency.STRONG if job.strong(region) else Consistency.EVENTUAL
                return Routed(result.value, region, tuple(job.attempts), consistency, given)
            if result.pooled:
                job.pooled.add(region)
            elif result.hurried and region not in job.cut | job.pooled:
                job.cut.add(region)
                self._sent_on(region)
            cause = result.error
            if result.error_class is ErrorClass.CALLER:
                self._ended(refused=1)
                raise cause
            if result.error_class is ErrorClass.UNKNOWN and not idempotent:
                self._ended(unanswered=1)
                raise OutcomeUnknown(tuple(job.attempts)) from cause
        if job.denied.keys() == self._lanes.keys() and job.is_not_applied:
            self._ended(unanswered=1, denied=1)
            raise RefusedEverywhere(tuple(job.attempts)) from cause
        self._ended(unanswered=1)
        raise NoRegionAnswered(tuple(job.attempts)) from cause

    def order(self) -> tuple[str, ...]:
        """What a call would try now, in that order; never empty."""
        return self._planned().order

    def closed(self) -> frozenset[str]:
        """The regions whose circuit is closed: this worker's own and, as long as a monitor is heard, the host's."""
        self._planned()
        with self._lock:
            return frozenset(name for name, state in self._states.items() if state is CircuitState.CLOSED)

    def active(self) -> str:
        """The region that this worker's ordinary traffic goes to."""
        return self._planned().active

    def follow(self, view: HostView) -> None:
        """Take the monitor's verdict. Its circuits count while it is fresh, its routing decision until a later one."""
        with self._lock:
            self._verdict = view.circuits
            self._verdict_from = self._clock.monotonic() - view.age_s
            self._ailing = frozenset(name for name, one in view.circuits.items() if one.ailing)
            if view.decision is not None and view.decision != self._decision:
                known = [decision for decision in (self._decision, view.decision) if decision is not None]
                self._decision, _ = latest(known)
                self._way = None

    def report(self) -> WorkerReport:
        """Everything counted since this router was made."""
        self._planned()  # so that a circuit whose wait is over is not reported open for want of traffic
        with self._lock:
            now = self._clock.monotonic()
            return WorkerReport(
                started_at=self._started_at,
                at=self._clock.wall(),
                regions={name: lane.report(now) for name, lane in self._lanes.items()},
                calls=self._calls,
                answered=self._answered,
                refused=self._refused,
                unanswered=self._unanswered,
                failed_over=self._failed_over,
                denied=self._denied,
            )

    def _plan(self) -> Plan:
        """The regions as they stand; made anew only when something about them changed. Needs the lock."""
        now = self._clock.monotonic()
        states = {name: lane.state(self._host(name, now), now) for name, lane in self._lanes.items()}
        ailing = self._ailing if self._is_fresh(now) else frozenset()
        if self._way is None or states != self._states or ailing != self._way.ailing:
            turned = [name for name, state in states.items() if state is not self._states.get(name)]
            self._turned += tuple(
                name for name in turned if states[name] is CircuitState.HALF_OPEN or self._lanes[name].doubts_pool
            )
            self._states, self._way = states, plan(self._regions, states, self._decision, ailing)
        return self._way

    def _planned(self) -> Plan:
        """The same, for who does not hold the lock."""
        with self._lock:
            way = self._plan()
        self._renew()
        return way

    def _renew(self) -> None:
        """Empty the pools of regions whose connections may be dead: what was sent over them opened the circuit, or it
        begins to try."""
        if not self._turned:
            return
        with self._lock:
            turned, self._turned = self._turned, ()
        for region in turned:
            self._runner.renew(region)

    def _is_fresh(self, now: float) -> bool:
        return now - self._verdict_from <= self._config.stale_after_s

    def _host(self, region: str, now: float) -> CircuitState | None:
        """The monitor's verdict, or None when it has none or is too old to be trusted. Needs the lock."""
        circuit = self._verdict.get(region) if self._is_fresh(now) else None
        return None if circuit is None else circuit.state

    def _candidates(self, way: Plan, job: Job[T]) -> Iterator[Choice]:
        """The regions that let this call through, and after them, rather than fail it, those that do not.

        Of those that do not, one whose trial is under way is the likeliest to answer, and its share is kept for it. The
        others get what is left over: one where others wait, one that was left in a hurry and may have been about to
        answer, and one whose circuit is open. At the very end those are asked once more, over a new connection, where a
        pooled one failed.
        """
        passed_over: list[tuple[int, str]] = []
        ahead, waiting = list(way.order), 0
        for region in way.preferred:
            if region in ahead:
                ahead.remove(region)
            others = len(ahead)
            with self._lock:
                now, lane = self._clock.monotonic(), self._lanes[region]
                host = self._host(region, now)
                ticket = lane.admit(host, now)
                is_open = ticket is None and lane.state(host, now) is CircuitState.OPEN
                crowded = ticket is not None and others > 0 and not ticket.patience_s
                if ticket is not None and crowded:
                    lane.settle(ticket, None, now)
            if ticket is not None and not crowded:
                yield Choice(region, ticket, others, waiting)
                if region in job.cut:
                    passed_over.append((_LEFT_IN_A_HURRY, region))
                continue
            if crowded:
                passed_over.append((_PASSED_BY, region))
                self._sent_on(region)
            else:
                passed_over.append((_OPEN if is_open else _BESIDE_A_TRIAL, region))
                waiting += not is_open
            if not way.panic:
                why = _CROWDED if crowded else "another call is trying it"
                job.note(Attempt(region, Outcome.SKIPPED, 0.0, "its circuit is open" if is_open else why))
        yield from self._last_resorts(way, job, passed_over)

    def _last_resorts(self, way: Plan, job: Job[T], passed_over: list[tuple[int, str]]) -> Iterator[Choice]:
        """Of several whose circuit is open, those that are ailing come last; where others wait in one of them, and
        there is another one to ask, it is left in a hurry or passed by, and asked once more at the end."""
        resorts = sorted(passed_over, key=lambda one: (one[0], one[1] in way.ailing))
        afresh = set[str]()
        while True:
            resorts += [(_AFRESH, name) for name in way.preferred if name in job.pooled - afresh]
            resorts.sort(key=lambda one: one[0])
            afresh |= job.pooled
            if not resorts:
                return
            rank, region = resorts.pop(0)
            others = sum(other == rank for other, _ in resorts)
            ahead, waiting = (others, 0) if rank == _OPEN else (0, others)
            with self._lock:
                now, lane = self._clock.monotonic(), self._lanes[region]
                ticket = lane.last_resort(now)
                crowded = ahead > 0 and not ticket.patience_s
                if crowded:
                    lane.settle(ticket, None, now)
            if crowded:
                self._sent_on(region)
                job.note(Attempt(region, Outcome.SKIPPED, 0.0, _CROWDED))
            else:
                yield Choice(region, ticket, ahead, waiting)
            if ahead and (crowded or region in job.cut):
                resorts.append((_ONCE_MORE, region))

    def _sent_on(self, region: str) -> None:
        with self._lock:
            self._lanes[region].sent_on()

    def _ended(
        self, *, answered: int = 0, refused: int = 0, unanswered: int = 0, failed_over: int = 0, denied: int = 0
    ) -> None:
        with self._lock:
            self._answered += answered
            self._refused += refused
            self._unanswered += unanswered
            self._failed_over += failed_over
            self._denied += denied
