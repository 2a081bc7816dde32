"""What a class feels when a region says nothing at all: votes while DNS is silent, packets vanish, the region accepts
and never answers, or answers a byte at a time.
"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.engine import REGIONS, Demo, demo
from tests.bench.report import Aim, Judged, Row
from tests.bench.students import Reply, Student, wait_for_turn
from tests.waiting import wait_until

KINDS = ("dns-silent", "blackhole", "hang", "drip")
FIRST = REGIONS[0]
WORKERS, ROUNDS = 2, 2
RATE, CALM_S, WATCHED_S, HOLD_S = 20, 3, 10, 5.0
CROWD, PATIENCE_S = 32, 60.0
WHOLE_MS = 500.0
WORST = Aim(1_200, judged=Judged.WORST)
MET = Aim(3 * WORKERS, judged=Judged.WORST)
NOTE = (
    f"Silent faults: {ROUNDS} times each, in demos of {WORKERS} web workers with no added distance and the settings' "
    f"own timeouts (1 s to connect and to read) and hold ({HOLD_S:g} s). A class votes at {RATE} a second, each over a "
    f"connection of its own and whether or not others still wait, for {WATCHED_S} s and therefore longer than the "
    f"hold. A vote met the fault when its receipt says that {FIRST} was tried and failed: for a whole attempt when "
    f"that took more than {WHOLE_MS:g} ms, else for the moment that is left to who comes to a crowd. The votes after "
    "them are all of the others, by their median."
)


@dataclass
class Round:
    """One fault: the median of calm votes, of those that did not meet it, and every vote that did; milliseconds."""

    calm: float
    whole: list[float] = field(default_factory=list)
    short: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def add(self, reply: Reply) -> None:
        """Adds a vote."""
        first = reply.document["attempts"][0]
        if first["region"] != FIRST or first["outcome"] in ("ok", "skipped"):
            self.others.append(reply.ms)
        else:
            (self.whole if first["ms"] > WHOLE_MS else self.short).append(reply.ms)


def rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    table: list[Row] = []
    for kind in KINDS:
        # A demo each: the hold doubles with every outage within a minute.
        with demo(folder / kind, hold_s=HOLD_S) as running:
            running.settle()
            rounds = [_round(running, kind) for _ in range(ROUNDS)]
        calm = [round_.calm for round_ in rounds]
        whole, short = [float(len(round_.whole)) for round_ in rounds], [float(len(round_.short)) for round_ in rounds]
        table += [
            Row(f"worst vote, {kind}", "a normal vote", "ms", [max(round_.whole) for round_ in rounds], calm, WORST),
            Row.alone(f"votes that met it for a whole attempt, {RATE}/s, both workers, {kind}", "votes", whole, MET),
            Row.alone(f"votes that met it for less, both workers, {kind}", "votes", short),
            Row(
                f"votes after them, {kind}",
                "a normal vote",
                "ms",
                [statistics.median(round_.others) for round_ in rounds],
                calm,
            ),
        ]
    return table, [NOTE]


def _round(running: Demo, kind: str) -> Round:
    _until_home(running)
    calm = statistics.median(reply.ms for reply in _class_votes(running, CALM_S))
    round_ = Round(calm)
    running.lab.set_fault(FIRST, kind, seconds=120)
    try:
        for reply in _class_votes(running, WATCHED_S):
            round_.add(reply)
    finally:
        running.lab.clear(FIRST)
    assert round_.whole, "no vote met the fault"
    return round_


def _class_votes(running: Demo, seconds: float) -> list[Reply]:
    """Votes at `RATE` a second, whoever still waits; a vote that was not recorded raises."""

    def vote() -> Reply:
        with Student(running.port) as student:
            return student.must_vote()

    began = time.perf_counter()
    with ThreadPoolExecutor(CROWD) as crowd:
        votes = []
        for number in range(round(seconds * RATE)):
            wait_for_turn(number, began=began, rate=RATE)
            votes.append(crowd.submit(vote))
        return [vote.result() for vote in votes]


def _until_home(running: Demo) -> None:
    """Votes go on while the region comes back: it is live traffic that closes a disputed circuit."""

    def home() -> bool:
        paths = [reply.path for reply in _class_votes(running, 0.5)]
        return all(path == [(FIRST, "ok")] for path in paths) and running.circuit(FIRST) == "closed"

    wait_until(home, within=PATIENCE_S, what="failed back")
