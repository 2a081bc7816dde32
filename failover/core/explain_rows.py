"""How a rule is written down, for all that explain one."""

from __future__ import annotations

from failover.core.facts import RegionFacts
from failover.core.status import ExplainDocument


def row(
    rule: str, facts: RegionFacts, value: float | None, threshold: float | None, met: bool, text: str
) -> ExplainDocument:
    """One rule for one region. None for what is not known, or for a rule that is yes or no."""
    return {"rule": rule, "region": facts.name, "value": value, "threshold": threshold, "met": met, "text": text}


def some(count: int, one: str, many: str = "") -> str:
    """A count and its noun."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"


def milliseconds(value: float | None) -> float | None:
    """Whole milliseconds."""
    return None if value is None else round(value)
