"""Frozen facts: what changed, when, by whom and why. Written once, shown everywhere."""

from __future__ import annotations

import itertools
import uuid
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
    CONFIGURATION_ALARM = "configuration-alarm"
    """Every region refuses calls or canaries."""
    CONFIGURATION_CLEARED = "configuration-cleared"


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


_numbers = itertools.count()


def new_id() -> str:
    """A name for an event that nobody else gives. Of one process's events of the same moment the later has the higher
    one, so that a cause stands before what came of it.
    """
    return f"{next(_numbers):010d}-{uuid.uuid4().hex}"
