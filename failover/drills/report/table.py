"""A report in lines for a terminal: what was expected, and the strategies beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

COLUMNS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "failed": lambda run: run["votes"]["failed"],
    "lost": lambda run: run["votes"]["lost"],
    "RTO s": lambda run: _seconds(run["rto_ms"]),
    "switched s": lambda run: _seconds(run["switched_ms"]),
    "RPO": lambda run: run["rpo_votes"],
    "p99 ms": lambda run: _ms(run, run["latency_ms"]["during"]["p99"]),
    "worst ms": lambda run: _ms(run, run["latency_ms"]["worst"]),
    "extra calls": lambda run: run["extra_calls"],
}


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The expectations, then a table with a line for each strategy."""
    runs = report.get("runs", [report])
    for run in runs:
        for row in run["hypothesis"]:
            held = "held    " if row["held"] else "NOT HELD"
            figure = f"{row['measure']} {_measured(row)}; {row['bound']}"
            yield f"{held}  {run['strategy']}: {row['text']} ({figure})"
    yield f"{'strategy':<22}{'votes':>7}" + "".join(f"{name:>17}" for name in COLUMNS)
    for run in runs:
        cells = "".join(f"{_plain(figure(run)):>17}" for figure in COLUMNS.values())
        yield f"{run['strategy']:<22}{run['votes']['attempted']:>7}{cells}"
    if any(run["latency_void"] for run in runs):
        yield "void: this machine was busy for more than 70 % of the time, so no latency is shown"


def _measured(row: dict[str, Any]) -> str:
    is_time = row["measure"].endswith("_ms") and row["measured"] is not None
    return _seconds(row["measured"]) + " s" if is_time else _plain(row["measured"])


def _ms(run: dict[str, Any], value: float | None) -> str | None:
    return "void" if run["latency_void"] else None if value is None else f"{value:.0f}"


def _seconds(ms: float | None) -> str:
    return "not in this run" if ms is None else f"{ms / 1000:.1f}"


def _plain(value: object) -> str:
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
