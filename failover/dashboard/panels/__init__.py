"""The dashboard's panels. One panel is one module here with one builder, and one template of the same name.

A builder turns a `Reading` into what its template shows and does nothing else: no clock, no request, no computing of
health. To add a panel, write both files, list it below, and give it a place in the grid of `page.html`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
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
        """The panel as HTML. The template finds the builder's result as `panel` and the reading as `reading`."""
        context = {"panel": self.build(reading), "reading": reading}
        html = render_to_string(f"failover/panels/{self.name}.html", context)
        return Rendered(self.name, html, hashlib.sha256(html.encode()).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Rendered:
    """A panel's HTML and a digest of it, by which a browser knows that nothing has changed."""

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


def render_all(reading: Reading, panels: Sequence[Panel] = PANELS) -> dict[str, Rendered]:
    """Every panel by name."""
    return {panel.name: panel.render(reading) for panel in panels}
