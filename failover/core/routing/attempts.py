"""One call's attempts, one region at a time. The region's slot is told what comes of each.

Decisions are made under the router's lock, and nothing is waited for while it is held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from failover.core.config import RouterConfig, TableMode
from failover.core.errors import Attempt, ErrorClass, Failure, Outcome
from failover.core.ports import Bound, Clock, Consistency, Runner, Success
from failover.core.routing.region_slots import RegionSlot, Ticket

T = TypeVar("T")
CUT = (ErrorClass.UNKNOWN, Outcome.TIMEOUT)
"""The class and outcome of an attempt that is given up on while it is under way."""
NEARLY_WHOLE = 0.9
"""A second attempt in a region speaks against it only when it had at least this share of an attempt's time."""
Trace = Callable[[Attempt], None]


@dataclass(frozen=True, slots=True)
class Permit:
    """The terms of one attempt in a region: it ends by `until` (monotonic seconds).

    `shortened`: it ends sooner than it would if fewer calls waited there, so a timeout says nothing about the region.
    `fresh`: it uses no connection that was made before.
    """

    region: str
    ticket: Ticket
    until: float
    shortened: bool = False
    fresh: bool = False

    def read(self, result: Success[T] | Failure) -> Success[T] | Failure:
        """The result of the attempt, marked when only the shortened time made it a failure."""
        if self.shortened and isinstance(result, Failure) and (result.error_class, result.outcome) == CUT:
            return replace(result, shortened=True)
        return result


@dataclass(slots=True)
class Job(Generic[T]):
    """One call: what it does, until when (`deadline`, monotonic seconds), and what was tried so far.

    `repeatable`: it may go on to another region although it may have been applied. `writes`: it is no read.
    `tried` are the regions that were asked. Among these, `cut_short` are those where a shortened attempt timed out,
    `pooled` those where a pooled connection failed, and `denied` those that refused the call for what they say of
    themselves or of us.
    """

    op: Callable[[Bound], T]
    repeatable: bool
    consistency: Consistency
    home: str
    tables: TableMode
    deadline: float
    on_attempt: Trace | None
    writes: bool
    attempts: list[Attempt] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    cut_short: set[str] = field(default_factory=set)
    pooled: set[str] = field(default_factory=set)
    denied: dict[str, tuple[Ticket, Failure]] = field(default_factory=dict)

    def note(self, attempt: Attempt) -> None:
        """Add a line to the trace."""
        self.attempts.append(attempt)
        if self.on_attempt is not None:
            self.on_attempt(attempt)

    def strong(self, region: str) -> bool:
        """Whether its reads are strong in that region."""
        if self.consistency is Consistency.STRONG_ELSE_EVENTUAL:
            return region == self.home or self.tables is TableMode.MRSC
        return self.consistency is Consistency.STRONG

    @property
    def is_not_applied(self) -> bool:
        """Whether no attempt so far can have been applied."""
        return not any(attempt.error_class is ErrorClass.UNKNOWN for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class Choice:
    """The region to ask next. `ahead` is how many others are still to be asked in order, `waiting` how many others that
    were passed over have time kept for them."""

    region: str
    ticket: Ticket
    ahead: int
    waiting: int

    def permit(self, job: Job[T], regions: Iterable[str], config: RouterConfig, now: float) -> Permit:
        """How long the attempt may take. `regions` are all regions.

        1. While others come after it, it gets at most an attempt, and its share of the remaining time.
        2. The last candidate gets all the remaining time, less one attempt for each region that may still be tried:
           whose circuit is open, that was passed by or cut short, or where a pooled connection failed.
        3. A region that is asked again gets no less because others wait there. When the time does not suffice for
           nearly a whole attempt, a timeout says nothing about the region.
        4. In a congested region the time is shortened to the ticket's patience, while another region can be asked. A
           call that may not go on once it has been sent is never shortened.
        """
        attempt_s, remaining_s, others = config.attempt_timeout_s, job.deadline - now, self.ahead + self.waiting
        longest_s = min(attempt_s, remaining_s / (1 + others))
        if not others:
            untried = (name for name in regions if name not in job.tried)
            later = {*job.cut_short, *job.pooled, *untried} - {self.region}
            longest_s = max(longest_s, remaining_s - len(later) * attempt_s)
        fresh = self.ticket.trial or self.region in job.pooled
        if self.region in job.cut_short or self.region in job.pooled:
            too_short = longest_s < attempt_s * NEARLY_WHOLE
            return Permit(self.region, self.ticket, now + longest_s, too_short, fresh)
        shortened = job.repeatable and self.ahead > 0 and self.ticket.patience_s < longest_s
        until = now + (self.ticket.patience_s if shortened else longest_s)
        return Permit(self.region, self.ticket, until, shortened, fresh)


class Attempts:
    """Makes attempts. `jitter` gives a number from 0 to 1."""

    def __init__(
        self,
        slots: Mapping[str, RegionSlot],
        *,
        lock: threading.Lock,
        config: RouterConfig,
        clock: Clock,
        runner: Runner,
        jitter: Callable[[], float],
    ) -> None:
        self._slots = slots
        self._lock = lock
        self._config = config
        self._clock = clock
        self._runner = runner
        self._jitter = jitter

    def make(self, job: Job[T], permit: Permit) -> Success[T] | Failure:
        """One attempt, and one more after a jittered pause when it was throttled and there is time."""
        result: Success[T] | Failure | None = None
        try:
            result = self._run(job, permit)
            if isinstance(result, Failure) and result.error_class is ErrorClass.REFUSED:
                pause_s = self._config.throttle_retry_s * (0.5 + self._jitter())
                if pause_s < permit.until - self._clock.monotonic():
                    self._clock.wait(pause_s)
                    result = self._run(job, permit)
            return result
        finally:
            self.settle(permit.region, permit.ticket, result)

    def settle(self, region: str, ticket: Ticket, result: Success[T] | Failure | None) -> None:
        """Hand the ticket back, with what came of it (None: nothing that says anything)."""
        with self._lock:
            self._slots[region].settle(ticket, result, self._clock.monotonic())

    def accepted(self, job: Job[T]) -> None:
        """A region accepted the call: each region that refused it stands alone."""
        if job.writes and job.denied:
            with self._lock:
                for region, (ticket, refusal) in job.denied.items():
                    self._slots[region].accepted_elsewhere(ticket, refusal, self._clock.monotonic())

    def _run(self, job: Job[T], permit: Permit) -> Success[T] | Failure:
        region, began = permit.region, self._clock.monotonic()
        bound = Bound(region, job.strong(region), permit.fresh)
        result = permit.read(self._runner.run(region, job.op, bound, permit.until - began))
        ms = (self._clock.monotonic() - began) * 1000
        with self._lock:
            self._slots[region].count(result, ms, shortened=permit.ticket.shortened, writes=job.writes)
        if isinstance(result, Success):
            job.note(Attempt(region, Outcome.OK, ms))
            return result
        if result.error_class is ErrorClass.DENIED:
            job.denied[region] = (permit.ticket, result)
        job.note(Attempt(region, result.outcome, ms, result.detail, result.error_class))
        return result
