"""How a drill's report shows its figures."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

register = template.Library()


@register.filter
def figure(value: float | None, name: str) -> str:
    """A figure with its unit, by its name: `..._ms` in seconds, `worst` in ms, the rest as they are."""
    if value is None:
        return "not in this run"
    if name.endswith("_ms"):
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if name == "worst" else f"{value:g}"


@register.filter
def budget(row: Mapping[str, float]) -> str:
    """How much of the failures that were allowed was used: in per cent, or how many times over."""
    times = row["used"] / row["allowed"]
    return f"{times:.0f} times" if times > 2 else f"{100 * times:.0f} %"
