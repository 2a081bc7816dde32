"""What happened to a vote, in words that need no glossary."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from polls.common.freshness import Known


def story(attempts: Sequence[Mapping[str, Any]], region: str) -> list[str]:
    """A sentence for each region that did not answer and one for the region that did, from the API's attempts."""
    told = []
    for attempt in told_once(attempts):
        if attempt["region"] == region and attempt["outcome"] == "ok":
            told.append(
                _("%(region)s recorded your vote (%(ms)d ms).") % {"region": region, "ms": round(attempt["ms"])}
            )
        elif attempt["outcome"] != "ok":
            told.append(failed(attempt["region"], attempt["outcome"]))
    return told


def told_once(attempts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The attempts without those that say nothing new: a region that was passed over and then asked after all, and the
    same failure of one region twice.
    """
    last = {attempt["region"]: place for place, attempt in enumerate(attempts)}
    return [attempt for place, attempt in enumerate(attempts) if place == last[attempt["region"]]]


def failed(region: str, outcome: str) -> str:
    """Why a region did not take part, in one sentence."""
    return _("%(region)s %(reason)s.") % {"region": region, "reason": _reasons().get(outcome, outcome)}


def degraded(found: Known[Any]) -> str:
    """What it means that a read which was to be strong was not; empty when nothing was degraded."""
    if not found.degraded:
        return ""
    return _(
        "This was read in %(region)s, because the region of first choice did not answer: the very latest votes may be "
        "missing."
    ) % {"region": found.region}


def ago(seconds: float) -> str:
    """How long ago, to the second below a minute and to the minute above."""
    whole = max(0, round(seconds))
    if whole < 60:
        return _("%(number)d s ago") % {"number": whole}
    minutes = whole // 60
    return ngettext("%(number)d minute ago", "%(number)d minutes ago", minutes) % {"number": minutes}


def _reasons() -> dict[str, str]:
    return {
        "dns": _("did not answer (DNS: no address)"),
        "connect": _("did not answer (no connection)"),
        "tls": _("did not answer (no secure connection)"),
        "timeout": _("did not answer in time"),
        "server-error": _("answered with an error"),
        "throttled": _("was too busy"),
        "denied": _("refused us access"),
        "skipped": _("was in trouble and was not asked"),
    }
