"""The one sentence that comes first: where traffic goes, since when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from failover.core.phrases import Phrase
from failover.core.status.types import StatusDocument
from failover.dashboard.figures import Tone, tone
from failover.dashboard.language import made, translated
from failover.dashboard.reading import Reading, moment

NO_MONITOR = gettext_lazy("No monitor has reported on this host yet, so nothing is known about any region.")


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
        return Sentence(str(NO_MONITOR), "unknown", _("No monitor"))
    text, figure = _sentences(status)
    if reading.stale:
        return Sentence(text, "unknown", _("Monitor silent"), figure, moment(status["generated_at"]))
    worst = overall(status)
    words = {"ok": _("Healthy"), "warn": _("Attention"), "bad": _("Trouble"), "unknown": _("Unknown")}
    return Sentence(text, worst, f"{words[worst]}: {status['routing']['active']}", figure)


def _sentences(status: StatusDocument) -> tuple[str, str]:
    """Who serves and why, and how far replication is behind; all in one where the document does not tell them apart."""
    told = made(status, "summary", "summary_said")
    parts = told.values if isinstance(told, Phrase) else {}
    match parts.get("serving"), parts.get("replication"):
        case str(serving), str(replication):
            return translated(serving), translated(replication)
    return translated(told), ""


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
