"""Frozen facts: what changed, when, by whom and why. Written once, shown everywhere."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from enum import StrEnum

AUTOMATIC = "automatic"
"""The actor of an event that no person caused."""


class EventKind(StrEnum):
    """What can happen."""

    CIRCUIT_OPENED = "circuit-opened"
    CIRCUIT_HALF_OPEN = "circuit-half-open"
    CIRCUIT_CLOSED = "circuit-closed"
    FAILOVER = "failover"
    FAILBACK = "failback"
    SWITCHED = "switched"
    """Another region became active because a person decided it."""
    ROUTING_PINNED = "routing-pinned"
    ROUTING_AUTO = "routing-auto"
    ROUTING_SUPERSEDED = "routing-superseded"
    LAG_ALARM = "lag-alarm"
    LAG_CLEARED = "lag-cleared"
    CONFIGURATION_ALARM = "configuration-alarm"
    """Every region refuses calls or canaries."""
    CONFIGURATION_CLEARED = "configuration-cleared"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `at` is in seconds since the epoch. `from_` and `to` are regions, states or modes, depending on `kind`.

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


_numbers = itertools.count()


def new_id() -> str:
    """A unique name for an event. Among the events of one process, a later one has a higher name, so
    that a cause stands before its consequence.
    """
    return f"{next(_numbers):010d}-{uuid.uuid4().hex}"
