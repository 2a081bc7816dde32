"""Writes the status document's figures and states for people, in the reader's language.

Every function takes a value of the document as it stands, None included.
"""

from __future__ import annotations

from typing import Literal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from failover.dashboard import names

Tone = Literal["ok", "warn", "bad", "unknown"]
"""How alarming a state is. The style sheet has a colour and `glyph.html` a shape for each tone."""

NOTHING = "–"

_STATES: dict[str, Tone] = {
    "healthy": "ok",
    "degraded": "warn",
    "unreachable": "bad",
    "closed": "ok",
    "half-open": "warn",
    "open": "bad",
    "ok": "ok",
    "slow": "warn",
    "stalled": "bad",
    "alarm": "bad",
}


def tone(state: str) -> Tone:
    """The tone of a health, circuit, replication or alarm state; `unknown` for any other word."""
    return _STATES.get(state, "unknown")


def duration(ms: float | None) -> str:
    """Milliseconds with their significant digits only: 2.6 ms, 74 ms, 1.2 s, 3 min."""
    if ms is None:
        return NOTHING
    if ms < 9.95:
        return f"{_digits(ms, 1)} ms"
    if ms < 999.5:
        return f"{_digits(ms, 0)} ms"
    if ms < 99_950:
        return f"{_digits(ms / 1000, 1)} s"
    return f"{_digits(ms / 60_000, 0)} min"


def ago(ms: float | None) -> str:
    """How old a figure is."""
    return _("never") if ms is None else _("%(duration)s ago") % {"duration": duration(ms)}


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent: 0 %, 0.4 %, 12 %. Only 0 reads "0 %" and only 1 "100 %"."""
    if share is None:
        return NOTHING
    value = share * 100
    if 0 < value < 0.05:
        return f"< {_digits(0.1, 1)} %"
    if 99.5 <= value < 100:
        return f"> {_digits(99, 0)} %"
    return f"{_digits(value, 1 if 0 < value < 9.95 else 0)} %"


def number(value: float | None) -> str:
    """A counter or a threshold, without a trailing .0."""
    if value is None:
        return NOTHING
    return number_format(f"{round(value, 2):g}") if abs(value) < 1000 else _digits(value, 0)


def words(kebab: str) -> str:
    """The title of an event, rule or alarm: "Circuit opened" for `circuit-opened`. A name without a
    title is shown without its dashes.
    """
    known = names.TITLES.get(kebab)
    return str(known) if known is not None else kebab.replace("-", " ").replace("_", " ").capitalize()


def state_word(state: str) -> str:
    """The word for a health, circuit or replication state."""
    return str(names.STATES.get(state, state))


def _digits(value: float, digits: int) -> str:
    return number_format(f"{value:.{digits}f}")
