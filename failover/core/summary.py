"""What the dashboard says in plain English: who serves, since when and why, and how far replication is behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from failover.core.breaker import CircuitState
from failover.core.facts import RegionFacts
from failover.core.policy import Decision, Plan


def summary(
    facts: Mapping[str, RegionFacts], *, plan: Plan, decision: Decision | None, since: float, zone: tzinfo
) -> str:
    """For example "Serving from us-west-2 since 10:14:03 UTC: us-east-1's DNS answers empty. Replication is
    0.4 s behind." `since` is seconds since the epoch, told in `zone`."""
    clock = datetime.fromtimestamp(since, zone).strftime("%H:%M:%S")
    when = f"{clock} UTC" if zone is UTC else clock
    return f"Serving from {plan.active} since {when}: {_why(facts, plan, decision)}. {_replication(facts)}"


def _why(facts: Mapping[str, RegionFacts], plan: Plan, decision: Decision | None) -> str:
    if plan.panic:
        return "no region looks well, so all are tried in turn"
    if plan.active != plan.home:
        home = facts[plan.home]
        pin = "pinned, but " if decision is not None and decision.region == plan.home else ""
        if home.circuit.state is CircuitState.HALF_OPEN:
            return f"{pin}{plan.home} is being tried again"
        if home.health.passing(home.now, home.config) and not home.disputed:
            return f"{pin}{plan.home} answers again, and its return waits for {home.failback.waits_for}"
        return pin + home.why_down
    down = [one for one in facts.values() if one.circuit.state is not CircuitState.CLOSED]
    trouble = f", while {down[0].why_down}" if down and down[0].circuit.reason else ""
    if decision is not None and decision.region == plan.active:
        return f"pinned by {decision.actor} ({decision.reason}){trouble}"
    return f"it is the first choice{trouble or ' and every circuit is closed'}"


def _replication(facts: Mapping[str, RegionFacts]) -> str:
    lags = [lag for one in facts.values() for lag in one.lags.values()]
    if not lags:
        return "There is one region, so nothing is replicated."
    known = [lag.ms for lag in lags if lag.ms is not None]
    if known:
        return f"Replication is {max(known) / 1000:.1f} s behind."
    unread = [one.name for one in facts.values() if one.health.latest is not None and not one.health.latest.readable]
    return f"The replication lag is unknown{f' while {unread[0]} cannot be read' if unread else ''}."
