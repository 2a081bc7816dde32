"""Why, and why not: each rule's value beside its threshold for every region, also when nothing happened."""

from __future__ import annotations

from collections.abc import Iterator

from failover.core.explain_pace import slow_rules
from failover.core.explain_return import returning
from failover.core.explain_rows import row, some
from failover.core.facts import RegionFacts
from failover.core.status import ExplainDocument


def explain(facts: RegionFacts) -> list[ExplainDocument]:
    """The rules that open a region's circuit, then those that let it come back."""
    return [*_opening(facts), *slow_rules(facts), *returning(facts)]


def _opening(facts: RegionFacts) -> Iterator[ExplainDocument]:
    config, name = facts.config, facts.name
    count, limit = facts.failures_in_a_row, config.failures_to_open
    yield row(
        "consecutive-failures",
        facts,
        count,
        limit,
        count >= limit,
        f"{name}: {some(count, 'live failure')} in a row in the worst worker; {limit} open the circuit.",
    )
    count, limit = facts.health.failures, config.canary_failures_to_open
    yield row(
        "canary-failures",
        facts,
        count,
        limit,
        count >= limit,
        f"{name}: {some(count, 'fresh-connection canary', 'fresh-connection canaries')} failed in a row; "
        f"{limit} open the circuit.",
    )
    judged = facts.judged
    enough = judged.requests >= config.min_volume
    rate_text = f"{name}: {judged.error_rate:.1%} of {some(judged.requests, 'request')} failed within "
    rate_text += f"{config.error_window_s:.0f} s; more than {config.error_rate:.0%} open the circuit"
    over = judged.error_rate > config.error_rate
    yield row(
        "error-rate",
        facts,
        round(judged.error_rate, 4),
        config.error_rate,
        over and enough,
        f"{rate_text}." if enough or not over else f"{rate_text}, but these are too few to say.",
    )
    yield row(
        "minimum-volume",
        facts,
        judged.requests,
        config.min_volume,
        enough,
        f"{name}: {some(judged.requests, 'request')} in the window; the error rate is believed from "
        f"{config.min_volume}.",
    )
