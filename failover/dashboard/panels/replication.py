"""How far each region is behind each other one."""

from __future__ import annotations

from dataclasses import dataclass

from failover.dashboard.figures import Tone, duration, state_word, tone
from failover.dashboard.reading import Reading


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of replication. `age` says when a beat last arrived."""

    origin: str
    target: str
    known: bool
    lag: str
    state: str
    tone: Tone
    age: str
    stale: bool


def build(reading: Reading) -> tuple[Link, ...]:
    """Every direction, in the document's order."""
    pairs = reading.status["replication"] if reading.status is not None else []
    return tuple(
        Link(
            origin=pair["from"],
            target=pair["to"],
            known=pair["lag_ms"] is not None,
            lag=duration(pair["lag_ms"]),
            state=state_word(pair["state"]),
            tone=tone(pair["state"]),
            age=reading.seen(pair["age_ms"]),
            stale=reading.stale or pair["state"] == "unknown",
        )
        for pair in pairs
    )
