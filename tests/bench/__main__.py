"""One run of everything: prints the table, writes reports/bench.md and reports/bench.json.

Engines, lab and web tier are the bench's own, on loopback, below a temporary directory; the run ends after TIME_S
at the latest, with every process that it started.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from tests.bench import faults, machine, routing, saves, votes
from tests.bench.engine import credentials, demo
from tests.bench.report import Report, Row
from tests.processes import ROOT

TIME_S = 160


class TooLong(Exception):
    """The run took longer than it may."""


def measure(folder: Path, rows: list[Row], notes: list[str]) -> None:
    """Adds every row and every note as they are found, so that a run that is cut short has something to show."""
    with credentials():
        _say("the router alone")
        rows += routing.rows()
        notes.append(routing.NOTE)
        _say("saves")
        rows += saves.rows(folder)
        notes.append(saves.NOTE)
        _say("votes a second, then faults")
        with demo(folder / "demo") as running:
            for part in (votes, faults):
                found, told = part.rows(running)
                rows += found
                notes += told


def main() -> int:
    """Measures and reports; 0 when the report is whole, whatever it says."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(TIME_S)
    load = machine.load()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    began = time.monotonic()
    rows: list[Row] = []
    notes: list[str] = []
    whole = False
    try:
        with tempfile.TemporaryDirectory(prefix="surveyapp-bench-") as folder:
            measure(Path(folder), rows, notes)
            whole = True
    except TooLong:
        notes.append(f"**Cut short after {TIME_S} s, rows are missing: the machine is too busy to measure on.**")
    finally:
        signal.alarm(0)
    run = {"load": f"{load} before and {machine.load()} after", "taken in": f"{time.monotonic() - began:.0f} s"}
    report = Report(at, {**machine.describe(), **run}, rows, notes)
    folder_out = ROOT / "reports"
    folder_out.mkdir(exist_ok=True)
    (folder_out / "bench.md").write_text(report.markdown())
    (folder_out / "bench.json").write_text(json.dumps(report.as_json(), indent=2) + "\n")
    print(report.markdown())
    return 0 if whole else 1


def _say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLong


if __name__ == "__main__":
    sys.exit(main())
