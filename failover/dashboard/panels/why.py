"""Why the router acted or did not: the value and threshold of each rule, a column for each region."""

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

_ALARMING = {"consecutive-failures", "canary-failures", "error-rate", "refused-writes", "disputed", "flapping"}
"""Rules that count against a region when they are met."""
_OF_THE_RETURN = {"failback-canaries", "failback-hold", "failback-lag", "failback-pace", "trials"}
"""Conditions for the return to a region whose circuit is not closed. The remaining rules decide
nothing alone.
"""
_FIGURES: dict[str, Callable[[float | None], str]] = {
    "error-rate": percent,
    "failback-lag": duration,
    "failback-pace": duration,
    "slow-p99": duration,
    "slow-elsewhere": duration,
    "slow-for-most": duration,
    "failback-hold": lambda seconds: duration(None if seconds is None else seconds * 1000),
}
"""The function that writes a rule's value and threshold; `number` for rules not listed."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One rule for one region. `mark` is plain when the rule explains nothing now. A yes-or-no rule
    has no threshold.
    """

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
    weighed = reading.status["explain"]
    regions = tuple(dict.fromkeys(rule["region"] for rule in weighed))
    cells = {(rule["rule"], rule["region"]): _cell(rule, circuits.get(rule["region"], "")) for rule in weighed}
    names = dict.fromkeys(rule["rule"] for rule in weighed)
    telling = [rule for rule in weighed if cells[rule["rule"], rule["region"]].mark in ("bad", "warn")]
    return Why(
        regions=regions,
        rows=tuple(Row(words(name), tuple(cells.get((name, region)) for region in regions)) for name in names),
        reasons=tuple(text_of(rule, "text") for rule in telling),
        rest=tuple(text_of(rule, "text") for rule in weighed if rule not in telling),
    )


def _cell(rule: ExplainDocument, circuit: str) -> Cell:
    figure = _FIGURES.get(rule["rule"], number)
    answer = _("yes") if rule["met"] else _("no")
    return Cell(
        value=answer if rule["threshold"] is None else figure(rule["value"]),
        threshold="" if rule["threshold"] is None else figure(rule["threshold"]),
        met=rule["met"],
        mark=_mark(rule, circuit),
    )


def _mark(rule: ExplainDocument, circuit: str) -> Mark:
    if rule["rule"] in _ALARMING:
        return "bad" if rule["met"] else "plain"
    if circuit == "closed" or rule["rule"] not in _OF_THE_RETURN:
        return "plain"
    if rule["rule"] == "trials" and circuit == "open":
        return "plain"
    return "ok" if rule["met"] else "warn"
