"""The arithmetic of the report and its two faces, Markdown and JSON. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub, truediv
from typing import Any

HEADINGS = ("what", "ours", "peer", "ours - peer", "ours / peer", "aim", "met")


@dataclass(frozen=True)
class Spread:
    """A median between its quartiles (inclusive method: the least and the greatest value are the ends)."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one value a round; of at least two."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high)

    def __str__(self) -> str:
        return f"{figure(self.median)} ({figure(self.low)} to {figure(self.high)})"


@dataclass(frozen=True)
class Aim:
    """What a ratio should be: at most `bound`, or at least."""

    bound: float
    at_least: bool = False

    def met_by(self, ratio: float) -> bool:
        """Whether it is."""
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:.2f}"


@dataclass(frozen=True)
class Row:
    """One comparison: a value a round for ours and for the peer, in the order measured, both in `unit`.

    Round i of ours and round i of the peer ran one after the other, so the machine's drift hits both: ratio and
    difference are taken within a round, and what is shown is the spread of those.
    """

    what: str
    peer: str
    unit: str
    ours: Sequence[float]
    peers: Sequence[float]
    aim: Aim | None = None

    def __post_init__(self) -> None:
        if len(self.ours) != len(self.peers):
            raise ValueError(f"{self.what}: {len(self.ours)} rounds of ours, {len(self.peers)} of the peer")

    @property
    def ratio(self) -> Spread:
        """Ours over the peer's, round by round."""
        return Spread.of(list(map(truediv, self.ours, self.peers)))

    @property
    def difference(self) -> Spread:
        """Ours less the peer's, round by round, in `unit`."""
        return Spread.of(list(map(sub, self.ours, self.peers)))

    @property
    def met(self) -> bool | None:
        """Whether the median ratio meets the aim; None where there is none."""
        return self.aim.met_by(self.ratio.median) if self.aim else None

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of HEADINGS."""
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        return (
            f"{self.what}, {self.unit}",
            str(Spread.of(self.ours)),
            f"{self.peer}: {Spread.of(self.peers)}",
            str(self.difference),
            str(self.ratio),
            str(self.aim or ""),
            met,
        )

    def as_json(self) -> dict[str, Any]:
        """The row with every round, so that anyone can reckon again."""
        return {
            "what": self.what,
            "unit": self.unit,
            "peer": self.peer,
            "rounds": len(self.ours),
            "ours": _spread_json(self.ours),
            "peer_value": _spread_json(self.peers),
            "difference": vars(self.difference),
            "ratio": vars(self.ratio),
            "aim": str(self.aim) if self.aim else None,
            "met": self.met,
        }


@dataclass(frozen=True)
class Report:
    """One run: when (ISO 8601, UTC), on what machine, what came out, and what a reader must know to judge it."""

    at: str
    machine: dict[str, str]
    rows: Sequence[Row]
    notes: Sequence[str]

    def markdown(self) -> str:
        """The whole report as Markdown."""
        table = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in self.rows)]
        lines = [
            "# Bench",
            "",
            f"{self.at}. " + ", ".join(f"{name}: {value}" for name, value in self.machine.items()) + ".",
            "",
            "Median (quartiles) over interleaved rounds; ratio and difference are taken within each round.",
            "",
            *("| " + " | ".join(cells) + " |" for cells in table),
            "",
            *(f"- {note}" for note in self.notes),
        ]
        return "\n".join(lines) + "\n"

    def as_json(self) -> dict[str, Any]:
        """The whole report as plain JSON values."""
        return {
            "at": self.at,
            "machine": self.machine,
            "rows": [row.as_json() for row in self.rows],
            "notes": list(self.notes),
        }


def figure(value: float) -> str:
    """Three significant digits, never in scientific notation, thousands separated."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _spread_json(values: Sequence[float]) -> dict[str, Any]:
    return {**vars(Spread.of(values)), "values": list(values)}
