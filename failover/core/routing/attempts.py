"""One call's attempts: in a single region, or in two that race. What comes of each is told to the lanes.

Decisions are made under the router's lock, and nothing is waited for while it is held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from failover.core.config import RouterConfig, TableMode
from failover.core.errors import Attempt, ErrorClass, Failure, Outcome
from failover.core.phrases import phrase
from failover.core.ports import Bound, Clock, Consistency, Handle, RacingRunner, Runner, Success
from failover.core.routing.hedging import Hedger
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
    """One call: what is to be done, until when (monotonic seconds), and what was tried so far; `repeatable` when it may
    go on to another region although it may have been applied; `paid` once it has added its share to the hedges' budget.
    `tried` are the regions that were asked, `cut` those of them that it left in a hurry, `pooled` those where a pooled
    connection failed it, `denied` those that refused it for what they say of themselves or of us. `writes`: it is no
    read.
    """

    op: Callable[[Bound], T]
    repeatable: bool
    consistency: Consistency
    hedged: bool
    home: str
    tables: TableMode
    deadline: float
    on_attempt: Trace | None
    attempts: list[Attempt] = field(default_factory=list)
    writes: bool = False
    paid: bool = False
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

    @property
    def may_race(self) -> bool:
        """Whether another region's answer is as good: of asynchronous tables a strong read is another one elsewhere."""
        return self.consistency is Consistency.EVENTUAL or self.tables is TableMode.MRSC


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


@dataclass(slots=True)
class _Leg(Generic[T]):
    """One of two attempts that race."""

    leave: Leave
    handle: Handle[T]
    began: float


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
        self._racer = runner if isinstance(runner, RacingRunner) else None
        self._jitter = jitter
        self._hedger = Hedger(config)

    def single(self, job: Job[T], leave: Leave) -> Success[T] | Failure:
        """One attempt, and one more after a jittered pause when it was throttled and there is time."""
        result: Success[T] | Failure | None = None
        try:
            result = self._run(job, leave)
            result = self._again(job, leave, result)
            return result
        finally:
            self.settle(leave.region, leave.ticket, result)

    def hedged(
        self, job: Job[T], leave: Leave, rival: Callable[[], tuple[str, Ticket] | None]
    ) -> dict[str, Success[T] | Failure]:
        """The same for a read that may be asked a second time; what is known of each region when it ends.

        `rival` gives leave for the other region, and is asked only once the first is late. A region that the other one
        outran is not in the result.
        """
        with self._lock:
            if not job.paid:
                self._hedger.asked()
                job.paid = True
            after_ms = self._hedger.after_ms(leave.region)
        if self._racer is None or after_ms is None or leave.ticket.trial or not job.may_race:
            return {leave.region: self.single(job, leave)}
        leg = self._start(job, self._racer, leave)
        self._racer.first((leg.handle,), min(after_ms / 1000, leg.leave.until - leg.began))
        if leg.handle.result() is None and self._clock.monotonic() < leg.leave.until:
            other = self._spend(rival)
            if other is not None:
                return self._race(
                    job, self._racer, {leave.region: leg, other[0]: self._hedge(job, self._racer, *other)}
                )
        return self._race(job, self._racer, {leave.region: leg})

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

    def _spend(self, rival: Callable[[], tuple[str, Ticket] | None]) -> tuple[str, Ticket] | None:
        with self._lock:
            other = rival()
            return other if other is not None and self._hedger.spend() else None

    def _hedge(self, job: Job[T], racer: RacingRunner, region: str, ticket: Ticket) -> _Leg[T]:
        with self._lock:
            self._lanes[region].hedged(self._clock.monotonic())
        until = min(job.deadline, self._clock.monotonic() + self._config.attempt_timeout_s)
        return self._start(job, racer, Leave(region, ticket, until))

    def _start(self, job: Job[T], racer: RacingRunner, leave: Leave) -> _Leg[T]:
        began = self._clock.monotonic()
        return _Leg(leave, racer.start(leave.region, job.op, _bound(job, leave)), began)

    def _race(self, job: Job[T], racer: RacingRunner, legs: dict[str, _Leg[T]]) -> dict[str, Success[T] | Failure]:
        """Wait until one answers, or all have failed. The first leg is the one whose region was to answer."""
        first, results = next(iter(legs)), {}
        while legs:
            now = self._clock.monotonic()
            soonest = min(leg.leave.until for leg in legs.values())
            racer.first([leg.handle for leg in legs.values()], max(0.0, soonest - now))
            now = self._clock.monotonic()
            for region, leg in list(legs.items()):
                result = leg.handle.result()
                if result is None and now < leg.leave.until:
                    continue
                results[region] = result = leg.leave.read(result or _late(leg.leave.until - leg.began))
                del legs[region]
                self._ended(job, leg.leave, result, leg.began)
                if not legs:  # nobody else is under way who could answer
                    results[region] = result = self._again(job, leg.leave, result)
                self.settle(region, leg.leave.ticket, result)
                refused = isinstance(result, Failure) and result.error_class is ErrorClass.CALLER
                if isinstance(result, Success) or (refused and region == first):
                    self._abandon(job, legs, first, quicker=region)
                    return results
        return results

    def _abandon(self, job: Job[T], legs: Mapping[str, _Leg[T]], first: str, *, quicker: str) -> None:
        """Give up on who is still under way. It is neither a success nor a failure; for the first it is slowness."""
        for region, leg in legs.items():
            ms = (self._clock.monotonic() - leg.began) * 1000
            if region == first:
                with self._lock:
                    self._lanes[region].outrun(ms)
                    self._hedger.observe(region, ms)
            self.settle(region, leg.leave.ticket, None)
            job.note(Attempt(region, Outcome.OUTRUN, ms, f"{quicker} answered first"))

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
            if job.hedged and isinstance(result, Success):
                self._hedger.observe(region, ms)
        if isinstance(result, Failure):
            if result.error_class is ErrorClass.DENIED:
                job.denied[region] = (leave.ticket, result)
            job.note(Attempt(region, result.outcome, ms, result.detail, result.error_class))
        else:
            job.note(Attempt(region, Outcome.OK, ms))


def _bound(job: Job[T], leave: Leave) -> Bound:
    return Bound(leave.region, job.strong(leave.region), leave.fresh)


def _late(seconds: float) -> Failure:
    detail = phrase("no answer within {seconds:.2f} s", seconds=seconds)
    return Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, detail, TimeoutError(detail))
