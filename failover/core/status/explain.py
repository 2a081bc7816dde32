"""Why, and why not: each rule's value beside its threshold for every region, also when nothing happened."""

from __future__ import annotations

from collections.abc import Iterator

from failover.core.phrases import counted, phrase
from failover.core.status.explain_latency import slow_rules
from failover.core.status.explain_return import returning
from failover.core.status.explain_rows import row
from failover.core.status.types import ExplainDocument
from failover.core.watching.facts import RegionFacts


def explain(facts: RegionFacts) -> list[ExplainDocument]:
    """The rules that open a region's circuit, the one that sends single calls on, those that let a region come back."""
    return [*_opening(facts), _refused(facts), *slow_rules(facts), _crowded(facts), *returning(facts)]


def _crowded(facts: RegionFacts) -> ExplainDocument:
    config, calls = facts.config, facts.traffic.crowded
    text = phrase(
        "{region}: {calls} went on to another region within {window:.0f} s because others waited here; "
        "at most {limit} of a worker wait for a whole attempt.",
        region=facts.name,
        calls=counted("{count} call", "{count} calls", calls),
        window=config.error_window_s,
        limit=config.share,
    )
    return row("crowded", facts, calls, None, calls > 0, text)


def _refused(facts: RegionFacts) -> ExplainDocument:
    count, limit = facts.refused_writes, facts.config.failures_to_open
    text = phrase(
        "{region}: {writes} in a row were refused here and accepted elsewhere, in the worst worker; {limit} open the "
        "circuit. {calls} were refused within {window:.0f} s.",
        region=facts.name,
        writes=counted("{count} write", "{count} writes", count),
        limit=limit,
        calls=counted("{count} call", "{count} calls", facts.traffic.denied),
        window=facts.config.error_window_s,
    )
    return row("refused-writes", facts, count, limit, count >= limit, text)


def _opening(facts: RegionFacts) -> Iterator[ExplainDocument]:
    config, name = facts.config, facts.name
    count, limit = facts.failures_in_a_row, config.failures_to_open
    yield row(
        "consecutive-failures",
        facts,
        count,
        limit,
        count >= limit,
        phrase(
            "{region}: {failures} in a row in the worst worker; {limit} open the circuit.",
            region=name,
            failures=counted("{count} live failure", "{count} live failures", count),
            limit=limit,
        ),
    )
    count, limit = facts.health.failures, config.canary_failures_to_open
    yield row(
        "canary-failures",
        facts,
        count,
        limit,
        count >= limit,
        phrase(
            "{region}: {canaries} failed in a row; {limit} open the circuit.",
            region=name,
            canaries=counted("{count} fresh-connection canary", "{count} fresh-connection canaries", count),
            limit=limit,
        ),
    )
    judged = facts.judged
    enough = judged.weighed >= config.min_volume
    over = judged.error_rate > config.error_rate
    requests = counted("{count} request", "{count} requests", judged.weighed)
    rate = phrase(
        "{region}: {percent:.1f}% of {requests} failed within {window:.0f} s; more than {limit:.0f}% open the circuit",
        region=name,
        percent=judged.error_rate * 100,
        requests=requests,
        window=config.error_window_s,
        limit=config.error_rate * 100,
    )
    yield row(
        "error-rate",
        facts,
        round(judged.error_rate, 4),
        config.error_rate,
        over and enough,
        phrase("{rate}.", rate=rate)
        if enough or not over
        else phrase("{rate}, but these are too few to say.", rate=rate),
    )
    yield row(
        "minimum-volume",
        facts,
        judged.weighed,
        config.min_volume,
        enough,
        phrase(
            "{region}: {requests} in the window; the error rate is believed from {limit}.",
            region=name,
            requests=requests,
            limit=config.min_volume,
        ),
    )
