"""One worker's dealings with one region: its own circuit, who is let through, and the counters.

Not thread-safe: the router holds its lock around every call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

from failover.core.config import RouterConfig
from failover.core.errors import ErrorClass, Failure
from failover.core.exchange.reports import RegionReport
from failover.core.latency_bounds import LATENCY_BOUNDS_MS
from failover.core.phrases import phrase
from failover.core.ports import Success
from failover.core.signals import breaker
from failover.core.signals.breaker import Circuit, CircuitState
from failover.core.signals.doubt import Doubt, TakenBack

MOST_PATIENCE = 0.75
"""The share of an attempt that who comes to a crowd waits at most."""
USUAL_OVER = 20
"""How many answers the usual time of one is taken over, as a moving average whose weights fall off."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The leave to make one attempt. `turn` is the circuit's at the time, `trial` a half-open circuit's single one;
    `patience_s` is how long to wait when there is another region to ask: less where as many calls wait already as may
    wait for a whole attempt, and not at all where none of those was answered lately.
    """

    turn: int
    trial: bool = False
    patience_s: float = float("inf")
    doubts: int = 0
    """How many failures of pooled connections (doubt.py) there had been when it was given."""

    @property
    def brief(self) -> bool:
        """Whether it may not wait for a whole attempt. The error rate is that of those which may: whether there is a
        place for a call does not depend on what comes of it, so they are a fair sample."""
        return self.patience_s < float("inf")


class Lane:
    """A region as one worker has met it."""

    def __init__(self, config: RouterConfig) -> None:
        self._config = config
        self._trial_out = False
        self._under_way = self._whole = 0
        self._quiet_since = 0.0
        self._requests = self._ok = self._failed = self._trials_passed = self._trials_failed = 0
        self._failures: Counter[str] = Counter()
        self._latency = [0] * (len(LATENCY_BOUNDS_MS) + 1)
        self._latency_ms = 0.0
        self._usual_ms: float | None = None
        self._crowded = self._unweighed = self._unweighed_failed = 0
        self._denied = self._refused_writes = 0
        self._last_reason = self._last_denial = ""
        self._sent_in_vain = False
        self._doubt = Doubt(config)
        self._before_doubt: Circuit | None = None
        self._retracted = 0
        self.circuit = Circuit()

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
        """Whether what was sent there opened the own circuit: a name or a connection that fails says nothing of the
        connections that there are, and these may be all that still serves."""
        return self.circuit.state is CircuitState.OPEN and self._sent_in_vain

    def admit(self, host: CircuitState | None, now: float) -> Ticket | None:
        """Leave for one attempt, or None when the circuit is open or its single trial is under way."""
        match self.state(host, now):
            case CircuitState.CLOSED:
                return self._ticket(now)
            case CircuitState.HALF_OPEN if not self._trial_out:
                self._trial_out = True
                return self._ticket(now, trial=True)
            case _:
                return None

    def last_resort(self, now: float) -> Ticket:
        """Leave that needs no circuit's consent, when there is no other region to turn to. It is no trial: it can save
        a call, but neither closes nor re-opens a circuit."""
        return self._ticket(now)

    def count(self, result: Success[object] | Failure, ms: float, *, brief: bool = False, writes: bool = False) -> None:
        """Count one attempt; `brief` when its ticket was, `writes` when it was one of a call that writes."""
        self._requests += 1
        self._unweighed += brief
        if isinstance(result, Failure):
            self._failures[result.outcome.value] += 1
            self._failed += result.counts
            self._unweighed_failed += brief and result.counts
            if result.error_class is ErrorClass.DENIED:
                self._denied += 1
                self._last_denial = result.detail
        else:
            self._refused_writes *= not writes
            self._ok += 1
            self._latency[bisect_left(LATENCY_BOUNDS_MS, ms)] += 1
            self._latency_ms += ms
            self._usual_ms = ms if self._usual_ms is None else self._usual_ms + (ms - self._usual_ms) / USUAL_OVER

    def sent_on(self) -> None:
        """Count a call that went on to another region because others waited here."""
        self._crowded += 1

    def settle(self, ticket: Ticket, result: Success[object] | Failure | None, now: float) -> None:
        """Hand the ticket back with what came of it (None: nothing that says anything), and let the circuit judge.

        What began in an earlier turn of the circuit is too old to decide this one.
        """
        self._under_way -= 1
        self._whole -= not ticket.brief
        if ticket.trial:
            self._trial_out = False
        failed = isinstance(result, Failure)
        if result is not None and not (isinstance(result, Failure) and result.error_class.counts):
            self._quiet_since = now
        if result is None or (isinstance(result, Failure) and not result.counts):
            return
        if ticket.trial:
            self._trials_failed += failed
            self._trials_passed += not failed
        in_doubt = isinstance(result, Failure) and self._doubt.failed(
            now, pooled=result.pooled, weighed=not ticket.brief
        )
        if not failed and ticket.doubts:
            self._take_back(self._doubt.answered(ticket.doubts, now))
        if ticket.turn != self.circuit.turns:
            return
        if isinstance(result, Failure):
            before = self.circuit
            self.circuit = breaker.on_failure(
                self.circuit, config=self._config, now=now, reason=said(result), trial=ticket.trial
            )
            if self.circuit.openings > before.openings:
                self._last_reason = self.circuit.cause
                self._sent_in_vain = result.error_class is ErrorClass.UNKNOWN
                self._before_doubt = before if in_doubt and before.state is CircuitState.CLOSED else None
        else:
            self.circuit = breaker.on_success(self.circuit, config=self._config, now=now, trial=ticket.trial)

    def accepted_elsewhere(self, ticket: Ticket, refusal: Failure, now: float) -> None:
        """A write that this region refused was accepted by another one: its refusal counts against this region.

        A write alone does, and a row of them ends only when one is accepted: where only reads are refused, votes are
        taken, and where only writes are, answers to reads prove nothing. A single denied action opens no circuit as
        long as votes are accepted in between.
        """
        self._refused_writes += 1
        self._trials_failed += ticket.trial
        if ticket.turn != self.circuit.turns:
            return
        before = self.circuit.openings
        self.circuit = breaker.on_refusals(
            self.circuit,
            config=self._config,
            now=now,
            count=self._refused_writes,
            detail=refusal.detail,
            trial=ticket.trial,
        )
        if self.circuit.openings > before:
            self._last_reason = self.circuit.cause
            self._before_doubt = None  # no answer takes this opening back
            self._sent_in_vain = False

    def report(self, now: float) -> RegionReport:
        """The counters so far, frozen."""
        return RegionReport(
            requests=self._requests,
            ok=self._ok,
            failed=self._failed,
            failures=dict(self._failures),
            latency=tuple(self._latency),
            latency_ms=self._latency_ms,
            crowded=self._crowded,
            unweighed=self._unweighed,
            unweighed_failed=self._unweighed_failed,
            denied=self._denied,
            refused_writes=self._refused_writes,
            trials_passed=self._trials_passed,
            trials_failed=self._trials_failed,
            circuit=self.circuit.state,
            consecutive_failures=self.circuit.failures,
            openings=self.circuit.openings + self._retracted,
            retracted=self._retracted,
            last_reason=self._last_reason,
            last_denial=self._last_denial,
            open_s=now - self.circuit.since if self.circuit.state is CircuitState.OPEN else 0.0,
        )

    def _take_back(self, taken: TakenBack) -> None:
        """Leave failures of pooled connections out of the error rate, and undo the opening that they made."""
        self._unweighed += taken.weighed
        self._unweighed_failed += taken.weighed
        if taken.failures and self._before_doubt is not None and self.circuit.state is CircuitState.OPEN:
            self.circuit = breaker.retracted(self.circuit, self._before_doubt)
            self._before_doubt = None
            self._retracted += 1

    @property
    def _places(self) -> int:
        """How many may wait for a whole attempt: those that failed one after another need not be found out again."""
        return max(1, self._config.share - self.circuit.failures)

    def _enter(self, now: float) -> None:
        if not self._under_way:
            self._quiet_since = now
        self._under_way += 1

    def _ticket(self, now: float, *, trial: bool = False) -> Ticket:
        self._enter(now)
        if trial or self._whole < self._places:
            self._whole += 1
            return Ticket(self.circuit.turns, trial, doubts=self._doubt.count)
        # Where every answer is on its way for long, that is no sign that none will come.
        usual_s = (self._usual_ms or 0.0) / 1000
        patience_s = max(self._config.crowded_s, self._config.slow_factor * usual_s)
        patience_s = min(patience_s, self._config.attempt_timeout_s * MOST_PATIENCE)
        patience_s = patience_s if now - self._quiet_since < patience_s else 0.0
        return Ticket(self.circuit.turns, trial, patience_s, self._doubt.count)


def said(failure: Failure) -> str:
    """A failure in a few words."""
    if not failure.detail:
        return failure.outcome.value
    return phrase("{outcome} ({detail})", outcome=failure.outcome.value, detail=failure.detail)
