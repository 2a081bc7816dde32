"""A tile for each region: its health by layer, its circuit, and its last two minutes of live
traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from failover.core.status.types import CheckDocument, RegionDocument, StatusDocument
from failover.dashboard.figures import Tone, duration, percent, state_word, tone
from failover.dashboard.language import text_of
from failover.dashboard.reading import Reading

TITLES = {
    "dns": gettext_lazy("DNS"),
    "connect": gettext_lazy("Connect"),
    "write": gettext_lazy("Write"),
    "read": gettext_lazy("Read"),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the latest canary. `sentence` is its detail in words that name the layer."""

    title: str
    tone: Tone
    word: str
    time: str
    detail: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One region. `stale`: its figures are too old to be trusted."""

    name: str
    place: str
    serving: bool
    pinned: bool
    state: str
    tone: Tone
    circuit: str
    circuit_tone: Tone
    layers: tuple[Layer, ...]
    requests: int
    errors: str
    failing: bool
    p50: str
    p99: str
    age: str
    stale: bool

    @property
    def verdict(self) -> str:
        """The result of a canary that gave no detail."""
        return (
            _("Every layer answers.") if all(layer.tone == "ok" for layer in self.layers) else _("No detail was given.")
        )

    @property
    def broken(self) -> tuple[Layer, ...]:
        """The layers that failed or work by a stale answer, if they give a reason. Layers after a
        failed one were not reached and are left out.
        """
        return tuple(layer for layer in self.layers if layer.detail and layer.tone in ("bad", "warn"))


def build(reading: Reading) -> tuple[Tile, ...]:
    """The tiles by priority."""
    if reading.status is None:
        return ()
    status = reading.status
    ordered = sorted(status["regions"], key=lambda region: region["priority"])
    return tuple(_tile(region, place, status, reading) for place, region in enumerate(ordered, start=1))


def _tile(region: RegionDocument, place: int, status: StatusDocument, reading: Reading) -> Tile:
    routing = status["routing"]
    serving = routing["active"] == region["name"]
    return Tile(
        name=region["name"],
        place=_("home") if place == 1 else _("choice %(place)d") % {"place": place},
        serving=serving,
        pinned=routing["region"] == region["name"],
        state=state_word(region["state"]),
        tone=tone(region["state"]),
        circuit=state_word(region["circuit"]),
        circuit_tone=tone(region["circuit"]),
        layers=tuple(_layer(name, check) for name, check in region["checks"].items()),
        requests=region["requests_2m"],
        errors=percent(region["error_rate_2m"]) if region["requests_2m"] else _("none"),
        failing=region["requests_2m"] > 0 and region["error_rate_2m"] > 0,
        p50=duration(region["p50_ms"]),
        p99=duration(region["p99_ms"]),
        age=reading.seen(region["age_ms"]),
        stale=reading.stale or region["state"] == "unknown",
    )


def _layer(name: str, check: CheckDocument) -> Layer:
    mark: Tone
    match check["ok"]:
        case True if check.get("stale"):
            mark, word = "warn", _("stale")
        case True:
            mark, word = "ok", _("ok")
        case False:
            mark, word = "bad", _("failed")
        case None:
            mark, word = "unknown", _("not reached")
    title, detail = str(TITLES.get(name, name)), text_of(check, "detail")
    # What a name server says is a clause that names DNS already.
    sentence = detail if name == "dns" else f"{title}: {detail}"
    return Layer(title, mark, word, duration(check["ms"]), detail, sentence)
