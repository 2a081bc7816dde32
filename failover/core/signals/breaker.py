"""A circuit: whether a region gets traffic. Pure transitions over a frozen state, used by worker and monitor alike.

A wait doubles each time the circuit opens again, up to a cap, and starts afresh once it has stayed closed for the cap.
A circuit that goes from closed to open many times within a window is flapping: it is held longer than the cap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from failover.core.config import RouterConfig
from failover.core.phrases import phrase


class CircuitState(StrEnum):
    """Closed lets traffic through, open does not, half-open lets single trials through."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


_SEVERITY = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit's state. Times are monotonic seconds; `wait_s` is the wait of its latest opening, 0 before the first;
    `trials_passed` are those of the latest half-open.

    `turns` counts the transitions: an attempt that began in an earlier turn must not decide a later one. `relapses`
    are the times of the latest openings from closed. `reason` tells why it is not closed; `cause` tells what opened it
    last, without the remark about its hold.
    """

    state: CircuitState = CircuitState.CLOSED
    since: float = float("-inf")
    failures: int = 0
    trials_passed: int = 0
    wait_s: float = 0.0
    openings: int = 0
    turns: int = 0
    reason: str = ""
    relapses: tuple[float, ...] = ()
    cause: str = ""

    def flaps(self, now: float, config: RouterConfig) -> int:
        """How many times it went from closed to open within the window that counts."""
        return sum(now - at < config.flap_window_s for at in self.relapses)

    def waited(self, now: float) -> bool:
        """Whether an open circuit has been open for its wait."""
        return now - self.since >= self.wait_s


def worse(state: CircuitState, other: CircuitState) -> CircuitState:
    """The state that lets less through."""
    return max(state, other, key=_SEVERITY.__getitem__)


def opened(circuit: Circuit, *, config: RouterConfig, now: float, reason: str) -> Circuit:
    """Open, with the wait that its history asks for. An open circuit stays as it is."""
    if circuit.state is CircuitState.OPEN:
        return circuit
    was_closed = circuit.state is CircuitState.CLOSED
    first = circuit.openings == 0 or (was_closed and now - circuit.since >= config.hold_cap_s)
    wait_s = config.hold_s if first else min(circuit.wait_s * 2, config.hold_cap_s)
    recent = [at for at in circuit.relapses if now - at < config.flap_window_s]
    relapses = (*recent, now) if was_closed else tuple(recent)
    cause = reason
    if len(relapses) >= config.flap_openings:
        wait_s = config.flap_hold_s
        reason = phrase(
            "{reason}; it opened {openings} times within {window:.0f} s, so it is held longer",
            reason=reason,
            openings=len(relapses),
            window=config.flap_window_s,
        )
    return replace(
        circuit,
        state=CircuitState.OPEN,
        since=now,
        wait_s=wait_s,
        openings=circuit.openings + 1,
        turns=circuit.turns + 1,
        reason=reason,
        relapses=relapses,
        cause=cause,
    )


def half_opened(circuit: Circuit, *, now: float) -> Circuit:
    """Let single trials through. The row of failures that opened the circuit is over."""
    return replace(
        circuit, state=CircuitState.HALF_OPEN, since=now, failures=0, trials_passed=0, turns=circuit.turns + 1
    )


def closed(circuit: Circuit, *, now: float) -> Circuit:
    """Let everything through. The wait is remembered, so that a relapse soon after doubles it."""
    return replace(circuit, state=CircuitState.CLOSED, since=now, failures=0, turns=circuit.turns + 1, reason="")


def retracted(circuit: Circuit, before: Circuit) -> Circuit:
    """The circuit as it was `before` an opening whose failures were taken back. Attempts that began until now decide
    nothing any more."""
    return replace(before, failures=0, turns=circuit.turns + 1)


def on_failure(circuit: Circuit, *, config: RouterConfig, now: float, reason: str, trial: bool = False) -> Circuit:
    """Count a class A or B failure. The third in a row opens the circuit, and a failed trial opens it at once."""
    counted = replace(circuit, failures=circuit.failures + 1)
    if trial:
        return opened(counted, config=config, now=now, reason=phrase("a trial failed: {reason}", reason=reason))
    if circuit.state is CircuitState.CLOSED and counted.failures >= config.failures_to_open:
        reason = phrase("{failures} failures in a row: {reason}", failures=counted.failures, reason=reason)
        return opened(counted, config=config, now=now, reason=reason)
    return counted


def on_refusals(circuit: Circuit, *, config: RouterConfig, now: float, count: int, detail: str, trial: bool) -> Circuit:
    """Judge `count` writes in a row that were refused here and accepted by another region. The third opens the circuit,
    and a refused trial opens it at once. `detail` is what the latest refusal said."""
    if trial:
        reason = phrase("a trial was refused ({detail}), and another region accepted it", detail=detail)
        return opened(circuit, config=config, now=now, reason=reason)
    if circuit.state is CircuitState.CLOSED and count >= config.failures_to_open:
        reason = phrase(
            "{count} writes in a row were refused ({detail}), and another region accepted them",
            count=count,
            detail=detail,
        )
        return opened(circuit, config=config, now=now, reason=reason)
    return circuit


def on_success(circuit: Circuit, *, config: RouterConfig, now: float, trial: bool = False) -> Circuit:
    """Count a success. It ends the row of failures, and enough passed trials close a half-open circuit."""
    if not (trial and circuit.state is CircuitState.HALF_OPEN):
        return replace(circuit, failures=0) if circuit.failures else circuit
    counted = replace(circuit, failures=0, trials_passed=circuit.trials_passed + 1)
    return closed(counted, now=now) if counted.trials_passed >= config.trials_to_close else counted
