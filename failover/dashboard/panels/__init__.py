"""The dashboard's panels: for each a module here with a `build` function, and a template of the
same name.

`build` turns a `Reading` into what the template shows. It reads no clock and no request, and
computes no health. To add a panel, write both files, list it in `PANELS`, and give it a place in
the grid of `page.html`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from failover.dashboard.panels import alarms, events, regions, replication, routing, sentence, why
from failover.dashboard.reading import Reading


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the page that is refreshed on its own, when its content has changed."""

    name: str
    build: Callable[[Reading], object]

    def render(self, reading: Reading) -> Rendered:
        """The panel as HTML. The template finds the builder's result as `panel` and the reading as
        `reading`.
        """
        context = {"panel": self.build(reading), "reading": reading}
        html = render_to_string(f"failover/panels/{self.name}.html", context)
        return Rendered(self.name, html, hashlib.sha256(html.encode()).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Rendered:
    """A panel's HTML and its digest, by which the browser knows whether it has changed."""

    name: str
    html: SafeString
    digest: str


PANELS: tuple[Panel, ...] = (
    Panel("sentence", sentence.build),
    Panel("regions", regions.build),
    Panel("replication", replication.build),
    Panel("routing", routing.build),
    Panel("why", why.build),
    Panel("alarms", alarms.build),
    Panel("events", events.build),
)


def render_all(reading: Reading) -> dict[str, Rendered]:
    """Renders every panel. Returns them by name."""
    return {panel.name: panel.render(reading) for panel in PANELS}
