"""A region, and the order of several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A region by its AWS name. The lowest `priority` is this stack's own region."""

    name: str
    priority: int = 0


def by_priority(regions: Iterable[Region]) -> tuple[Region, ...]:
    """The regions, first choice first. Raises ValueError when there is none or a name comes twice."""
    ordered = tuple(sorted(regions, key=lambda region: region.priority))
    names = [region.name for region in ordered]
    if not names:
        raise ValueError("at least one region is needed")
    if len(set(names)) != len(names):
        raise ValueError(f"a region is named twice: {', '.join(names)}")
    return ordered
