"""One worker's dealings with one region: its own circuit, the calls that it lets through, and the counters.

Not thread-safe: the router holds its lock around every call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

from failover.core.config import RouterConfig
from failover.core.counters import LATENCY_BOUNDS_MS
from failover.core.errors import ErrorClass, Failure
from failover.core.exchange.reports import RegionReport
from failover.core.ports import Success
from failover.core.signals import breaker
from failover.core.signals.breaker import Circuit, CircuitState
from failover.core.signals.doubt import Doubt, TakenBack

MOST_PATIENCE = 0.75
"""Longest wait in a congested region, as a share of an attempt."""
USUAL_OVER = 20
"""How many answers the usual time of an answer is taken over, as a moving average whose weights fall off."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The permission to make one attempt in a region.

    `turn` is the circuit's when the ticket was given. `trial`: it is the single trial of a half-open circuit.
    `patience_s` is the longest wait while there is another region to ask: infinite with a place for a whole attempt,
    finite where every place is taken, and zero where no call that waits there was answered lately. `doubts` is how many
    failures of pooled connections (doubt.py) there had been when the ticket was given.
    """

    turn: int
    trial: bool = False
    patience_s: float = float("inf")
    doubts: int = 0

    @property
    def shortened(self) -> bool:
        """Whether the attempt may not wait for its whole time.

        The error rate is that of the other attempts. Whether there is a place for a call does not depend on what comes
        of it, so they are a fair sample.
        """
        return self.patience_s < float("inf")


class RegionSlot:
    """A region as one worker has met it."""

    def __init__(self, config: RouterConfig) -> None:
        self.circuit = Circuit()
        self._config = config
        self._counts = Counter[str]()
        """By the names of RegionCounters, as are the next three: each vote counts here, so nothing is copied."""
        self._failures = Counter[str]()
        self._latency = [0] * (len(LATENCY_BOUNDS_MS) + 1)
        self._latency_ms = 0.0
        self._refused_writes = 0
        self._last_reason = self._last_denial = ""
        self._trial_out = False
        self._under_way = self._whole = 0
        """All attempts under way, and those among them that may wait for their whole time."""
        self._quiet_since = 0.0
        self._usual_ms: float | None = None
        self._doubt = Doubt(config)
        self._before_doubt: Circuit | None = None
        self._opened_by_sent = False

    def state(self, host: CircuitState | None, now: float) -> CircuitState:
        """The circuit that counts: the worse of the worker's own and the host's, or its own when there is no host's.

        An own open circuit goes half-open once its wait is over, unless the host says that the region is still down.
        """
        if self.circuit.state is CircuitState.CLOSED:
            return CircuitState.CLOSED if host is None else host
        if self.circuit.state is CircuitState.OPEN and self.circuit.waited(now) and host is not CircuitState.OPEN:
            self.circuit = breaker.half_opened(self.circuit, now=now)
        return self.circuit.state if host is None else breaker.worse(self.circuit.state, host)

    @property
    def doubts_pool(self) -> bool:
        """Whether requests that were sent there opened the own circuit.

        A name or a connection that fails says nothing about the connections that exist, and these may be all that
        still serves.
        """
        return self.circuit.state is CircuitState.OPEN and self._opened_by_sent

    def admit(self, host: CircuitState | None, now: float) -> Ticket | None:
        """A ticket for one attempt, or None when the circuit is open or its single trial is under way."""
        match self.state(host, now):
            case CircuitState.CLOSED:
                return self._ticket(now)
            case CircuitState.HALF_OPEN if not self._trial_out:
                self._trial_out = True
                return self._ticket(now, trial=True)
            case _:
                return None

    def last_resort(self, now: float) -> Ticket:
        """A ticket whatever the circuit says, for a call that has no other region to turn to.

        It is no trial: it can save a call, but neither closes nor re-opens a circuit.
        """
        return self._ticket(now)

    def count(
        self, result: Success[object] | Failure, ms: float, *, shortened: bool = False, writes: bool = False
    ) -> None:
        """Count one attempt. `shortened`: its ticket was; `writes`: it belongs to a call that writes."""
        counts = self._counts
        counts["requests"] += 1
        counts["unweighed"] += shortened
        if isinstance(result, Failure):
            self._failures[result.outcome.value] += 1
            counts["failed"] += result.counts
            counts["unweighed_failed"] += shortened and result.counts
            if result.error_class is ErrorClass.DENIED:
                counts["denied"] += 1
                self._last_denial = result.detail
            return
        counts["ok"] += 1
        self._latency[bisect_left(LATENCY_BOUNDS_MS, ms)] += 1
        self._latency_ms += ms
        if writes:
            self._refused_writes = 0
        self._usual_ms = ms if self._usual_ms is None else self._usual_ms + (ms - self._usual_ms) / USUAL_OVER

    def count_congested(self) -> None:
        """Count a call that went on to another region because others waited here."""
        self._counts["congested"] += 1

    def settle(self, ticket: Ticket, result: Success[object] | Failure | None, now: float) -> None:
        """Take the ticket back, and let the circuit judge the result (None: nothing that says anything).

        What began in an earlier turn of the circuit is too old to decide this one.
        """
        self._under_way -= 1
        self._whole -= not ticket.shortened
        if ticket.trial:
            self._trial_out = False
        if result is None:
            return
        if isinstance(result, Success) or not result.error_class.counts:
            self._quiet_since = now
        if isinstance(result, Success):
            self._succeeded(ticket, now)
        elif result.counts:
            self._failed(ticket, result, now)

    def accepted_elsewhere(self, ticket: Ticket, refusal: Failure, now: float) -> None:
        """A write that this region refused was accepted by another one: its refusal counts against this region.

        Only a write does, and only an accepted write ends the row of refused ones. Where only reads are refused, votes
        are taken; where only writes are refused, answers to reads prove nothing. A single denied action opens no
        circuit as long as votes are accepted in between.
        """
        self._refused_writes += 1
        self._counts["trials_failed"] += ticket.trial
        if ticket.turn != self.circuit.turns:
            return
        circuit = breaker.on_refusals(
            self.circuit,
            config=self._config,
            now=now,
            count=self._refused_writes,
            detail=refusal.detail,
            trial=ticket.trial,
        )
        if self._moved_to(circuit):
            self._before_doubt = None  # no answer takes this opening back
            self._opened_by_sent = False

    def report(self, now: float) -> RegionReport:
        """The counters so far and the circuit, frozen."""
        return RegionReport(
            **self._counts,
            failures=dict(self._failures),
            latency=tuple(self._latency),
            latency_ms=self._latency_ms,
            circuit=self.circuit.state,
            consecutive_failures=self.circuit.failures,
            refused_writes=self._refused_writes,
            last_reason=self._last_reason,
            last_denial=self._last_denial,
            open_s=now - self.circuit.since if self.circuit.state is CircuitState.OPEN else 0.0,
        )

    def _succeeded(self, ticket: Ticket, now: float) -> None:
        self._counts["trials_passed"] += ticket.trial
        if ticket.doubts:
            self._take_back(self._doubt.answered(ticket.doubts, now))
        # Most answers find a closed circuit without a failure: they change nothing.
        if ticket.turn == self.circuit.turns and (ticket.trial or self.circuit.failures):
            self.circuit = breaker.on_success(self.circuit, config=self._config, now=now, trial=ticket.trial)

    def _failed(self, ticket: Ticket, failure: Failure, now: float) -> None:
        self._counts["trials_failed"] += ticket.trial
        in_doubt = self._doubt.failed(now, pooled=failure.pooled, weighed=not ticket.shortened)
        if ticket.turn != self.circuit.turns:
            return
        before = self.circuit
        circuit = breaker.on_failure(before, config=self._config, now=now, reason=failure.in_words, trial=ticket.trial)
        if self._moved_to(circuit):
            self._opened_by_sent = failure.error_class is ErrorClass.UNKNOWN
            self._before_doubt = before if in_doubt and before.state is CircuitState.CLOSED else None

    def _moved_to(self, circuit: Circuit) -> bool:
        """Take the circuit over; whether it has opened."""
        opened = circuit.openings > self.circuit.openings
        self.circuit = circuit
        if opened:
            self._counts["openings"] += 1
            self._last_reason = circuit.cause
        return opened

    def _take_back(self, taken: TakenBack) -> None:
        """Leave failures of pooled connections out of the error rate, and undo the opening that they made."""
        self._counts["unweighed"] += taken.weighed
        self._counts["unweighed_failed"] += taken.weighed
        if taken.failures and self._before_doubt is not None and self.circuit.state is CircuitState.OPEN:
            self.circuit = breaker.retracted(self.circuit, self._before_doubt)
            self._before_doubt = None
            self._counts["retracted"] += 1

    @property
    def _places(self) -> int:
        """How many may wait for a whole attempt: `share`, less those that have just failed one after another, which
        need not be found out again."""
        return max(1, self._config.share - self.circuit.failures)

    def _ticket(self, now: float, *, trial: bool = False) -> Ticket:
        if not self._under_way:
            self._quiet_since = now
        self._under_way += 1
        if trial or self._whole < self._places:
            self._whole += 1
            return Ticket(self.circuit.turns, trial, doubts=self._doubt.count)
        # Where every answer takes long, that none has come yet is no sign that none will.
        usual_s = (self._usual_ms or 0.0) / 1000
        patience_s = max(self._config.congested_s, self._config.slow_factor * usual_s)
        patience_s = min(patience_s, self._config.attempt_timeout_s * MOST_PATIENCE)
        patience_s = patience_s if now - self._quiet_since < patience_s else 0.0
        return Ticket(self.circuit.turns, trial, patience_s, self._doubt.count)
