"""Which faults cannot be seen from outside, because another one is in the way."""

from __future__ import annotations

from typing import Any

from failover.lab.faults.kinds import Layer
from failover.lab.faults.outside import State

Fault = dict[str, Any]
SHORT_LATENCY_MS = 500
"""With less latency than this, a check still gets its reply in time."""


def hidden_by(state: State, fault: Fault) -> Fault | None:
    """The first fault that hides this one from outside, if there is one."""
    return next((other for other in _others(state, fault) if _hides(other, fault)), None)


def is_alone(state: State, fault: Fault) -> bool:
    """Whether no other fault changes what the region's front does. Where replication is held, an engine that comes
    back waits with its front.
    """
    return not any(
        other["layer"] == Layer.REPLICATION or (other["region"] == fault["region"] and other["layer"] != Layer.DNS)
        for other in _others(state, fault)
    )


def _others(state: State, fault: Fault) -> list[Fault]:
    """The other faults that are in force, in every region."""
    faults = [other for region in state["regions"] for other in region["faults"]]
    place = fault["region"], fault["layer"]
    return [other for other in faults if (other["region"], other["layer"]) != place]


def _hides(other: Fault, fault: Fault) -> bool:
    """Whether this fault, which is not in the same layer and region, makes the other one invisible.

    1. The nameserver and the engine's process are looked at directly: nothing hides them.
    2. A connection is refused whatever its manner while the engine is stopped, except by a black hole.
    3. Latency is told from a good reply, so everything behind it hides it.
    4. A reply needs a connection and an engine, and to come in time.
    5. Probe items need both engines, and arrive only if no region holds them.
    """
    is_here, layer = bool(other["region"] == fault["region"]), Layer(other["layer"])
    match Layer(fault["layer"]):
        case Layer.DNS | Layer.ENGINE:  # 1
            return False
        case Layer.CONNECTION if fault["kind"] == "latency":  # 3
            return is_here and layer in (Layer.REPLY, Layer.ENGINE)
        case Layer.CONNECTION:  # 2
            return bool(is_here and other["kind"] == "stop" and fault["kind"] != "blackhole")
        case Layer.REPLY if other["kind"] == "latency":  # 4
            return is_here and bool(other["ms"] >= SHORT_LATENCY_MS)
        case Layer.REPLY:  # 4
            return is_here and layer in (Layer.CONNECTION, Layer.ENGINE)
        case Layer.REPLICATION:  # 5
            return layer in (Layer.ENGINE, Layer.REPLICATION)
