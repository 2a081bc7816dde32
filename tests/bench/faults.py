"""A student's waiting time: for the first vote after a region's DNS record is emptied, and with its circuit open."""

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
    """Milliseconds around one fault.

    `normal`: a vote before it; `first`: the first vote after it; `failing`: that vote's failed attempt; `opened`: a
    vote while the circuit is open.
    """

    normal: float
    first: float
    failing: float
    opened: float


def rows(demo: Demo) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    demo.settle()
    rounds: list[Round] = []
    deadline = time.monotonic() + WITHIN_S
    while len(rounds) < LEAST_ROUNDS or (len(rounds) < ROUNDS and time.monotonic() < deadline):
        rounds.append(_round(demo))
    normal = [round_.normal for round_ in rounds]
    added = Aim(5, judged=Judged.OURS)
    return [
        Row.alone(
            "the attempt that failed on empty DNS, all that it adds", "ms", [round_.failing for round_ in rounds], added
        ),
        Row("first vote after dns-empty", "a normal vote", "ms", [round_.first for round_ in rounds], normal),
        Row("vote with the first circuit open", "a normal vote", "ms", [round_.opened for round_ in rounds], normal),
    ], [_note(rounds)]


def _round(demo: Demo) -> Round:
    with Student(demo.port) as student:
        _until_home(demo, student)
        normal = _typical([student.must_vote() for _ in range(VOTES)], [(FIRST, "ok")])
        demo.lab.set_fault(FIRST, "dns-empty", seconds=60)
        try:
            first = student.must_vote()
            assert first.path == [(FIRST, "dns"), (SECOND, "ok")], f"the first vote went {first.path}"
            wait_until(lambda: demo.circuit(FIRST) == "open", within=PATIENCE_S, what="the circuit is open")
            away = [(FIRST, "skipped"), (SECOND, "ok")]
            # The worker takes the monitor's verdict within its own period.
            wait_until(lambda: student.must_vote().path == away, within=PATIENCE_S, what="the worker knows it")
            opened = _typical([student.must_vote() for _ in range(VOTES)], away)
        finally:
            demo.lab.clear(FIRST)
    return Round(normal, first.ms, first.document["attempts"][0]["ms"], opened)


def _note(rounds: list[Round]) -> str:
    return (
        f"Faults: {len(rounds)} times dns-empty, which also cuts open connections; one student, both regions next door "
        f"(no added distance). Normal and open: the median of {VOTES} votes a round; first: the one vote that met the "
        "fault, seen in its receipt; what it takes beyond its failed attempt is new connections. What an open circuit "
        "adds is lost in a vote's noise: see the router alone, in µs. "
        f"The hold is {HOLD_S:g} s here so that failing back can be repeated; it does not change "
        "what a vote takes."
    )


def _until_home(demo: Demo, student: Student) -> None:
    """Votes until the region serves again: live traffic has to pass before its circuit closes."""

    def home() -> bool:
        return student.must_vote().path == [(FIRST, "ok")] and demo.circuit(FIRST) == "closed"

    wait_until(home, within=PATIENCE_S, what="failed back")


def _typical(replies: list[Reply], path: list[tuple[str, str]]) -> float:
    strays = [reply.path for reply in replies if reply.path != path]
    assert len(strays) <= len(replies) // 5, f"not measured in the state that was meant: {strays[:3]}"
    return statistics.median(reply.ms for reply in replies if reply.path == path)
