"""The latest events, newest first: what happened, by whose decision, why, from where to where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from failover.core.events import AUTOMATIC
from failover.dashboard.figures import Tone, state_word, words
from failover.dashboard.language import text_of
from failover.dashboard.reading import Reading, moment

SHOWN = 50
_TONES: dict[str, Tone] = {
    "circuit-opened": "bad",
    "circuit-half-open": "warn",
    "circuit-closed": "ok",
    "failover": "warn",
    "failback": "ok",
    "lag-alarm": "bad",
    "lag-cleared": "ok",
    "configuration-alarm": "bad",
    "configuration-cleared": "ok",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """One event. `id` is stable, so that a browser adds only what is new."""

    id: str
    at: datetime | None
    what: str
    tone: Tone
    region: str
    origin: str
    target: str
    actor: str
    reason: str


def build(reading: Reading) -> tuple[Happened, ...]:
    """The latest events, newest first."""
    events = reading.status["events"] if reading.status is not None else []
    newest = sorted(events, key=lambda event: event["at"], reverse=True)[:SHOWN]
    return tuple(
        Happened(
            # The public document promises no id, so one is made of what identifies an event to a
            # reader.
            id=event.get("id") or f"{event['at']}-{event['kind']}-{event['to']}",
            at=moment(event["at"]),
            what=words(event["kind"]),
            tone=_TONES.get(event["kind"], "unknown"),
            region=event.get("region", ""),
            origin=state_word(event["from"]),
            target=state_word(event["to"]),
            actor="" if event["actor"] == AUTOMATIC else event["actor"],
            reason=text_of(event, "reason"),
        )
        for event in newest
    )
