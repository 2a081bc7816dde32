"""The dashboard's first sentence: which region serves, since when and why, and how far replication is behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from failover.core.decisions import Decision
from failover.core.phrases import Phrase, phrase
from failover.core.routing.plan import Plan
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Verdict
from failover.core.watching.facts import Misconfiguration, RegionFacts


def summary(
    facts: Mapping[str, RegionFacts],
    *,
    plan: Plan,
    refused: Misconfiguration | None,
    decision: Decision | None,
    since: float,
) -> Phrase:
    """For example "Serving from us-west-2 since 10:14:03 UTC: us-east-1's DNS answers empty. Replication is 0.4 s
    behind." `since` is seconds since the epoch. The two sentences are the values `serving` and `replication`.
    """
    serving = phrase(
        "Serving from {region} since {time}: {why}.",
        region=plan.active,
        time=datetime.fromtimestamp(since, UTC).strftime("%H:%M:%S UTC"),
        why=_why(facts, plan, decision),
    )
    for remark in (_stale(facts[plan.active]), _refusing(facts) if refused is None else None):
        if remark is not None:
            serving = phrase("{serving} {remark}", serving=serving, remark=remark)
    if refused is not None:
        serving = (
            phrase(
                "Every region refuses calls ({refusal}): that is a mistake in the configuration, and no region's "
                "fault.",
                refusal=refused.detail,
            )
            if refused.entirely
            else phrase(
                "{serving} Every region refused some calls ({refusal}): that is a mistake in the configuration.",
                serving=serving,
                refusal=refused.detail,
            )
        )
    return phrase("{serving} {replication}", serving=serving, replication=_replication(facts))


def _why(facts: Mapping[str, RegionFacts], plan: Plan, decision: Decision | None) -> Phrase:
    if plan.panic:
        return phrase("no region looks well, so all are tried in turn")
    if plan.active != plan.home:
        away = _why_away(facts[plan.home])
        pinned = decision is not None and decision.region == plan.home
        return phrase("pinned, but {trouble}", trouble=away) if pinned else away
    down = [region for region in facts.values() if region.circuit.state is not CircuitState.CLOSED]
    trouble = down[0].why_down if down else None
    if decision is not None and decision.region == plan.active:
        if trouble is None:
            return phrase("pinned by {actor} ({reason})", actor=decision.actor, reason=decision.reason)
        return phrase(
            "pinned by {actor} ({reason}), while {trouble}",
            actor=decision.actor,
            reason=decision.reason,
            trouble=trouble,
        )
    if trouble is None:
        return phrase("it is the first choice and every circuit is closed")
    return phrase("it is the first choice, while {trouble}", trouble=trouble)


def _why_away(home: RegionFacts) -> Phrase:
    if home.circuit.state is CircuitState.HALF_OPEN:
        if home.disputed:
            return phrase(
                "{region} is being tried again, by live traffic alone, which failed while canaries passed",
                region=home.name,
            )
        return phrase("{region} is being tried again", region=home.name)
    if home.health.passing(home.now, home.config) and not home.disputed:
        return phrase(
            "{region} answers again, and its return waits for {missing}",
            region=home.name,
            missing=home.failback.waits_for,
        )
    if home.unnoticed and home.health.verdict is Verdict.FAILED:
        return phrase(
            "{trouble}, which canaries noticed and live traffic, on connections that were open, did not",
            trouble=home.why_down,
        )
    return home.why_down


def _stale(facts: RegionFacts) -> Phrase | None:
    """Said of the region that serves, since nothing else tells that its name is gone: votes go on as ever."""
    layer = facts.health.latest.dns if facts.health.latest is not None else None
    if layer is None or not layer.stale:
        return None
    return phrase("{region}'s {trouble}.", region=facts.name, trouble=layer.detail)


def _refusing(facts: Mapping[str, RegionFacts]) -> Phrase | None:
    """Said of a region whose circuit is closed although it refuses some calls, which other regions then answer."""
    for region in facts.values():
        if region.traffic.denied and region.circuit.state is CircuitState.CLOSED:
            return phrase("{region} refuses some calls ({refusal}).", region=region.name, refusal=region.refusal)
    return None


def _replication(facts: Mapping[str, RegionFacts]) -> Phrase:
    lags = [lag for region in facts.values() for lag in region.lags.values()]
    if not lags:
        return phrase("There is one region, so nothing is replicated.")
    known = [lag.ms for lag in lags if lag.ms is not None]
    if known:
        return phrase("Replication is {seconds:.1f} s behind.", seconds=max(known) / 1000)
    unread = [region.name for region in facts.values() if not region.health.readable]
    if unread:
        return phrase("The replication lag is unknown while {region} cannot be read.", region=unread[0])
    return phrase("The replication lag is unknown.")
