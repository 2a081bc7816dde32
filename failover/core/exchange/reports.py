"""What the processes of a host exchange as JSON: a worker's report, and the monitor's view.

They are separate processes that exchange small files, and anything can stand in a file. What cannot be read is an error
of one kind, ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from failover.core.counters import CallCounters, RegionCounters, counters_from_json, counters_to_json
from failover.core.decisions import Decision
from failover.core.exchange.restart import (
    Past,
    Serving,
    past_from_json,
    past_to_json,
    serving_from_json,
    serving_to_json,
)
from failover.core.phrases import Phrase, from_json, to_json
from failover.core.signals.breaker import CircuitState


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionReport(RegionCounters):
    """One worker's dealings with one region: what it counted since it started, and how its circuit stands.

    `consecutive_failures` counts the class A and B failures in a row up to now. `refused_writes` counts
    the writes that this region refused and another one accepted, since this region last accepted a
    write. `last_reason` tells what opened the circuit last, `last_denial` what the latest refusal said.
    `open_s` is the time for which the circuit has been open, in seconds; comparisons ignore it.
    """

    circuit: CircuitState = CircuitState.CLOSED
    consecutive_failures: int = 0
    refused_writes: int = 0
    last_reason: str = ""
    last_denial: str = ""
    open_s: float = field(default=0.0, compare=False)

    @property
    def counters(self) -> RegionCounters:
        """The counters alone."""
        return RegionCounters(**counters_to_json(RegionCounters, self))


@dataclass(frozen=True, slots=True)
class WorkerReport(CallCounters):
    """One worker's counters since it started. Times are seconds since the epoch."""

    started_at: float
    at: float
    regions: Mapping[str, RegionReport]


@dataclass(frozen=True, slots=True)
class HostCircuit:
    """What a host's monitor says about one region's circuit, and why. `past` is for the monitor that follows it.

    `ailing`: the region's canaries fail, or results would run backwards there. When no circuit lets a
    call through, an ailing region is asked last.
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
    """A report as plain JSON values.

    The fields are read one by one, since each worker does this five times a second: `dataclasses.asdict` copies deeply
    and takes eighteen times as long.
    """
    return {**_fields(report), "regions": {name: _fields(region) for name, region in report.regions.items()}}


def report_from_json(document: Any) -> WorkerReport:
    """The report that was written. Raises ValueError for anything else."""
    try:
        regions = {str(name): _region_report(region) for name, region in document["regions"].items()}
        calls = counters_from_json(CallCounters, document)
        return WorkerReport(float(document["started_at"]), float(document["at"]), regions, **calls)
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a worker's report: {exc!r}") from exc


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
    """A view as plain JSON values, without its age, which only its reader can know."""
    decision = None if view.decision is None else decision_to_json(view.decision)
    circuits = {
        name: _fields(circuit) | {"past": past_to_json(circuit.past)} for name, circuit in view.circuits.items()
    }
    return {"decision": decision, "circuits": circuits, "serving": serving_to_json(view.serving)}


def view_from_json(document: Any, *, age_s: float) -> HostView:
    """The view that was written `age_s` seconds ago. Raises ValueError for anything else.

    What only a monitor that restarts goes on with (`past`, `serving`) may be missing or unreadable: then it is None.
    """
    try:
        circuits = {
            str(name): HostCircuit(
                CircuitState(circuit["state"]),
                from_json(circuit["reason"]),
                past_from_json(circuit.get("past")),
                circuit.get("ailing") is True,
            )
            for name, circuit in document["circuits"].items()
        }
        decision = None if document["decision"] is None else decision_from_json(document["decision"])
        return HostView(decision, circuits, age_s, serving_from_json(document.get("serving")))
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a host's view: {exc!r}") from exc


def _region_report(document: Any) -> RegionReport:
    return RegionReport(
        **counters_from_json(RegionCounters, document),
        circuit=CircuitState(document["circuit"]),
        consecutive_failures=int(document["consecutive_failures"]),
        refused_writes=int(document["refused_writes"]),
        last_reason=from_json(document["last_reason"]),
        last_denial=from_json(document["last_denial"]),
        open_s=float(document["open_s"]),
    )


def _fields(value: WorkerReport | RegionReport | Decision | HostCircuit) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    return to_json(value) if isinstance(value, Phrase) else value
