"""Frozen facts: what changed, when, by whom and why. Written once, shown everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

AUTOMATIC = "automatic"
"""The actor of what no person did."""


class EventKind(StrEnum):
    """What can happen."""

    CIRCUIT_OPENED = "circuit-opened"
    CIRCUIT_HALF_OPEN = "circuit-half-open"
    CIRCUIT_CLOSED = "circuit-closed"
    FAILOVER = "failover"
    FAILBACK = "failback"
    SWITCHED = "switched"
    """Another region became active because a person said so."""
    ROUTING_PINNED = "routing-pinned"
    ROUTING_AUTO = "routing-auto"
    ROUTING_SUPERSEDED = "routing-superseded"
    LAG_ALARM = "lag-alarm"
    LAG_CLEARED = "lag-cleared"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `at` is in seconds since the epoch; `from_` and `to` are regions, states or modes, as the kind has it.

    `region` names the region a circuit event is about; for a switch it is the region that traffic goes to.
    """

    id: str
    at: float
    kind: EventKind
    from_: str
    to: str
    actor: str
    reason: str
    region: str = ""
