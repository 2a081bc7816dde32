"""The counters that workers report, that totals add up, and that the error rate subtracts.

They are frozen values with addition, subtraction and JSON. A new counter is one more field here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from operator import add, sub
from typing import Any, TypeVar

from failover.core.errors import Outcome

LATENCY_BOUNDS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000)
"""Upper bounds of the latency histogram's buckets in ms; one more bucket follows for everything above."""
_EMPTY = (0,) * (len(LATENCY_BOUNDS_MS) + 1)
_MIDDLES_MS = (*((low + high) / 2 for low, high in pairwise((0, *LATENCY_BOUNDS_MS))), LATENCY_BOUNDS_MS[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounters:
    """A worker's calls by how they ended.

    `refused` are those that failed by the caller's own business (class D). `failed_over` are the answered ones that
    another region than the first choice answered. `denied` are the unanswered ones that every region refused (class E).
    """

    answered: int = 0
    refused: int = 0
    unanswered: int = 0
    failed_over: int = 0
    denied: int = 0

    @property
    def calls(self) -> int:
        """All calls that have ended."""
        return self.answered + self.refused + self.unanswered

    def __add__(self, other: CallCounters) -> CallCounters:
        return _combined(CallCounters, self, other, add)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionCounters:
    """What was counted about one region: by one worker, by all of a host, or within a stretch of time.

    - `requests`: every attempt whose end is known; `ok` and `failures` (by outcome, class C and D among them) add up
      to it. `failed` are the class A and B among the failures, `denied` the class E.
    - `latency`: the successes by `LATENCY_BOUNDS_MS`; `latency_ms`: the sum of their times.
    - `congested`: calls that went on to another region sooner, or without an attempt, because other calls of their
      worker waited for this region.
    - `unweighed`: attempts that the error rate leaves out; `unweighed_failed`: the class A and B among them. These are
      attempts that might have been given a shortened timeout because others waited, whatever came of them, and
      failures of pooled connections that were taken back (doubt.py).
    - `trials_passed`, `trials_failed`: single trials of a half-open circuit.
    - `openings`: of the workers' circuits; `retracted`: the openings that were taken back with such failures.
    """

    requests: int = 0
    ok: int = 0
    failed: int = 0
    denied: int = 0
    congested: int = 0
    unweighed: int = 0
    unweighed_failed: int = 0
    trials_passed: int = 0
    trials_failed: int = 0
    openings: int = 0
    retracted: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    latency: tuple[int, ...] = _EMPTY
    latency_ms: float = 0.0

    def __add__(self, other: RegionCounters) -> RegionCounters:
        if other is NOTHING:
            return self
        return other if self is NOTHING else _combined(RegionCounters, self, other, add)

    def __sub__(self, other: RegionCounters) -> RegionCounters:
        return _combined(RegionCounters, self, other, sub)

    def by_outcome(self, outcome: Outcome) -> int:
        """How many attempts had that outcome."""
        return self.ok if outcome is Outcome.OK else self.failures.get(outcome.value, 0)

    @property
    def weighed(self) -> int:
        """The requests that the error rate is of."""
        return self.requests - self.unweighed

    @property
    def error_rate(self) -> float:
        """The share of the weighed requests that failed, 0 to 1; 0 when there is no request."""
        return (self.failed - self.unweighed_failed) / self.weighed if self.weighed else 0.0

    @property
    def unserved_rate(self) -> float:
        """The share that brought no answer by the region's doing, 0 to 1: those that failed, and those that the region
        refused for what it says of itself or of us. It is shown, and opens no circuit."""
        return min(1.0, self.error_rate + self.denied / self.weighed) if self.weighed else 0.0

    @property
    def answers(self) -> int:
        """How many attempts brought a value."""
        return sum(self.latency)

    @property
    def mean_ms(self) -> float | None:
        """About how long a success took, as if each took the middle of its bucket; None when there is no success."""
        if not any(self.latency):
            return None
        return sum(count * middle for count, middle in zip(self.latency, _MIDDLES_MS, strict=True)) / self.answers

    def percentile(self, share: float) -> float | None:
        """The latency in ms below which that share of the successes lies, interpolated; None when there is no success.

        Above the last bound it is the last bound, which then means "at least".
        """
        answers = self.answers
        if not answers:
            return None
        rank = share * answers
        below, low = 0, 0.0
        for count, high in zip(self.latency, LATENCY_BOUNDS_MS, strict=False):
            if count and below + count >= rank:
                return low + (high - low) * (rank - below) / count
            below, low = below + count, float(high)
        return low


NOTHING = RegionCounters()
"""Adds nothing, and costs nothing to add."""


Kind = TypeVar("Kind", CallCounters, RegionCounters)
_NAMES: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(counter.name for counter in fields(kind)) for kind in (CallCounters, RegionCounters)
}


def counters_to_json(kind: type[Kind], counters: Kind) -> dict[str, Any]:
    """The counters that `kind` declares, as plain JSON values."""
    return {name: getattr(counters, name) for name in _NAMES[kind]}


def counters_from_json(kind: type[Kind], document: Any) -> dict[str, Any]:
    """The counters that `kind` declares, as keyword arguments. Raises KeyError, TypeError, AttributeError or ValueError
    for anything else."""
    return {name: _read(document[name], like=getattr(kind(), name)) for name in _NAMES[kind]}


def _combined(kind: type[Kind], counters: Kind, other: Kind, operation: Callable[[Any, Any], Any]) -> Kind:
    return kind(**{name: _both(getattr(counters, name), getattr(other, name), operation) for name in _NAMES[kind]})


def _both(value: Any, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(map(operation, value, other))
    if isinstance(value, Mapping):
        return {name: operation(value.get(name, 0), other.get(name, 0)) for name in {**value, **other}}
    return operation(value, other)


def _read(value: Any, *, like: Any) -> Any:
    if isinstance(like, tuple):
        counts = tuple(int(count) for count in value)
        if len(counts) != len(like):
            raise ValueError("a latency histogram of another shape")
        return counts
    if isinstance(like, Mapping):
        return {str(name): int(count) for name, count in value.items()}
    return type(like)(value)
