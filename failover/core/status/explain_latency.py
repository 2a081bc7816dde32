"""Why a region is slow, or is not: all four rules, and no pin to it, must be met."""

from __future__ import annotations

from collections.abc import Iterator

from failover.core.phrases import Phrase, counted, phrase
from failover.core.signals.latency import Slowness
from failover.core.status.explain_rows import milliseconds, row
from failover.core.status.types import ExplainDocument
from failover.core.watching.facts import RegionFacts


def slow_rules(facts: RegionFacts) -> Iterator[ExplainDocument]:
    """The rules of a gray failure."""
    config, name, slow = facts.config, facts.name, facts.slowness
    pace = slow.pace
    yield row(
        "slow-volume",
        facts,
        pace.volume,
        config.slow_volume,
        slow.enough,
        phrase(
            "{region}: {answers} within {window:.0f} s; their latency is believed from {limit}.",
            region=name,
            answers=counted("{count} live answer", "{count} live answers", pace.volume),
            window=config.slow_window_s,
            limit=config.slow_volume,
        ),
    )
    p99 = phrase("no p99 yet") if pace.p99_ms is None else phrase("a p99 of {ms:.0f} ms", ms=pace.p99_ms)
    limit = slow.own_limit_ms
    usual = (
        phrase("what is usual here is not known yet, so it is not called slow")
        if limit is None or pace.usual_p99_ms is None
        else phrase("usually {usual:.0f} ms, and slow above {limit:.0f} ms", usual=pace.usual_p99_ms, limit=limit)
    )
    own = slow.by_itself
    text = phrase("{region}: {p99}; {usual}.", region=name, p99=p99, usual=usual)
    yield row("slow-p99", facts, milliseconds(pace.p99_ms), milliseconds(limit), own, text)
    limit, there = slow.rival_limit_ms, _there(slow)
    text = (
        phrase("{region}: {p99}; {there}.", region=name, p99=p99, there=there)
        if limit is None
        else phrase(
            "{region}: {p99}; {there}, which is clearly better from {limit:.0f} ms on.",
            region=name,
            p99=p99,
            there=there,
            limit=limit,
        )
    )
    rival = slow.by_rival
    yield row("slow-elsewhere", facts, milliseconds(pace.p99_ms), milliseconds(limit), rival, text)
    limit = slow.mean_limit_ms
    mean = (
        phrase("no steady traffic")
        if pace.mean_ms is None
        else phrase("at least {ms:.0f} ms on average all the time", ms=pace.mean_ms)
    )
    if limit is not None:
        mean = phrase("{mean}; most calls are slow above {limit:.0f} ms", mean=mean, limit=limit)
    text = (
        phrase("{region}: {mean}, but it is pinned, and slowness alone overrides nobody.", region=name, mean=mean)
        if slow.pinned
        else phrase("{region}: {mean}.", region=name, mean=mean)
    )
    most = slow.for_most and not slow.pinned
    yield row("slow-for-most", facts, milliseconds(pace.mean_ms), milliseconds(limit), most, text)


def _there(slow: Slowness) -> Phrase:
    if slow.rival is None:
        return phrase("no other region is closed, well and up to date, so none would be better")
    if slow.there_ms is None:
        return phrase("{region} answers its canaries in {ms:.0f} ms", region=slow.rival.name, ms=slow.rival.canary_ms)
    return phrase("{region} would take about {ms:.0f} ms", region=slow.rival.name, ms=slow.there_ms)
