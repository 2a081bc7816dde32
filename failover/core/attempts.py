"""One call's attempts: in a single region, or in two that race. What comes of each is told to the lanes.

Decisions are made under the router's lock, and nothing is waited for while it is held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from failover.core.config import RouterConfig, TableMode
from failover.core.errors import Attempt, ErrorClass, Failure, Outcome
from failover.core.hedging import Hedger
from failover.core.interfaces import Bound, Clock, Consistency, Handle, RacingRunner, Runner, Success
from failover.core.lanes import Lane, Ticket
from failover.core.phrases import phrase

T = TypeVar("T")
Trace = Callable[[Attempt], None]
Leave = tuple[str, Ticket]
"""A region, and the leave to make one attempt there."""


@dataclass(slots=True)
class Job(Generic[T]):
    """One call: what is to be done, until when (monotonic seconds), and what was tried so far; `paid` once it has added
    its share to the hedges' budget."""

    op: Callable[[Bound], T]
    consistency: Consistency
    hedged: bool
    home: str
    tables: TableMode
    deadline: float
    on_attempt: Trace | None
    attempts: list[Attempt] = field(default_factory=list)
    paid: bool = False

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
    def may_race(self) -> bool:
        """Whether another region's answer is as good: of asynchronous tables a strong read is another one elsewhere."""
        return self.consistency is Consistency.EVENTUAL or self.tables is TableMode.MRSC


@dataclass(slots=True)
class _Leg(Generic[T]):
    """One of two attempts that race."""

    ticket: Ticket
    handle: Handle[T]
    began: float
    until: float


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

    def single(self, job: Job[T], region: str, ticket: Ticket, until: float) -> Success[T] | Failure:
        """One attempt that ends by `until`, and one more after a jittered pause when it was throttled and there is
        time."""
        result: Success[T] | Failure | None = None
        try:
            began = self._clock.monotonic()
            timeout = min(self._config.attempt_timeout_s, until - began)
            result = self._runner.run(region, job.op, Bound(region, job.strong(region)), timeout)
            self._ended(job, region, result, began)
            result = self._again(job, region, result, until)
            return result
        finally:
            self.settle(region, ticket, result)

    def hedged(
        self, job: Job[T], region: str, ticket: Ticket, until: float, rival: Callable[[], Leave | None]
    ) -> dict[str, Success[T] | Failure]:
        """The same for a read that may be asked a second time; what is known of each region when it ends.

        `rival` gives leave for the other region, and is asked only once the first is late. A region that the other one
        outran is not in the result.
        """
        with self._lock:
            if not job.paid:
                self._hedger.asked()
                job.paid = True
            after_ms = self._hedger.after_ms(region)
        if self._racer is None or after_ms is None or ticket.trial or not job.may_race:
            return {region: self.single(job, region, ticket, until)}
        began = self._clock.monotonic()
        until = min(until, began + self._config.attempt_timeout_s)
        leg = _Leg(ticket, self._racer.start(region, job.op, Bound(region, job.strong(region))), began, until)
        self._racer.first((leg.handle,), min(after_ms / 1000, until - began))
        if leg.handle.result() is None and self._clock.monotonic() < until:
            other = self._spend(rival)
            if other is not None:
                return self._race(job, self._racer, {region: leg, other[0]: self._hedge(job, self._racer, *other)})
        return self._race(job, self._racer, {region: leg})

    def settle(self, region: str, ticket: Ticket, result: Success[T] | Failure | None) -> None:
        """Hand the leave back, with what came of it (None: nothing that says anything)."""
        with self._lock:
            self._lanes[region].settle(ticket, result, self._clock.monotonic())

    def _spend(self, rival: Callable[[], Leave | None]) -> Leave | None:
        with self._lock:
            other = rival()
            return other if other is not None and self._hedger.spend() else None

    def _hedge(self, job: Job[T], racer: RacingRunner, region: str, ticket: Ticket) -> _Leg[T]:
        with self._lock:
            self._lanes[region].hedged()
        now = self._clock.monotonic()
        handle = racer.start(region, job.op, Bound(region, job.strong(region)))
        return _Leg(ticket, handle, now, min(job.deadline, now + self._config.attempt_timeout_s))

    def _race(self, job: Job[T], racer: RacingRunner, legs: dict[str, _Leg[T]]) -> dict[str, Success[T] | Failure]:
        """Wait until one answers, or all have failed. The first leg is the one whose region was to answer."""
        first, results = next(iter(legs)), {}
        while legs:
            now = self._clock.monotonic()
            racer.first([leg.handle for leg in legs.values()], max(0.0, min(leg.until for leg in legs.values()) - now))
            now = self._clock.monotonic()
            for region, leg in list(legs.items()):
                result = leg.handle.result()
                if result is None and now < leg.until:
                    continue
                results[region] = result = result or _late(leg.until - leg.began)
                del legs[region]
                self._ended(job, region, result, leg.began)
                if not legs:  # nobody else is under way who could answer
                    results[region] = result = self._again(job, region, result, leg.until)
                self.settle(region, leg.ticket, result)
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
            self.settle(region, leg.ticket, None)
            job.note(Attempt(region, Outcome.OUTRUN, ms, f"{quicker} answered first"))

    def _again(self, job: Job[T], region: str, result: Success[T] | Failure, until: float) -> Success[T] | Failure:
        """The result, or that of one repeat when it was throttled and there is time."""
        if isinstance(result, Success) or result.error_class is not ErrorClass.REFUSED:
            return result
        pause = self._config.throttle_retry_s * (0.5 + self._jitter())
        if pause >= until - self._clock.monotonic():
            return result
        self._clock.wait(pause)
        began = self._clock.monotonic()
        timeout = min(self._config.attempt_timeout_s, until - began)
        result = self._runner.run(region, job.op, Bound(region, job.strong(region)), timeout)
        self._ended(job, region, result, began)
        return result

    def _ended(self, job: Job[T], region: str, result: Success[T] | Failure, began: float) -> None:
        ms = (self._clock.monotonic() - began) * 1000
        with self._lock:
            self._lanes[region].count(result, ms)
            if job.hedged and isinstance(result, Success):
                self._hedger.observe(region, ms)
        if isinstance(result, Failure):
            job.note(Attempt(region, result.outcome, ms, result.detail, result.error_class))
        else:
            job.note(Attempt(region, Outcome.OK, ms))


def _late(seconds: float) -> Failure:
    detail = phrase("no answer within {seconds:.2f} s", seconds=seconds)
    return Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, detail, TimeoutError(detail))
