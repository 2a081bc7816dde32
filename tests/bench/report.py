"""The arithmetic of the report and its two faces, Markdown and JSON. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
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
        """The spread of one value a round."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high)

    def __str__(self) -> str:
        return f"{figure(self.median)} ({figure(self.low)} to {figure(self.high)})"


class Judged(StrEnum):
    """What an aim is held against; of what has a value a round, the median, but for the worst."""

    RATIO = "ours / peer"
    DIFFERENCE = "ours - peer"
    OURS = "ours"
    WORST = "worst of ours"


@dataclass(frozen=True)
class Aim:
    """What a figure should be: at most `bound`, or at least."""

    bound: float
    at_least: bool = False
    judged: Judged = Judged.RATIO

    def met_by(self, value: float) -> bool:
        """Whether it is."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        what = "" if self.judged is Judged.RATIO else f"{self.judged} "
        return f"{what}{'>=' if self.at_least else '<='} {figure(self.bound)}"


@dataclass(frozen=True)
class Row:
    """One comparison: a value a round for ours and for the peer, in the order measured, both in `unit`.

    Round i of ours and round i of the peer ran one after the other, so the machine's drift hits both: ratio and
    difference are taken within a round, and what is shown is the spread of those. A figure with an aim of its own and
    nothing to be compared with has no peer.
    """

    what: str
    peer: str
    unit: str
    ours: Sequence[float]
    peers: Sequence[float]
    aim: Aim | None = None

    def __post_init__(self) -> None:
        if self.peer and len(self.ours) != len(self.peers):
            raise ValueError(f"{self.what}: {len(self.ours)} rounds of ours, {len(self.peers)} of the peer")
        if not self.peer and self.aim and self.aim.judged in (Judged.RATIO, Judged.DIFFERENCE):
            raise ValueError(f"{self.what}: no peer to judge it by")

    @classmethod
    def alone(cls, what: str, unit: str, ours: Sequence[float], aim: Aim | None = None) -> Row:
        """A figure without a peer."""
        return cls(what, "", unit, ours, (), aim)

    @property
    def ratio(self) -> Spread:
        """Ours over the peer's, round by round."""
        return Spread.of(list(map(truediv, self.ours, self.peers)))

    @property
    def difference(self) -> Spread:
        """Ours less the peer's, round by round, in `unit`."""
        return Spread.of(list(map(sub, self.ours, self.peers)))

    @property
    def judged(self) -> float | None:
        """The figure that the aim is held against; None where there is no aim."""
        if self.aim is None:
            return None
        match self.aim.judged:
            case Judged.RATIO:
                return self.ratio.median
            case Judged.DIFFERENCE:
                return self.difference.median
            case Judged.OURS:
                return Spread.of(self.ours).median
            case Judged.WORST:
                return min(self.ours) if self.aim.at_least else max(self.ours)

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None where there is none."""
        return self.aim.met_by(self.judged) if self.aim and self.judged is not None else None

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of HEADINGS."""
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        worst = f", worst {figure(self.judged)}" if self.aim and self.aim.judged is Judged.WORST and self.judged else ""
        return (
            f"{self.what}, {self.unit}",
            f"{Spread.of(self.ours)}{worst}",
            f"{self.peer}: {Spread.of(self.peers)}" if self.peer else "",
            str(self.difference) if self.peer else "",
            str(self.ratio) if self.peer else "",
            str(self.aim or ""),
            met,
        )

    def as_json(self) -> dict[str, Any]:
        """The row with every round, so that anyone can reckon again."""
        return {
            "what": self.what,
            "unit": self.unit,
            "peer": self.peer or None,
            "rounds": len(self.ours),
            "ours": _spread_json(self.ours),
            "peer_value": _spread_json(self.peers) if self.peer else None,
            "difference": vars(self.difference) if self.peer else None,
            "ratio": vars(self.ratio) if self.peer else None,
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


def p99(values: Sequence[float]) -> float:
    """The value that a hundredth of all values exceed: of 100, the last but one."""
    return sorted(values)[-(len(values) // 100) - 1]


def _spread_json(values: Sequence[float]) -> dict[str, Any]:
    return {**vars(Spread.of(values)), "values": list(values)}
