"""One call's attempts, one region at a time. What comes of each is told to the lanes.

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
from failover.core.routing.region_slots import Lane, Ticket

T = TypeVar("T")
CUT = (ErrorClass.UNKNOWN, Outcome.TIMEOUT)
"""What an attempt comes to that is given up on while it is under way."""
NEARLY_WHOLE = 0.9
"""A second attempt in a region speaks against it only when it had at least this share of an attempt's time."""
Trace = Callable[[Attempt], None]


@dataclass(frozen=True, slots=True)
class Leave:
    """The leave to make one attempt in a region that ends by `until` (monotonic seconds). `hurried`: sooner than it
    would, had not too many others been waiting there already; so that its being cut off tells nothing of the region.
    `fresh`: over no connection that was made before.
    """

    region: str
    ticket: Ticket
    until: float
    hurried: bool = False
    fresh: bool = False

    def read(self, result: Success[T] | Failure) -> Success[T] | Failure:
        """What the attempt came to, told apart from what only its hurry made of it."""
        if self.hurried and isinstance(result, Failure) and (result.error_class, result.outcome) == CUT:
            return replace(result, hurried=True)
        return result


@dataclass(slots=True)
class Job(Generic[T]):
    """One call: what it does, until when (`deadline`, monotonic seconds), and what was tried so far.

    `repeatable`: it may go on to another region although it may have been applied. `writes`: it is no read.
    `tried` are the regions that were asked. Of these, `cut` are those that it left in a hurry, `pooled` those where a
    pooled connection failed it, and `denied` those that refused it for what they say of themselves or of us.
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
    cut: set[str] = field(default_factory=set)
    pooled: set[str] = field(default_factory=set)
    denied: dict[str, tuple[Ticket, Failure]] = field(default_factory=dict)

    def note(self, attempt: Attempt) -> None:
        """Add a line to the trace."""
        self.attempts.append(attempt)
        if self.on_attempt is not None:
            self.on_attempt(attempt)

    def strong(self, region: str) -> bool:
        """Whether its reads are strong there."""
        if self.consistency is Consistency.STRONG_ELSE_EVENTUAL:
            return region == self.home or self.tables is TableMode.MRSC
        return self.consistency is Consistency.STRONG

    @property
    def is_not_applied(self) -> bool:
        """Whether no attempt so far can have been applied."""
        return not any(attempt.error_class is ErrorClass.UNKNOWN for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class Choice:
    """A region to ask next: how many others are still `ahead`, and for how many that were passed over time is kept."""

    region: str
    ticket: Ticket
    ahead: int
    waiting: int

    def leave(self, job: Job[T], regions: Iterable[str], config: RouterConfig, now: float) -> Leave:
        """How long the attempt may take: its share of the deadline. Whom nobody comes after has what is left, but for
        an attempt in each of `regions` that may be asked after it: whose circuit is open, that was passed by or left in
        a hurry, or where a pooled connection failed. Who may not go on once it has been sent is never hurried."""
        attempt_s, left, others = config.attempt_timeout_s, job.deadline - now, self.ahead + self.waiting
        longest = min(attempt_s, left / (1 + others))
        if not others:
            later = {*job.cut, *job.pooled, *(name for name in regions if name not in job.tried)} - {self.region}
            longest = max(longest, left - len(later) * attempt_s)
        fresh = self.ticket.trial or self.region in job.pooled
        if self.region in job.cut or self.region in job.pooled:
            return Leave(self.region, self.ticket, now + longest, longest < attempt_s * NEARLY_WHOLE, fresh)
        hurried = job.repeatable and self.ahead > 0 and self.ticket.patience_s < longest
        return Leave(self.region, self.ticket, now + (self.ticket.patience_s if hurried else longest), hurried, fresh)


class Attempts:
    """Makes attempts. `jitter` gives a number from 0 to 1."""

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        *,
        lock: threading.Lock,
        config: RouterConfig,
        clock: Clock,
        runner: Runner,
        jitter: Callable[[], float],
    ) -> None:
        self._lanes = lanes
        self._lock = lock
        self._config = config
        self._clock = clock
        self._runner = runner
        self._jitter = jitter

    def single(self, job: Job[T], leave: Leave) -> Success[T] | Failure:
        """One attempt, and one more after a jittered pause when it was throttled and there is time."""
        result: Success[T] | Failure | None = None
        try:
            result = self._run(job, leave)
            result = self._again(job, leave, result)
            return result
        finally:
            self.settle(leave.region, leave.ticket, result)

    def settle(self, region: str, ticket: Ticket, result: Success[T] | Failure | None) -> None:
        """Hand the leave back, with what came of it (None: nothing that says anything)."""
        with self._lock:
            self._lanes[region].settle(ticket, result, self._clock.monotonic())

    def accepted(self, job: Job[T]) -> None:
        """A region accepted the call: whichever refused it stands alone."""
        if job.writes and job.denied:
            with self._lock:
                for other, (ticket, refusal) in job.denied.items():
                    self._lanes[other].accepted_elsewhere(ticket, refusal, self._clock.monotonic())

    def _again(self, job: Job[T], leave: Leave, result: Success[T] | Failure) -> Success[T] | Failure:
        """The result, or that of one repeat when it was throttled and there is time."""
        if isinstance(result, Success) or result.error_class is not ErrorClass.REFUSED:
            return result
        pause = self._config.throttle_retry_s * (0.5 + self._jitter())
        if pause >= leave.until - self._clock.monotonic():
            return result
        self._clock.wait(pause)
        return self._run(job, leave)

    def _run(self, job: Job[T], leave: Leave) -> Success[T] | Failure:
        began, region = self._clock.monotonic(), leave.region
        result = leave.read(self._runner.run(region, job.op, _bound(job, leave), leave.until - began))
        self._ended(job, leave, result, began)
        return result

    def _ended(self, job: Job[T], leave: Leave, result: Success[T] | Failure, began: float) -> None:
        region, ms = leave.region, (self._clock.monotonic() - began) * 1000
        with self._lock:
            self._lanes[region].count(result, ms, brief=leave.ticket.brief, writes=job.writes)
        if isinstance(result, Failure):
            if result.error_class is ErrorClass.DENIED:
                job.denied[region] = (leave.ticket, result)
            job.note(Attempt(region, result.outcome, ms, result.detail, result.error_class))
        else:
            job.note(Attempt(region, Outcome.OK, ms))


def _bound(job: Job[T], leave: Leave) -> Bound:
    return Bound(leave.region, job.strong(leave.region), leave.fresh)
