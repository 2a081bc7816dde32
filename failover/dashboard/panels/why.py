"""Why it did, and why it did not: each rule's value beside its threshold."""

from __future__ import annotations

from dataclasses import dataclass

from failover.dashboard.figures import number, words
from failover.dashboard.reading import Reading


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule for one region."""

    name: str
    region: str
    value: str
    threshold: str
    met: bool
    text: str


def build(reading: Reading) -> tuple[Rule, ...]:
    """The rules that are met first, else in the document's order."""
    found = reading.status["explain"] if reading.status is not None else []
    return tuple(
        Rule(words(one["rule"]), one["region"], number(one["value"]), number(one["threshold"]), one["met"], one["text"])
        for one in sorted(found, key=lambda one: not one["met"])
    )
