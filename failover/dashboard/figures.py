"""Figures as people read them. Every function takes what the document holds, None included."""

from __future__ import annotations

from typing import Literal

Tone = Literal["ok", "warn", "bad", "unknown"]
"""How alarming something is; each has a colour, and a shape of its own, in the style sheet and `glyph.html`."""

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
    """The tone of a health, circuit, replication or alarm state; `unknown` for a word that nobody knows."""
    return _STATES.get(state, "unknown")


def duration(ms: float | None) -> str:
    """Milliseconds with as many digits as mean something: 2.6 ms, 74 ms, 1.2 s, 3 min."""
    if ms is None:
        return NOTHING
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 99_950:
        return f"{ms / 1000:.1f} s"
    return f"{ms / 60_000:.0f} min"


def ago(ms: float | None) -> str:
    """How old a figure is."""
    return "never" if ms is None else f"{duration(ms)} ago"


def percent(share: float | None) -> str:
    """A share of 0 to 1: 0 %, 0.4 %, 12 %."""
    if share is None:
        return NOTHING
    value = share * 100
    return f"{value:.1f} %" if 0 < value < 9.95 else f"{value:.0f} %"


def number(value: float | None) -> str:
    """A counter or a threshold, without a trailing .0."""
    return NOTHING if value is None else f"{round(value, 2):g}" if abs(value) < 1000 else f"{value:.0f}"


def words(kebab: str) -> str:
    """`circuit-opened` as it is said: Circuit opened."""
    return kebab.replace("-", " ").replace("_", " ").capitalize()
