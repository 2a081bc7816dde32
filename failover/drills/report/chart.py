"""The picture of a run: what became of the votes of each second, as boxes of an SVG. Pure.

Each strategy has a lane of its own under one axis of time. A vote stands in the second in which it was
due, so a vote that was repeated for a while is shown where its student began to wait.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from failover.drills.figures import first_receipts, percentile
from failover.drills.ledger import Ledger

WIDTH, LEFT, RIGHT = 960, 140, 12
LANE, GAP, TOP = 64, 14, 56
"""Sizes in the SVG's own units."""
FAILED = "failed"
SHARES = (0.5, 0.99)
"""The percentiles that are drawn."""


@dataclass(frozen=True)
class Box:
    """Votes of one second with one outcome."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True)
class Lane:
    """One strategy: its boxes, the lines of its median and its 99th percentile, and its bottom."""

    strategy: str
    top: float
    base: float
    boxes: tuple[Box, ...]
    median: str
    p99: str
    peak_ms: float


@dataclass(frozen=True)
class Mark:
    """A moment of the timeline: where it is, its number in the list below, and its text."""

    x: float
    number: int
    at_s: float
    text: str
    kind: str


@dataclass(frozen=True)
class Chart:
    """The whole picture. `kinds` are the outcomes in the order of the legend, `lag` a line of the
    replication lag, up to `lag_ms`; `ticks` are times in s and where they stand.
    """

    width: int
    height: float
    left: int
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    kinds: tuple[str, ...]
    ticks: tuple[tuple[float, float], ...]
    lag: str
    lag_ms: float
    lag_top: float
    lag_base: float


def chart(ledger: Ledger, strategies: Sequence[str]) -> Chart:
    """The picture of these strategies, the first one on top."""
    dues = [sent.due - ledger.run.at for sent in ledger.sent]
    seconds = int(max([*dues, *(act.at - ledger.run.at for act in ledger.acts)], default=0)) + 1
    step = (WIDTH - LEFT - RIGHT) / seconds
    regions = tuple(dict.fromkeys(region for held in ledger.run.strategies.values() for region in held))
    outcomes = {strategy: _outcomes(ledger, strategy) for strategy in strategies}
    most = max((sum(count.values()) for lane in outcomes.values() for count in lane.values()), default=1)
    waits = {strategy: _waits(ledger, strategy) for strategy in strategies}
    lanes = []
    for index, strategy in enumerate(strategies):
        top = TOP + index * (LANE + GAP)
        base = top + LANE
        boxes = _boxes(outcomes[strategy], (*regions, FAILED), base=base, step=step, scale=LANE / most)
        each = {share: _percentiles(waits[strategy], share) for share in SHARES}
        peak = max(each[0.99].values(), default=0.0)
        median, p99 = (_line(each[share], peak, step=step, base=base) for share in SHARES)
        lanes.append(Lane(strategy, top, base, tuple(boxes), median, p99, peak))
    lag_top = TOP + len(strategies) * (LANE + GAP)
    lag = {
        int(sample.at - ledger.run.at): max((ms or 0 for ms in sample.lag.values()), default=0)
        for sample in ledger.samples
        if 0 <= sample.at - ledger.run.at < seconds
    }
    lag_ms = float(max(lag.values(), default=0))
    every = 10 if seconds <= 120 else 60
    return Chart(
        width=WIDTH,
        height=lag_top + LANE + 30,
        left=LEFT,
        lanes=tuple(lanes),
        marks=tuple(_marks(ledger, step)),
        kinds=(*regions, FAILED),
        ticks=tuple((second, LEFT + second * step) for second in range(0, seconds + 1, every)),
        lag=_line({second: float(ms) for second, ms in lag.items()}, lag_ms, step=step, base=lag_top + LANE),
        lag_ms=lag_ms,
        lag_top=lag_top,
        lag_base=lag_top + LANE,
    )


def _outcomes(ledger: Ledger, strategy: str) -> dict[int, Counter[str]]:
    """By second, how many votes each region acknowledged and how many nobody did."""
    served = {receipt.vote_id: receipt.region for receipt in reversed(ledger.of_strategy(strategy).receipts)}
    seconds: dict[int, Counter[str]] = defaultdict(Counter)
    for vote_id, vote in ledger.votes.items():
        seconds[int(vote.due - ledger.run.at)][served.get(vote_id, FAILED)] += 1
    return seconds


def _waits(ledger: Ledger, strategy: str) -> dict[int, list[float]]:
    """By second, how long the votes took in ms that were due in it and acknowledged."""
    seconds: dict[int, list[float]] = defaultdict(list)
    for receipt in first_receipts(ledger.of_strategy(strategy)):
        seconds[int(ledger.votes[receipt.vote_id].due - ledger.run.at)].append(receipt.ms)
    return seconds


def _percentiles(waits: dict[int, list[float]], share: float) -> dict[int, float]:
    return {second: percentile(ms, share) or 0.0 for second, ms in waits.items()}


def _boxes(
    seconds: dict[int, Counter[str]], kinds: Sequence[str], *, base: float, step: float, scale: float
) -> Iterator[Box]:
    for second, counts in sorted(seconds.items()):
        y = base
        for index, kind in enumerate(kinds):
            height = counts[kind] * scale
            if height:
                y -= height
                name = FAILED if kind == FAILED else f"region{index + 1}"
                yield Box(_short(LEFT + second * step), _short(y), _short(step * 0.86), _short(height), name)


def _line(values: dict[int, float], most: float, *, step: float, base: float) -> str:
    """The points of a polyline through the middle of each second."""
    if not most:
        return ""
    return " ".join(
        f"{_short(LEFT + (second + 0.43) * step)},{_short(base - LANE * value / most)}"
        for second, value in sorted(values.items())
    )


def _marks(ledger: Ledger, step: float) -> Iterator[Mark]:
    moments = [
        (act.at, act.text or act.what, "clear" if act.what in ("clear", "auto") else "act") for act in ledger.acts
    ]
    moments += [(event.at, f"{event.kind} {event.region}: {event.text}", "event") for event in ledger.events]
    for number, (at, text, kind) in enumerate(sorted(moments), 1):
        at_s = at - ledger.run.at
        yield Mark(_short(LEFT + at_s * step), number, round(at_s, 1), text, kind)


def _short(value: float) -> float:
    return round(value, 1)
