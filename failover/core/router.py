"""The router takes one call over the regions, under one deadline. Each web worker has one.

It decides under its lock and acts outside it: a hung region blocks the call that met it, and no other.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from failover.core.config import RouterConfig
from failover.core.decisions import Decision, latest
from failover.core.errors import (
    ErrorClass,
    Failure,
    NoRegionAnswered,
    OutcomeUnknown,
    RefusedEverywhere,
)
from failover.core.exchange.reports import HostCircuit, HostView, WorkerReport
from failover.core.ports import Bound, Clock, Consistency, Routed, Runner, Success
from failover.core.regions import Region, by_priority
from failover.core.routing.attempts import Attempts, Job, Trace
from failover.core.routing.candidates import Candidates
from failover.core.routing.plan import Plan
from failover.core.routing.plan import plan as make_plan
from failover.core.routing.region_slots import RegionSlot
from failover.core.signals.breaker import CircuitState

__all__ = ["Router", "RouterConfig"]

T = TypeVar("T")


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
        self._slots = {region.name: RegionSlot(config) for region in self._regions}
        self._candidates = Candidates(self._slots, host=self._host, lock=self._lock, clock=clock)
        self._attempts = Attempts(
            self._slots, lock=self._lock, config=config, clock=clock, runner=runner, jitter=jitter
        )
        self._started_at = clock.wall()
        self._decision: Decision | None = None
        self._verdict: Mapping[str, HostCircuit] = {}
        self._verdict_from = float("-inf")
        self._ailing: frozenset[str] = frozenset()
        self._states: dict[str, CircuitState] = {}
        self._plan: Plan | None = None
        self._pools_to_renew: tuple[str, ...] = ()
        self._counts = Counter[str]()  # by the names of CallCounters

    def call(
        self,
        op: Callable[[Bound], T],
        *,
        idempotent: bool,
        consistency: Consistency = Consistency.EVENTUAL,
        on_attempt: Trace | None = None,
    ) -> Routed[T]:
        """Run `op` in the first region that answers, within `deadline_s`; `on_attempt` sees each attempt as it ends.

        A class D failure raises its own exception, unchanged. OutcomeUnknown is raised for a write that may not be
        repeated (`idempotent=False`) and may have been applied, RefusedEverywhere when every region refused the call,
        and NoRegionAnswered when no region answered for any other reason.
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
        plan = self._current_plan()
        deadline = self._clock.monotonic() + self._config.deadline_s
        job = Job(op, idempotent, consistency, plan.home, self._config.tables, deadline, on_attempt, writes)
        cause: BaseException | None = None
        for choice in self._candidates.of(plan, job):
            region, now = choice.region, self._clock.monotonic()
            if deadline - now <= 0:
                self._attempts.settle(region, choice.ticket, None)
                break
            result = self._attempts.make(job, choice.permit(job, plan.preferred, self._config, now))
            job.tried.add(region)
            if isinstance(result, Success):
                self._attempts.accepted(job)
                self._count(answered=True, failed_over=region != plan.home)
                given = Consistency.STRONG if job.strong(region) else Consistency.EVENTUAL
                return Routed(result.value, region, tuple(job.attempts), consistency, given)
            cause = result.error
            if result.error_class is ErrorClass.CALLER:
                self._count(refused=True)
                raise cause
            if result.error_class is ErrorClass.UNKNOWN and not idempotent:
                self._count(unanswered=True)
                raise OutcomeUnknown(tuple(job.attempts)) from cause
            self._remember(job, region, result)
        denied = job.denied.keys() == self._slots.keys() and job.is_not_applied
        self._count(unanswered=True, denied=denied)
        raise (RefusedEverywhere if denied else NoRegionAnswered)(tuple(job.attempts)) from cause

    def _remember(self, job: Job[T], region: str, failure: Failure) -> None:
        """Note why the region may be asked once more: over a new connection, or for longer."""
        if failure.pooled:
            job.pooled.add(region)
        elif failure.shortened and region not in job.cut_short | job.pooled:
            job.cut_short.add(region)
            with self._lock:
                self._slots[region].count_congested()

    def _count(self, **ended: bool) -> None:
        with self._lock:
            for name, value in ended.items():
                self._counts[name] += value

    def order(self) -> tuple[str, ...]:
        """The regions that a call would try now, in that order; never empty."""
        return self._current_plan().order

    def closed(self) -> frozenset[str]:
        """The regions whose circuit is closed: this worker's own and, as long as a monitor is heard, the host's."""
        self._current_plan()
        with self._lock:
            return frozenset(name for name, state in self._states.items() if state is CircuitState.CLOSED)

    def active(self) -> str:
        """The region that this worker's ordinary traffic goes to."""
        return self._current_plan().active

    def follow(self, view: HostView) -> None:
        """Take the monitor's verdict. Its circuits count while it is fresh, its routing decision until a later one."""
        with self._lock:
            self._verdict = view.circuits
            self._verdict_from = self._clock.monotonic() - view.age_s
            self._ailing = frozenset(name for name, circuit in view.circuits.items() if circuit.ailing)
            if view.decision is not None and view.decision != self._decision:
                known = [decision for decision in (self._decision, view.decision) if decision is not None]
                self._decision, _ = latest(known)
                self._plan = None

    def report(self) -> WorkerReport:
        """Everything counted since this router was made."""
        self._current_plan()  # so that a circuit whose wait is over is not reported open for want of traffic
        with self._lock:
            now = self._clock.monotonic()
            return WorkerReport(
                self._started_at,
                self._clock.wall(),
                {name: slot.report(now) for name, slot in self._slots.items()},
                **self._counts,
            )

    def _current_plan(self) -> Plan:
        """The regions as they stand now. It is made anew only when something about them has changed."""
        with self._lock:
            now = self._clock.monotonic()
            states = {name: slot.state(self._host(name, now), now) for name, slot in self._slots.items()}
            ailing = self._ailing if self._is_fresh(now) else frozenset()
            if self._plan is None or states != self._states or ailing != self._plan.ailing:
                turned = [name for name, state in states.items() if state is not self._states.get(name)]
                self._pools_to_renew += tuple(
                    name for name in turned if states[name] is CircuitState.HALF_OPEN or self._slots[name].doubts_pool
                )
                self._states = states
                self._plan = make_plan(self._regions, states, self._decision, ailing)
            plan = self._plan
        self._renew_pools()
        return plan

    def _renew_pools(self) -> None:
        """Empty the pools of regions whose connections may be dead: requests that were sent over them opened the
        circuit, or its trials begin."""
        if not self._pools_to_renew:
            return
        with self._lock:
            regions, self._pools_to_renew = self._pools_to_renew, ()
        for region in regions:
            self._runner.renew(region)

    def _is_fresh(self, now: float) -> bool:
        return now - self._verdict_from <= self._config.stale_after_s

    def _host(self, region: str, now: float) -> CircuitState | None:
        """The monitor's verdict, or None when it has none or is too old to be trusted. Needs the lock."""
        circuit = self._verdict.get(region) if self._is_fresh(now) else None
        return None if circuit is None else circuit.state
