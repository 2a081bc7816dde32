"""The table of rules: each rule's value beside its threshold for every region, also when nothing happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failover.core.phrases import Phrase, to_json
from failover.core.signals.breaker import CircuitState
from failover.core.signals.error_rate import over_threshold
from failover.core.status import rule_texts as texts
from failover.core.status.types import ExplainDocument
from failover.core.watching.facts import RegionFacts


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its public name, what it compares, and its sentence.

    A value of None is unknown or does not apply now. So is a threshold of None, or it belongs to a rule
    that is yes or no. Without `met` the rule is met when the value has reached the threshold.
    """

    name: str
    value: Callable[[RegionFacts], float | None]
    threshold: Callable[[RegionFacts], float | None]
    text: Callable[[RegionFacts], Phrase]
    met: Callable[[RegionFacts], bool] | None = None

    def explain(self, facts: RegionFacts) -> ExplainDocument:
        """The rule for one region."""
        value, threshold, text = self.value(facts), self.threshold(facts), self.text(facts)
        reached = value is not None and threshold is not None and value >= threshold
        return {
            "rule": self.name,
            "region": facts.name,
            "value": value,
            "threshold": threshold,
            "met": reached if self.met is None else self.met(facts),
            "text": text,
            "said": to_json(text),
        }


def explain(facts: RegionFacts) -> list[ExplainDocument]:
    """All rules for one region."""
    return [rule.explain(facts) for rule in RULES]


def _none(facts: RegionFacts) -> None:
    del facts


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else round(value)


def _hold_value(facts: RegionFacts) -> float | None:
    return round(max(0.0, facts.now - facts.circuit.since), 1) if facts.circuit.openings else None


def _hold_threshold(facts: RegionFacts) -> float:
    return facts.circuit.wait_s if facts.circuit.openings else facts.config.hold_s


_IS_OPENED = (
    Rule(
        "consecutive-failures",
        value=lambda facts: facts.failures_in_a_row,
        threshold=lambda facts: facts.config.failures_to_open,
        text=texts.consecutive_failures,
    ),
    Rule(
        "canary-failures",
        value=lambda facts: facts.health.failures,
        threshold=lambda facts: facts.config.canary_failures_to_open,
        text=texts.canary_failures,
    ),
    Rule(
        "error-rate",
        value=lambda facts: round(facts.judged.error_rate, 4),
        threshold=lambda facts: facts.config.error_rate,
        met=lambda facts: over_threshold(facts.judged, facts.config),
        text=texts.error_rate,
    ),
    Rule(
        "minimum-volume",
        value=lambda facts: facts.judged.weighed,
        threshold=lambda facts: facts.config.min_volume,
        text=texts.minimum_volume,
    ),
    Rule(
        "refused-writes",
        value=lambda facts: facts.refused_writes,
        threshold=lambda facts: facts.config.failures_to_open,
        text=texts.refused_writes,
    ),
)
"""What opens a region's circuit because calls fail."""
_IS_SLOW = (
    Rule(
        "slow-volume",
        value=lambda facts: facts.slowness.pace.volume,
        threshold=lambda facts: facts.config.slow_volume,
        text=texts.slow_volume,
    ),
    Rule(
        "slow-p99",
        value=lambda facts: _milliseconds(facts.slowness.pace.p99_ms),
        threshold=lambda facts: _milliseconds(facts.slowness.own_limit_ms),
        met=lambda facts: facts.slowness.by_itself,
        text=texts.slow_p99,
    ),
    Rule(
        "slow-elsewhere",
        value=lambda facts: _milliseconds(facts.slowness.pace.p99_ms),
        threshold=lambda facts: _milliseconds(facts.slowness.rival_limit_ms),
        met=lambda facts: facts.slowness.by_rival,
        text=texts.slow_elsewhere,
    ),
    Rule(
        "slow-for-most",
        value=lambda facts: _milliseconds(facts.slowness.pace.mean_ms),
        threshold=lambda facts: _milliseconds(facts.slowness.mean_limit_ms),
        met=lambda facts: facts.slowness.for_most and not facts.slowness.pinned,
        text=texts.slow_for_most,
    ),
)
"""What opens it because the region is slow: all four must be met, and no pin to the region."""
_SENDS_ON = (
    Rule(
        "crowded",
        value=lambda facts: facts.traffic.congested,
        threshold=_none,
        met=lambda facts: facts.traffic.congested > 0,
        text=texts.crowded,
    ),
)
"""What sends single calls on to another region."""
_LETS_TRIALS_THROUGH = (
    Rule(
        "failback-canaries",
        value=lambda facts: facts.health.passes,
        threshold=lambda facts: facts.config.canaries_to_close,
        met=lambda facts: facts.failback.canaries,
        text=texts.failback_canaries,
    ),
    Rule(
        "failback-hold",
        value=_hold_value,
        threshold=_hold_threshold,
        met=lambda facts: facts.failback.held or facts.circuit.state is not CircuitState.OPEN,
        text=texts.failback_hold,
    ),
    Rule(
        "flapping",
        value=lambda facts: facts.circuit.flaps(facts.now, facts.config),
        threshold=lambda facts: facts.config.flap_openings,
        text=texts.flapping,
    ),
    Rule(
        "failback-lag",
        value=lambda facts: None if facts.lag is None else _milliseconds(facts.lag.ms),
        threshold=lambda facts: facts.config.lag_limit_ms,
        met=lambda facts: facts.lag_fine,
        text=texts.failback_lag,
    ),
    Rule(
        "failback-pace",
        value=lambda facts: _milliseconds(texts.canary_call_ms(facts)),
        threshold=lambda facts: facts.quick_ms,
        met=lambda facts: facts.quick,
        text=texts.failback_pace,
    ),
)
"""What an open circuit waits for."""
_CLOSES = (
    Rule(
        "trials",
        value=lambda facts: facts.trials_passed if facts.circuit.state is CircuitState.HALF_OPEN else None,
        threshold=lambda facts: facts.config.trials_to_close,
        text=texts.trials,
    ),
    Rule("disputed", value=_none, threshold=_none, met=lambda facts: facts.disputed, text=texts.disputed),
)
"""What closes a circuit that is being tried again."""
RULES = (*_IS_OPENED, *_IS_SLOW, *_SENDS_ON, *_LETS_TRIALS_THROUGH, *_CLOSES)
