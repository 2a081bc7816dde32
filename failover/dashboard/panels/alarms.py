"""The alarms that ring, and the number of those that do not."""

from __future__ import annotations

from dataclasses import dataclass

from failover.core.status.types import AlarmDocument
from failover.dashboard.figures import words
from failover.dashboard.language import text_of
from failover.dashboard.reading import Reading


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that rings."""

    name: str
    region: str
    detail: str


@dataclass(frozen=True, slots=True)
class Alarms:
    """`ringing` in the document's order; `quiet` counts the rest."""

    ringing: tuple[Alarm, ...]
    quiet: int


def build(reading: Reading) -> Alarms:
    """The alarms of the document."""
    alarms: list[AlarmDocument] = reading.status["alarms"] if reading.status is not None else []
    ringing = tuple(
        Alarm(words(alarm["name"]), alarm["region"], text_of(alarm, "detail"))
        for alarm in alarms
        if alarm["state"] == "alarm"
    )
    return Alarms(ringing, len(alarms) - len(ringing))
