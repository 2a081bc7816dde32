"""Why a region is slow, or is not: all four rules, and no pin to it, must be met."""

from __future__ import annotations

from collections.abc import Iterator

from failover.core.explain_rows import milliseconds, row, some
from failover.core.facts import RegionFacts
from failover.core.pace import Slowness
from failover.core.status import ExplainDocument


def slow_rules(facts: RegionFacts) -> Iterator[ExplainDocument]:
    """The rules of a gray failure."""
    config, name, slow = facts.config, facts.name, facts.slowness
    pace, window = slow.pace, f"{config.slow_window_s:.0f} s"
    answers = some(pace.volume, "live answer")
    yield row(
        "slow-volume",
        facts,
        pace.volume,
        config.slow_volume,
        slow.enough,
        f"{name}: {answers} within {window}; their latency is believed from {config.slow_volume}.",
    )
    p99 = "no p99 yet" if pace.p99_ms is None else f"a p99 of {pace.p99_ms:.0f} ms"
    limit = slow.own_limit_ms
    usual = (
        "what is usual here is not known yet, so it is not called slow"
        if limit is None
        else f"usually {pace.usual_p99_ms:.0f} ms, and slow above {limit:.0f} ms"
    )
    own = slow.by_itself
    yield row("slow-p99", facts, milliseconds(pace.p99_ms), milliseconds(limit), own, f"{name}: {p99}; {usual}.")
    limit, there = slow.rival_limit_ms, _there(slow)
    text = f"{p99}; {there}" if limit is None else f"{p99}; {there}, which is clearly better from {limit:.0f} ms on"
    rival = slow.by_rival
    yield row("slow-elsewhere", facts, milliseconds(pace.p99_ms), milliseconds(limit), rival, f"{name}: {text}.")
    limit = slow.mean_limit_ms
    mean = "no steady traffic" if pace.mean_ms is None else f"at least {pace.mean_ms:.0f} ms on average all the time"
    text = mean if limit is None else f"{mean}; most calls are slow above {limit:.0f} ms"
    if slow.pinned:
        text += ", but it is pinned, and slowness alone overrides nobody"
    most = slow.for_most and not slow.pinned
    yield row("slow-for-most", facts, milliseconds(pace.mean_ms), milliseconds(limit), most, f"{name}: {text}.")


def _there(slow: Slowness) -> str:
    if slow.rival is None:
        return "no other region is closed, well and up to date, so none would be better"
    if slow.there_ms is None:
        return f"{slow.rival.name} answers its canaries in {slow.rival.canary_ms:.0f} ms"
    return f"{slow.rival.name} would take about {slow.there_ms:.0f} ms"
