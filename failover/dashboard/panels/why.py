"""Why it did, and why it did not: each rule's value beside its threshold, a column for each region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _

from failover.core.status.types import ExplainDocument
from failover.dashboard.figures import Tone, duration, number, percent, words
from failover.dashboard.language import text_of
from failover.dashboard.reading import Reading

Mark = Tone | Literal["plain"]

_ALARMING = {"consecutive-failures", "canary-failures", "error-rate", "disputed", "flapping"}
"""Rules that speak against a region when they are met; of the others most are conditions of its return."""
_NEUTRAL = {"minimum-volume", "slow-volume", "slow-p99", "slow-elsewhere", "slow-for-most", "crowded"}
"""Rules that say nothing alone."""
_FIGURES: dict[str, Callable[[float | None], str]] = {
    "error-rate": percent,
    "failback-lag": duration,
    "failback-pace": duration,
    "slow-p99": duration,
    "slow-elsewhere": duration,
    "slow-for-most": duration,
    "failback-hold": lambda seconds: duration(None if seconds is None else seconds * 1000),
}
"""How a rule's value and threshold are written; a plain number unless it is named here."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One rule for one region. `mark` is plain when it has nothing to say now; a yes-or-no rule has no threshold."""

    value: str
    threshold: str
    met: bool
    mark: Mark


@dataclass(frozen=True, slots=True)
class Row:
    """One rule, and a cell for each region (None where it was not weighed)."""

    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """`reasons` are the sentences that explain the present state, `rest` all the others."""

    regions: tuple[str, ...]
    rows: tuple[Row, ...]
    reasons: tuple[str, ...]
    rest: tuple[str, ...]


def build(reading: Reading) -> Why:
    """The rules in the document's order."""
    if reading.status is None:
        return Why((), (), (), ())
    circuits = {region["name"]: region["circuit"] for region in reading.status["regions"]}
    found = reading.status["explain"]
    regions = tuple(dict.fromkeys(one["region"] for one in found))
    cells = {(one["rule"], one["region"]): _cell(one, circuits.get(one["region"], "")) for one in found}
    rules = dict.fromkeys(one["rule"] for one in found)
    telling = [one for one in found if cells[one["rule"], one["region"]].mark in ("bad", "warn")]
    return Why(
        regions=regions,
        rows=tuple(Row(words(rule), tuple(cells.get((rule, region)) for region in regions)) for rule in rules),
        reasons=tuple(text_of(one, "text") for one in telling),
        rest=tuple(text_of(one, "text") for one in found if one not in telling),
    )


def _cell(one: ExplainDocument, circuit: str) -> Cell:
    figure = _FIGURES.get(one["rule"], number)
    answer = _("yes") if one["met"] else _("no")
    return Cell(
        value=answer if one["threshold"] is None else figure(one["value"]),
        threshold="" if one["threshold"] is None else figure(one["threshold"]),
        met=one["met"],
        mark=_mark(one, circuit),
    )


def _mark(one: ExplainDocument, circuit: str) -> Mark:
    if one["rule"] in _ALARMING:
        return "bad" if one["met"] else "plain"
    if circuit == "closed" or one["rule"] in _NEUTRAL:
        return "plain"
    if one["rule"] == "trials" and circuit == "open":
        return "plain"
    return "ok" if one["met"] else "warn"
