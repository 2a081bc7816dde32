"""What a host has counted for good: a total never goes back, whichever of its processes restart or are killed.

A worker's own counters begin at zero with it. Once the worker is gone they are added to the host's totals. The totals
keep its name, so that a report that outlived it is not counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from failover.core.counters import (
    NOTHING,
    CallCounters,
    RegionCounters,
    counters_from_json,
    counters_to_json,
)
from failover.core.events import Event
from failover.core.exchange.reports import WorkerReport
from failover.core.signals.health import Canary

Counts = Mapping[tuple[str, ...], int]
NAMES_KEPT = 200
"""Of workers that are gone. A report is removed right after its worker was added, so a handful would do."""


@dataclass(frozen=True, slots=True)
class HostCounters(CallCounters):
    """What several workers of a host have counted together."""

    regions: Mapping[str, RegionCounters] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Totals:
    """`gone` sums up the workers that are gone, `names` are the latest of these.

    `canaries` counts by (region, layer, passed or failed), `events` by (kind, region, from, to, cause).
    """

    gone: HostCounters = field(default_factory=HostCounters)
    names: tuple[str, ...] = ()
    canaries: Counts = field(default_factory=dict)
    events: Counts = field(default_factory=dict)


def folded(totals: Totals, gone: Mapping[str, WorkerReport]) -> Totals:
    """The totals once workers are gone, `gone` being their last reports."""
    new = {name: report for name, report in gone.items() if name not in totals.names}
    if not new:
        return totals
    names = (*totals.names, *new)[-NAMES_KEPT:]
    return Totals(_sum(totals.gone, new.values()), names, totals.canaries, totals.events)


def counted(totals: Totals, reports: Mapping[str, WorkerReport]) -> HostCounters:
    """Everything that the host's workers, the living and the gone, have counted.

    The reports must have been read before the totals: a worker that is added to them in between is then in both, and
    counted once; the other way round it would be in neither.
    """
    return _sum(totals.gone, (report for name, report in reports.items() if name not in totals.names))


def with_canary(totals: Totals, region: str, canary: Canary) -> Totals:
    """The totals with one more canary. A layer that it did not reach is not counted."""
    counts = dict(totals.canaries)
    for name, layer in canary.layers.items():
        if layer.ok is not None:
            _count(counts, (region, name, "passed" if layer.ok else "failed"))
    return Totals(totals.gone, totals.names, counts, totals.events)


def with_event(totals: Totals, event: Event, cause: str) -> Totals:
    """The totals with one more event; `cause` is one of a few words."""
    counts = dict(totals.events)
    _count(counts, (event.kind.value, event.region, event.from_, event.to, cause))
    return Totals(totals.gone, totals.names, totals.canaries, counts)


def totals_to_json(totals: Totals) -> dict[str, Any]:
    """The totals as plain JSON values."""
    regions = totals.gone.regions.items()
    return {
        "calls": counters_to_json(CallCounters, totals.gone),
        "regions": {name: counters_to_json(RegionCounters, counters) for name, counters in regions},
        "names": totals.names,
        "canaries": [[*labels, count] for labels, count in totals.canaries.items()],
        "events": [[*labels, count] for labels, count in totals.events.items()],
    }


def totals_from_json(document: Any) -> Totals:
    """The totals that were written. Raises ValueError for anything else."""
    try:
        regions = {
            str(name): RegionCounters(**counters_from_json(RegionCounters, counters))
            for name, counters in document["regions"].items()
        }
        gone = HostCounters(regions, **counters_from_json(CallCounters, document["calls"]))
        names = tuple(map(str, document["names"]))
        return Totals(gone, names, _counts(document["canaries"], 3), _counts(document["events"], 5))
    except (LookupError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a host's totals: {exc!r}") from exc


def _counts(rows: Any, labels: int) -> Counts:
    counts = {tuple(map(str, row[:-1])): int(row[-1]) for row in rows}
    if any(len(key) != labels for key in counts):
        raise ValueError("counts with other labels")
    return counts


def _count(counts: dict[tuple[str, ...], int], labels: tuple[str, ...]) -> None:
    counts[labels] = counts.get(labels, 0) + 1


def _sum(before: HostCounters, reports: Iterable[WorkerReport]) -> HostCounters:
    """The sum of the counters. The state of a region in a report, such as its circuit, is no part of it."""
    calls: CallCounters = before
    regions = dict(before.regions)
    for report in reports:
        calls += report
        for name, region in report.regions.items():
            regions[name] = regions.get(name, NOTHING) + region.counters
    return HostCounters(regions, **counters_to_json(CallCounters, calls))
