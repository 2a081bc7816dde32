"""What a student feels: the first vote after a region's DNS record is emptied, and a vote while its circuit is open."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from tests.bench.engine import HOLD_S, Demo
from tests.bench.report import Aim, Judged, Row
from tests.bench.students import Reply, Student
from tests.waiting import wait_until

FIRST, SECOND = "us-east-1", "us-west-2"
LEAST_ROUNDS, ROUNDS, WITHIN_S = 5, 9, 36.0
VOTES = 25
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Round:
    """Milliseconds of one fault: a vote before it, the first vote after it, the attempt in it that failed, a vote with
    the circuit open.
    """

    normal: float
    first: float
    failing: float
    opened: float


def rows(demo: Demo) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    demo.settle()
    found: list[Round] = []
    deadline = time.monotonic() + WITHIN_S
    while len(found) < LEAST_ROUNDS or (len(found) < ROUNDS and time.monotonic() < deadline):
        found.append(_round(demo))
    normal = [one.normal for one in found]
    added = Aim(5, judged=Judged.OURS)
    return [
        Row.alone(
            "the attempt that failed on empty DNS, all that it adds", "ms", [one.failing for one in found], added
        ),
        Row("first vote after dns-empty", "a normal vote", "ms", [one.first for one in found], normal),
        Row("vote with the first circuit open", "a normal vote", "ms", [one.opened for one in found], normal),
    ], [_note(found)]


def _round(demo: Demo) -> Round:
    with Student(demo.port) as student:
        _until_home(demo, student)
        normal = _typical([student.must_vote() for _ in range(VOTES)], [(FIRST, "ok")])
        demo.lab.set_fault(FIRST, "dns-empty", seconds=60)
        try:
            first = student.must_vote()
            assert first.way == [(FIRST, "dns"), (SECOND, "ok")], f"the first vote went {first.way}"
            wait_until(lambda: demo.circuit(FIRST) == "open", within=PATIENCE_S, what="the circuit is open")
            away = [(FIRST, "skipped"), (SECOND, "ok")]
            # The worker takes the monitor's verdict within its own period.
            wait_until(lambda: student.must_vote().way == away, within=PATIENCE_S, what="the worker knows it")
            opened = _typical([student.must_vote() for _ in range(VOTES)], away)
        finally:
            demo.lab.clear(FIRST)
    return Round(normal, first.ms, first.document["attempts"][0]["ms"], opened)


def _note(found: list[Round]) -> str:
    return (
        f"Faults: {len(found)} times dns-empty, which also cuts open connections; one student, both regions next door "
        f"(no added distance). Normal and open: the median of {VOTES} votes a round; first: the one vote that met the "
        "fault, seen in its receipt; what it takes beyond its failed attempt is new connections. What an open circuit "
        "adds is lost in a vote's noise: see the router alone, in µs. "
        f"The hold is {HOLD_S:g} s here so that failing back can be repeated; it does not change "
        "what a vote takes."
    )


def _until_home(demo: Demo, student: Student) -> None:
    """Votes go on while the region comes back: it is live traffic that closes a disputed circuit."""

    def home() -> bool:
        return student.must_vote().way == [(FIRST, "ok")] and demo.circuit(FIRST) == "closed"

    wait_until(home, within=PATIENCE_S, what="failed back")


def _typical(replies: list[Reply], way: list[tuple[str, str]]) -> float:
    strays = [reply.way for reply in replies if reply.way != way]
    assert len(strays) <= len(replies) // 5, f"not measured in the state that was meant: {strays[:3]}"
    return statistics.median(reply.ms for reply in replies if reply.way == way)
