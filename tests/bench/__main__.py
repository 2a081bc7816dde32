"""One run of every topic, or of those that are named: `python -m tests.bench TOPIC ...`, `make bench ONLY="TOPIC ..."`.
Prints the table, writes reports/bench.md and reports/bench.json (of named topics: bench-TOPIC.md and .json).

Engines, lab and web tier are the bench's own, on loopback, below a temporary directory; the run ends after TIME_S
at the latest, with every process that it started.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from django.conf import settings

from tests.bench import (
    faults,
    frozen,
    large,
    listing,
    machine,
    memory,
    results,
    routing,
    saves,
    silent,
    stalled,
    tally,
    votes,
    watchers,
)
from tests.bench.engine import Demo, credentials, demo
from tests.bench.report import Report, Row
from tests.processes import ROOT

TIME_S = 1_200
Measured = tuple[list[Row], list[str]]
"""The rows of a topic, and notes for the reader."""
# Topics with engines of their own; topics that share a demo without ballots; topics that share a demo that has very
# many. The order within a group matters: tally needs a survey of at most 2,000 ballots, and large adds votes to the
# surveys whose prepared ballots results needs.
ALONE: dict[str, Callable[[Path], Measured]] = {
    "routing": lambda _: routing.rows(),
    "saves": saves.rows,
    "frozen": frozen.rows,
    "silent": silent.rows,
    "memory": memory.rows,
    "listing": listing.rows,
}
FRESH: dict[str, Callable[[Demo], Measured]] = {
    "tally": tally.alone,
    "votes": votes.rows,
    "watchers": watchers.rows,
    "stalled": stalled.rows,
    "faults": faults.rows,
}
LARGE: dict[str, Callable[[Demo], Measured]] = {"results": results.rows, "large": tally.beside}
TOPICS = (*ALONE, *FRESH, *LARGE)


class TooLong(BaseException):
    """The run took longer than TIME_S, or got SIGTERM."""


def measure(folder: Path, topics: Sequence[str], rows: list[Row], notes: list[str]) -> bool:
    """Adds the rows and notes of each topic as soon as it is measured: a run that is cut short keeps them.

    A topic that fails becomes a note. Returns whether every topic could be measured.
    """
    whole = True

    def add(topic: str, run: Callable[[], Measured]) -> None:
        nonlocal whole
        _say(f"measuring {topic} ...")
        try:
            measured = run()
        except Exception as error:
            traceback.print_exc()
            whole = False
            measured = [], [f"**{topic} is missing: {type(error).__name__}: {error}**"]
        rows.extend(measured[0])
        notes.extend(measured[1])

    with credentials():
        for topic in _of(ALONE, topics):
            add(topic, lambda topic=topic: ALONE[topic](folder / topic))
        if fresh := _of(FRESH, topics):
            with demo(folder / "fresh") as running:
                for topic in fresh:
                    add(topic, lambda topic=topic: FRESH[topic](running))
        if many := _of(LARGE, topics):
            _say(f"preparing {large.MANY:,} ballots ...")
            large.prepare(folder / "large")
            with demo(folder / "large") as running:
                for topic in many:
                    add(topic, lambda topic=topic: LARGE[topic](running))
    return whole


def main(topics: Sequence[str]) -> int:
    """Measures and reports. Returns 0 if every topic was measured, 1 if not, 2 for an unknown topic."""
    if unknown := set(topics) - set(TOPICS):
        _say(f"no topic {', '.join(sorted(unknown))}: choose from {' '.join(TOPICS)}")
        return 2
    settings.configure(USE_I18N=False)  # this process uses the application's code; the web tier runs in others
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _too_long)
    signal.alarm(TIME_S)
    load = machine.load()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    began = time.monotonic()
    rows: list[Row] = []
    notes: list[str] = []
    whole = False
    try:
        with tempfile.TemporaryDirectory(prefix="surveyapp-bench-") as folder:
            whole = measure(Path(folder), topics or TOPICS, rows, notes)
    except TooLong:
        notes.append(f"**Cut short, rows are missing: it was told to end, or took longer than {TIME_S} s.**")
    finally:
        signal.alarm(0)
        run = {"load": f"{load} before and {machine.load()} after", "taken in": f"{time.monotonic() - began:.0f} s"}
        report = Report(at, {**machine.describe(), **run}, rows, notes)
        _write(report, "-".join(["bench", *topics]))
    return 0 if whole else 1


def _write(report: Report, name: str) -> None:
    folder = ROOT / "reports"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(report.markdown())
    (folder / f"{name}.json").write_text(json.dumps(report.as_json(), indent=2) + "\n")
    print(report.markdown())


def _of(group: dict[str, object], topics: Sequence[str]) -> list[str]:
    return [topic for topic in group if topic in topics]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
