"""The sentence at the top: where traffic goes, since when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from failover.core.phrases import Phrase
from failover.core.status.types import StatusDocument
from failover.dashboard.figures import Tone, tone
from failover.dashboard.language import phrase_of, translated
from failover.dashboard.reading import Reading, moment

NO_MONITOR = gettext_lazy("No monitor has reported on this host yet, so nothing is known about any region.")


@dataclass(frozen=True, slots=True)
class Sentence:
    """`title` and `tone` also become the page's title and icon. `silent_since` is set when the
    monitor is silent.

    `figure` is the summary's last sentence, the replication lag: it changes every second, so it is
    shown beside the live region and not read out.
    """

    text: str
    tone: Tone
    title: str
    figure: str = ""
    silent_since: datetime | None = None


def build(reading: Reading) -> Sentence:
    """The document's own summary, and the tone of the whole page."""
    status = reading.status
    if status is None:
        return Sentence(str(NO_MONITOR), "unknown", _("No monitor"))
    text, figure = _sentences(status)
    if reading.stale:
        return Sentence(text, "unknown", _("Monitor silent"), figure, moment(status["generated_at"]))
    worst = overall(status)
    words = {"ok": _("Healthy"), "warn": _("Attention"), "bad": _("Trouble"), "unknown": _("Unknown")}
    return Sentence(text, worst, f"{words[worst]}: {status['routing']['active']}", figure)


def _sentences(status: StatusDocument) -> tuple[str, str]:
    """Which region serves and why, and how far replication is behind. Both are in the first text
    where the document does not say how its summary was made.
    """
    summary = phrase_of(status, "summary", "summary_said")
    parts = summary.values if isinstance(summary, Phrase) else {}
    match parts.get("serving"), parts.get("replication"):
        case str(serving), str(replication):
            return translated(serving), translated(replication)
    return translated(summary), ""


def overall(status: StatusDocument) -> Tone:
    """The tone of the whole page. It is bad only when the serving region is bad: an outage that
    another region survives is no disaster.
    """
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
    if "warn" in tones or "bad" in tones:
        return "warn"
    return "unknown" if tone(active["state"]) == "unknown" else "ok"
