"""Sentences about what happened to a vote, in words that need no glossary."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from polls.common.freshness import Known


def story(attempts: Sequence[Mapping[str, Any]], region: str) -> list[str]:
    """A sentence for each region that did not answer, and one for the region that did, from the
    API's attempts.
    """
    sentences = []
    for attempt in last_of_each(attempts):
        if attempt["region"] == region and attempt["outcome"] == "ok":
            sentences.append(
                _("%(region)s recorded your vote (%(ms)d ms).") % {"region": region, "ms": round(attempt["ms"])}
            )
        elif attempt["outcome"] != "ok":
            sentences.append(failed(attempt["region"], attempt["outcome"]))
    return sentences


def last_of_each(attempts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last attempt in each region. An earlier one says nothing new: the region was passed over
    and then asked after all, or it failed twice.
    """
    last = {attempt["region"]: place for place, attempt in enumerate(attempts)}
    return [attempt for place, attempt in enumerate(attempts) if place == last[attempt["region"]]]


def failed(region: str, outcome: str) -> str:
    """One sentence that says why a region did not take part."""
    return _("%(region)s %(reason)s.") % {"region": region, "reason": _reasons().get(outcome, outcome)}


def degraded(known: Known[Any]) -> str:
    """A sentence for readers of a value whose read was to be strong and was not; empty for every
    other value.
    """
    if not known.degraded:
        return ""
    return _(
        "This was read in %(region)s, because the region of first choice did not answer: the very latest votes may be "
        "missing."
    ) % {"region": known.region}


def ago(seconds: float) -> str:
    """How long ago, to the second below a minute and to the minute from there on."""
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
