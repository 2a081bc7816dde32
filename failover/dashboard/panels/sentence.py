"""The one sentence that comes first: where traffic goes, since when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from failover.core.status import StatusDocument
from failover.dashboard.figures import Tone, tone
from failover.dashboard.reading import Reading, moment

NO_MONITOR = "No monitor has reported on this host yet, so nothing is known about any region."


@dataclass(frozen=True, slots=True)
class Sentence:
    """`title` and `tone` also become the page's title and icon. `silent_since` is set when the monitor is silent.

    `figure` is the summary's last sentence, the replication lag: it changes every second, so it is shown beside the
    live region and not read out.
    """

    text: str
    tone: Tone
    title: str
    figure: str = ""
    silent_since: datetime | None = None


def build(reading: Reading) -> Sentence:
    """The document's own summary, and what it is worth."""
    status = reading.status
    if status is None:
        return Sentence(NO_MONITOR, "unknown", "No monitor")
    text, dot, figure = status["summary"].rpartition(". ")
    text, figure = (f"{text}.", figure) if dot else (figure, "")
    if reading.stale:
        return Sentence(text, "unknown", "Monitor silent", figure, moment(status["generated_at"]))
    worst = overall(status)
    words = {"ok": "Healthy", "warn": "Attention", "bad": "Trouble", "unknown": "Unknown"}
    return Sentence(text, worst, f"{words[worst]}: {status['routing']['active']}", figure)


def overall(status: StatusDocument) -> Tone:
    """How the whole looks: bad only when the region that serves is bad, since an outage survived is no disaster."""
    regions = {region["name"]: region for region in status["regions"]}
    active = regions.get(status["routing"]["active"])
    if active is None:
        return "unknown"
    serving = {tone(active["state"]), tone(active["circuit"])}
    if "bad" in serving:
        return "bad"
    tones = [tone(region[part]) for region in status["regions"] for part in ("state", "circuit")]
    tones += [tone(pair["state"]) for pair in status["replication"]]
    tones += [tone(alarm["state"]) for alarm in status["alarms"]]
    if any(one in ("warn", "bad") for one in tones):
        return "warn"
    return "unknown" if tone(active["state"]) == "unknown" else "ok"
