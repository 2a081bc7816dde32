"""How a rule is written down, for all that explain one."""

from __future__ import annotations

from failover.core.phrases import Phrase, phrase, to_json
from failover.core.signals.breaker import CircuitState
from failover.core.status.types import ExplainDocument
from failover.core.watching.facts import RegionFacts

_STATES = {
    CircuitState.CLOSED: phrase("closed"),
    CircuitState.HALF_OPEN: phrase("half-open"),
    CircuitState.OPEN: phrase("open"),
}


def row(
    rule: str, facts: RegionFacts, value: float | None, threshold: float | None, met: bool, text: Phrase
) -> ExplainDocument:
    """One rule for one region. None for what is not known, or for a rule that is yes or no."""
    return {
        "rule": rule,
        "region": facts.name,
        "value": value,
        "threshold": threshold,
        "met": met,
        "text": text,
        "said": to_json(text),
    }


def word(state: CircuitState) -> Phrase:
    """A circuit's state within a sentence."""
    return _STATES[state]


def milliseconds(value: float | None) -> float | None:
    """Whole milliseconds."""
    return None if value is None else round(value)
