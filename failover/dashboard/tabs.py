"""Pages beside the dashboard. Apps that only some installations have register theirs when they start,
so the dashboard imports none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True)
class Tab:
    """A page's name and the name of its address."""

    title: str | Promise
    url_name: str


tabs: list[Tab] = []
"""Every registered page, in order."""


def register(title: str | Promise, url_name: str) -> None:
    """Add a page, once."""
    tab = Tab(title, url_name)
    if tab not in tabs:
        tabs.append(tab)
