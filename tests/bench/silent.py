"""What a student feels when a region says nothing at all: votes while DNS is silent, packets vanish, the region accepts
and never answers, or answers a byte at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.engine import REGIONS, Demo, demo
from tests.bench.report import Aim, Judged, Row
from tests.bench.students import Student
from tests.waiting import wait_until

KINDS = ("dns-silent", "blackhole", "hang", "drip")
FIRST = REGIONS[0]
WORKERS, ROUNDS = 2, 2
CONNECTIONS, CALM, HOLD_S = 4, 24, 5.0
WATCHED_S, PAUSE_S, PATIENCE_S = 12.0, 0.05, 60.0
WORST = Aim(1_200, judged=Judged.WORST)
MET = Aim(3 * WORKERS, judged=Judged.WORST)
NOTE = (
    f"Silent faults: {ROUNDS} times each, in demos of {WORKERS} web workers with no added distance and the settings' "
    f"own timeouts (1 s to connect and to read) and hold ({HOLD_S:g} s). One student after another votes, over "
    f"{CONNECTIONS} kept connections in turn so that both workers meet the fault, for {WATCHED_S:g} s and therefore "
    "longer than the hold; votes under way at the same moment would each meet it. A vote met it when its receipt says "
    f"that {FIRST} was tried and failed. The votes after them are all of the others, by their median."
)


@dataclass(frozen=True)
class Round:
    """One fault: the median of calm votes, of those that did not meet it, and every vote that did; milliseconds."""

    calm: float
    met: list[float]
    after: float


def rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    table: list[Row] = []
    for kind in KINDS:
        # A demo each: the hold doubles with every outage within a minute.
        with demo(folder / kind, hold_s=HOLD_S) as running:
            running.settle()
            rounds = [_round(running, kind) for _ in range(ROUNDS)]
        calm = [one.calm for one in rounds]
        table += [
            Row(f"worst vote, {kind}", "a normal vote", "ms", [max(one.met) for one in rounds], calm, WORST),
            Row.alone(
                f"votes that met it, both workers, {kind}", "votes", [float(len(one.met)) for one in rounds], MET
            ),
            Row(f"votes after them, {kind}", "a normal vote", "ms", [one.after for one in rounds], calm),
        ]
    return table, [NOTE]


def _round(demo: Demo, kind: str) -> Round:
    with contextlib.ExitStack() as stack:
        students = [stack.enter_context(Student(demo.port)) for _ in range(CONNECTIONS)]
        _until_home(demo, students)
        turns = itertools.cycle(students)
        calm = statistics.median(next(turns).must_vote().ms for _ in range(CALM))
        demo.lab.set_fault(FIRST, kind, seconds=120)
        try:
            met, after = _through(turns)
        finally:
            demo.lab.clear(FIRST)
    return Round(calm, met, statistics.median(after))


def _through(turns: Iterator[Student]) -> tuple[list[float], list[float]]:
    """What the votes took that met the fault, and those that did not, milliseconds."""
    met: list[float] = []
    after: list[float] = []
    until = time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        reply = next(turns).must_vote()
        region, outcome = reply.way[0]
        assert outcome != "ok" or region != FIRST, "the fault is not there"
        (after if outcome in ("ok", "skipped") else met).append(reply.ms)
        time.sleep(PAUSE_S)
    assert met, "no vote met the fault"
    return met, after


def _until_home(demo: Demo, students: list[Student]) -> None:
    """Votes go on while the region comes back: it is live traffic that closes a disputed circuit."""

    def home() -> bool:
        ways = [student.must_vote().way for student in students]
        return all(way == [(FIRST, "ok")] for way in ways) and demo.circuit(FIRST) == "closed"

    wait_until(home, within=PATIENCE_S, what="failed back")
