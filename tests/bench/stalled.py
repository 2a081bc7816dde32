"""A class votes beside a thousand connections that stopped in mid-request: what it costs, and how health answers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from surveyapp.server.limits import allow_files
from tests.bench.engine import Demo
from tests.bench.measure import interleaved
from tests.bench.report import Aim, Judged, Row
from tests.bench.students import CODE, TIMEOUT_S, Student, in_threads, wait_for_turn
from tests.bench.web import Reader

STALLED, CONNECTIONS, VOTES_EACH = 1_000, 8, 12
CLASS, RATE, CLASS_ROUNDS = 300, 30, 3
ROUNDS, WITHIN_S = 15, 60.0
BEGINNINGS = (
    b"",
    f"GET /s/{CODE}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ".encode(),
    f"POST /api/v1/surveys/{CODE}/ballots HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90\r\n\r\n{{".encode(),
)
AIM = Aim(0.9, at_least=True)
HEALTH = Aim(1_000, judged=Judged.WORST)
NOTE = (
    f"Stalled: {STALLED:,} connections that sent nothing, half a head or half a body, a third each, opened anew for "
    f"each round. The ratio is of votes a second over {CONNECTIONS} kept connections, with them and without. Then "
    f"{CLASS} students vote beside them, {RATE} a second, each over a connection of their own, while /healthz/live is "
    "asked again and again, each time over a new connection; every vote must be recorded."
)


def rows(demo: Demo) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    allow_files(STALLED + 2 * CLASS)

    def beside() -> float:
        with _stalled(demo.port):
            return _votes(demo)

    variants = {"beside": beside, "alone": lambda: _votes(demo)}
    for warm in variants.values():
        warm()
    values = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)
    health = [_class(demo) for _ in range(CLASS_ROUNDS)]
    return [
        Row(
            f"votes beside {STALLED:,} stalled connections",
            "without them",
            "1/s",
            values["beside"],
            values["alone"],
            AIM,
        ),
        Row.alone(f"health while {CLASS} vote beside them, slowest answer", "ms", health, HEALTH),
    ], [NOTE]


def _votes(demo: Demo) -> float:
    demo.settle()
    with contextlib.ExitStack() as stack:
        students = [stack.enter_context(Student(demo.port)) for _ in range(CONNECTIONS)]
        return in_threads([student.must_vote for student in students], times=VOTES_EACH)


def _class(demo: Demo) -> float:
    """Every student votes once; the slowest answer of health meanwhile."""
    over = threading.Event()

    def vote(number: int) -> None:
        wait_for_turn(number, began=began, rate=RATE)
        with Student(demo.port) as student:
            student.must_vote()

    def watch() -> float:
        slowest = 0.0
        while not over.wait(0.05):
            with Reader(demo.port, "/healthz/live") as reader:
                slowest = max(slowest, reader.get().ms)
        return slowest

    with _stalled(demo.port), ThreadPoolExecutor(1) as pool:
        watched = pool.submit(watch)
        try:
            began = time.perf_counter()
            in_threads([partial(vote, number) for number in range(CLASS)], times=1)
        finally:
            over.set()
        return watched.result()


@contextlib.contextmanager
def _stalled(port: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for number in range(STALLED):
            stalled = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S))
            stalled.sendall(BEGINNINGS[number % len(BEGINNINGS)])
        yield
