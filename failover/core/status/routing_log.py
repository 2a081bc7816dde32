"""What the log says about routing decisions. Every host gives an event the same id, so that it is logged once."""

from __future__ import annotations

from failover.core.decisions import Decision
from failover.core.events import Event, EventKind
from failover.core.phrases import phrase


def superseded(loser: Decision, winner: Decision) -> Event:
    """A decision lost to another that its maker did not know of."""
    to = winner.region or winner.mode
    reason = phrase(
        "made at the same time as another; {actor}'s decision lost to that of {winner} ({to}): {reason}",
        actor=loser.actor,
        winner=winner.actor,
        to=to,
        reason=loser.reason,
    )
    kind = EventKind.ROUTING_SUPERSEDED
    return Event(f"superseded-{loser.id}", loser.at, kind, loser.region or loser.mode, to, loser.actor, reason)


def routed(decision: Decision, before: Decision | None) -> Event:
    """A decision holds from now on; `before` is the one that held."""
    kind = EventKind.ROUTING_PINNED if decision.mode == "pinned" else EventKind.ROUTING_AUTO
    was = "auto" if before is None else before.region or before.mode
    reason = phrase("{reason} (forced)", reason=decision.reason) if decision.forced else decision.reason
    to = decision.region or decision.mode
    return Event(f"routing-{decision.id}", decision.at, kind, was, to, decision.actor, reason, decision.region or "")
