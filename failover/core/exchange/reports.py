"""What a host's processes tell each other, as it travels as JSON: a worker's report, and the monitor's view.

They are separate processes that talk through small files, so either can be written and read by anyone; what cannot be
read is an error of one kind, ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from failover.core.decisions import Decision
from failover.core.errors import Outcome
from failover.core.exchange.restart import (
    Past,
    Serving,
    past_from_json,
    past_to_json,
    serving_from_json,
    serving_to_json,
)
from failover.core.latency_bounds import LATENCY_BOUNDS_MS
from failover.core.phrases import Phrase, from_json, to_json
from failover.core.signals.breaker import CircuitState

CALLS = ("calls", "answered", "refused", "unanswered", "failed_over", "denied")
"""A worker's counters of calls."""


@dataclass(frozen=True, slots=True)
class RegionReport:
    """One worker's dealings with one region, counted since the worker started.

    `requests` is every attempt whose end is known; `ok` and `failures` (by outcome, class C and D among them) add up to
    it; `failed` are the class A and B among the failures. `latency` counts the successes by `LATENCY_BOUNDS_MS`, and
    `latency_ms` sums up their times. `crowded` are the calls that went on to another region sooner, or without an
    attempt, because others of their worker waited here. `unweighed` are the attempts that the error rate leaves out,
    and `unweighed_failed` the class A and B among these: those that might not have waited for a whole one because
    others waited, whatever came of them, and failures of pooled connections that were taken back (doubt.py).
    `retracted` are the openings that went with such failures.
    `denied` are the class E among the failures, and `last_denial` what the latest of them said; `refused_writes` is the
    row of writes that were refused here, accepted elsewhere, and not followed by one that was accepted here.
    `open_s` is for how many seconds an open circuit has been open; two reports that differ in nothing else are equal.
    """

    requests: int = 0
    ok: int = 0
    failed: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    latency: tuple[int, ...] = (0,) * (len(LATENCY_BOUNDS_MS) + 1)
    latency_ms: float = 0.0
    crowded: int = 0
    unweighed: int = 0
    unweighed_failed: int = 0
    denied: int = 0
    refused_writes: int = 0
    trials_passed: int = 0
    trials_failed: int = 0
    circuit: CircuitState = CircuitState.CLOSED
    consecutive_failures: int = 0
    openings: int = 0
    retracted: int = 0
    last_reason: str = ""
    last_denial: str = ""
    open_s: float = field(default=0.0, compare=False)

    def by_outcome(self, outcome: Outcome) -> int:
        """How many attempts ended so."""
        return self.ok if outcome is Outcome.OK else self.failures.get(outcome.value, 0)


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker's counters since it started. Times are seconds since the epoch.

    `calls` = `answered` + `refused` (class D) + `unanswered`; `failed_over` are the answered ones that another region
    than the first choice answered, `denied` the unanswered ones that every region refused (class E).
    """

    started_at: float
    at: float
    regions: Mapping[str, RegionReport]
    calls: int = 0
    answered: int = 0
    refused: int = 0
    unanswered: int = 0
    failed_over: int = 0
    denied: int = 0


@dataclass(frozen=True, slots=True)
class HostCircuit:
    """What a host's monitor says about one region's circuit, and why; `past` is for itself, should it restart.

    `ailing`: others are asked first where no circuit lets a call through.
    """

    state: CircuitState
    reason: str = ""
    past: Past | None = None
    ailing: bool = False


@dataclass(frozen=True, slots=True)
class HostView:
    """The monitor's verdict for its workers. `age_s` is how old it was when it was read."""

    decision: Decision | None
    circuits: Mapping[str, HostCircuit]
    age_s: float = 0.0
    serving: Serving | None = None


def report_to_json(report: WorkerReport) -> dict[str, Any]:
    """A report as plain JSON values. Written out, since each worker does this five times a second: `asdict` copies
    deeply and takes eighteen times as long."""
    return {**_fields(report), "regions": {name: _fields(one) for name, one in report.regions.items()}}


def report_from_json(document: Any) -> WorkerReport:
    """The report that was written. Raises ValueError for anything else."""
    try:
        regions = {name: _region_report(one) for name, one in document["regions"].items()}
        counts = {name: int(document[name]) for name in CALLS}
        return WorkerReport(float(document["started_at"]), float(document["at"]), regions, **counts)
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a worker's report: {exc!r}") from exc


def _fields(one: WorkerReport | RegionReport | Decision | HostCircuit) -> dict[str, Any]:
    return {field.name: _plain(getattr(one, field.name)) for field in fields(one)}


def _plain(value: Any) -> Any:
    return to_json(value) if isinstance(value, Phrase) else value


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """A decision as plain JSON values."""
    return _fields(decision)


def decision_from_json(document: Any) -> Decision:
    """The decision that was written. Raises ValueError for anything else."""
    try:
        return Decision(
            mode=document["mode"],
            region=document["region"],
            epoch=int(document["epoch"]),
            id=str(document["id"]),
            actor=str(document["actor"]),
            reason=str(document["reason"]),
            at=float(document["at"]),
            forced=bool(document["forced"]),
        )
    except (KeyError, TypeError) as exc:
        raise ValueError(f"not a routing decision: {exc!r}") from exc


def view_to_json(view: HostView) -> dict[str, Any]:
    """A view as plain JSON values, without its age: that is the reader's to know."""
    decision = None if view.decision is None else decision_to_json(view.decision)
    circuits = {name: _fields(one) | {"past": past_to_json(one.past)} for name, one in view.circuits.items()}
    return {"decision": decision, "circuits": circuits, "serving": serving_to_json(view.serving)}


def view_from_json(document: Any, *, age_s: float) -> HostView:
    """The view that was written `age_s` seconds ago. Raises ValueError for anything else; without what only a monitor
    that restarts would go on with, it is one all the same."""
    try:
        held = document["decision"]
        circuits = {
            str(name): HostCircuit(
                CircuitState(one["state"]),
                from_json(one["reason"]),
                past_from_json(one.get("past")),
                one.get("ailing") is True,
            )
            for name, one in document["circuits"].items()
        }
        decision = None if held is None else decision_from_json(held)
        return HostView(decision, circuits, age_s, serving_from_json(document.get("serving")))
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a host's view: {exc!r}") from exc


_WHOLE = (
    *("requests", "ok", "failed", "crowded", "unweighed", "unweighed_failed", "denied", "refused_writes"),
    *("trials_passed", "trials_failed", "consecutive_failures", "openings", "retracted"),
)


def _region_report(document: Any) -> RegionReport:
    latency = tuple(int(count) for count in document["latency"])
    if len(latency) != len(LATENCY_BOUNDS_MS) + 1:
        raise ValueError("a latency histogram of another shape")
    whole = {name: int(document[name]) for name in _WHOLE}
    return RegionReport(
        failures={str(outcome): int(count) for outcome, count in document["failures"].items()},
        latency=latency,
        latency_ms=float(document["latency_ms"]),
        circuit=CircuitState(document["circuit"]),
        last_reason=from_json(document["last_reason"]),
        last_denial=from_json(document["last_denial"]),
        open_s=float(document["open_s"]),
        **whole,
    )
