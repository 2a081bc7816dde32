"""What a host has counted for good: a total never goes back, whichever of its processes restart or are killed.

A worker's own counters begin at zero with it. Once it is gone they are folded into the host's totals, in which its name
stays, so that a report that outlived it is not counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import add
from typing import Any

from failover.core.events import Event
from failover.core.exchange.reports import CALLS, RegionReport, WorkerReport, report_from_json, report_to_json
from failover.core.signals.health import Canary

Counts = Mapping[tuple[str, ...], int]
NAMES_KEPT = 200
"""Of workers that are gone. A report is removed right after its worker is folded in, so a handful would do."""

_SUMMED = (
    *("requests", "ok", "failed", "crowded", "unweighed", "unweighed_failed", "denied"),
    *("trials_passed", "trials_failed", "openings", "retracted", "latency_ms"),
)


@dataclass(frozen=True, slots=True)
class Totals:
    """`gone` sums up the workers that are gone, `names` are the latest of these.

    `canaries` counts by (region, layer, passed or failed), `events` by (kind, region, from, to, cause).
    """

    gone: WorkerReport = field(default_factory=lambda: WorkerReport(0.0, 0.0, {}))
    names: tuple[str, ...] = ()
    canaries: Counts = field(default_factory=dict)
    events: Counts = field(default_factory=dict)


def folded(totals: Totals, gone: Mapping[str, WorkerReport]) -> Totals:
    """The totals once workers are gone, `gone` being their last reports."""
    new = {name: report for name, report in gone.items() if name not in totals.names}
    if not new:
        return totals
    names = (*totals.names, *new)[-NAMES_KEPT:]
    return Totals(_summed([totals.gone, *new.values()]), names, totals.canaries, totals.events)


def counted(totals: Totals, reports: Mapping[str, WorkerReport]) -> WorkerReport:
    """Everything that the host's workers, the living and the gone, have counted.

    The reports must have been read before the totals: a worker that is folded in between is then in both, and counted
    once; the other way round it would be in neither.
    """
    return _summed([totals.gone, *(report for name, report in reports.items() if name not in totals.names)])


def with_canary(totals: Totals, region: str, canary: Canary) -> Totals:
    """One more canary. A layer that it did not reach is not counted."""
    counts = dict(totals.canaries)
    for layer, seen in canary.layers.items():
        if seen.ok is not None:
            _count(counts, (region, layer, "passed" if seen.ok else "failed"))
    return Totals(totals.gone, totals.names, counts, totals.events)


def with_event(totals: Totals, event: Event, cause: str) -> Totals:
    """One more event; `cause` is one word out of few."""
    counts = dict(totals.events)
    _count(counts, (event.kind.value, event.region, event.from_, event.to, cause))
    return Totals(totals.gone, totals.names, totals.canaries, counts)


def totals_to_json(totals: Totals) -> dict[str, Any]:
    """The totals as plain JSON values."""
    return {
        "gone": report_to_json(totals.gone),
        "names": totals.names,
        "canaries": [[*labels, count] for labels, count in totals.canaries.items()],
        "events": [[*labels, count] for labels, count in totals.events.items()],
    }


def totals_from_json(document: Any) -> Totals:
    """The totals that were written. Raises ValueError for anything else."""
    try:
        gone, names = report_from_json(document["gone"]), tuple(map(str, document["names"]))
        return Totals(gone, names, _counts(document["canaries"], 3), _counts(document["events"], 5))
    except (LookupError, TypeError) as exc:
        raise ValueError(f"not a host's totals: {exc!r}") from exc


def _counts(rows: Any, labels: int) -> Counts:
    counts = {tuple(map(str, row[:-1])): int(row[-1]) for row in rows}
    if any(len(key) != labels for key in counts):
        raise ValueError("counts with other labels")
    return counts


def _count(counts: dict[tuple[str, ...], int], labels: tuple[str, ...]) -> None:
    counts[labels] = counts.get(labels, 0) + 1


def _summed(reports: Iterable[WorkerReport]) -> WorkerReport:
    """The sum of the counters; what is a state and no counter is left at its default."""
    regions: dict[str, RegionReport] = {}
    calls = dict.fromkeys(CALLS, 0)
    for report in reports:
        for name in calls:
            calls[name] += getattr(report, name)
        for region, one in report.regions.items():
            regions[region] = _both(regions.get(region, RegionReport()), one)
    return WorkerReport(0.0, 0.0, regions, **calls)


def _both(one: RegionReport, other: RegionReport) -> RegionReport:
    failures = dict(one.failures)
    for outcome, count in other.failures.items():
        failures[outcome] = failures.get(outcome, 0) + count
    return RegionReport(
        failures=failures,
        latency=tuple(map(add, one.latency, other.latency)),
        **{name: getattr(one, name) + getattr(other, name) for name in _SUMMED},
    )
