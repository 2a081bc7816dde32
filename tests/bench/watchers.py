"""Three hundred phones that watch the results: what a request costs the web workers when their cache serves it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from tests.bench.engine import Demo
from tests.bench.measure import interleaved
from tests.bench.processes import parts, used
from tests.bench.report import Aim, Judged, Row
from tests.bench.students import CODE, Student, in_threads
from tests.bench.web import Reader

WATCHERS, THREADS, TIMES, VOTES = 300, 8, 4, 20
ROUNDS, WITHIN_S = 9, 60.0
AIM = Aim(1.0, judged=Judged.OURS)
NOTE = (
    f"Watchers: {WATCHERS} kept connections, each asking {TIMES} times a round, as a results page does (HX-Request, "
    f"If-None-Match) or for results.json, from {THREADS} threads as fast as they are served. CPU is that of the two "
    "gunicorn workers from /proc, all of it: what they do in the background and the readings that fill the cache are "
    "in it. The peer is /healthz/live, which asks nothing of anybody: gunicorn, Django and the same middleware."
)


def rows(demo: Demo) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    if not parts(demo.folder):
        return [], ["Watchers: not measured, this system has no /proc."]
    with Student(demo.port) as student:
        for _ in range(VOTES):
            student.must_vote()
    variants = {
        "page": lambda: _cost(demo, f"/s/{CODE}/results/", polls=True),
        "json": lambda: _cost(demo, f"/s/{CODE}/results.json"),
        "bare": lambda: _cost(demo, "/healthz/live"),
    }
    for warm in variants.values():
        warm()
    values = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)

    def row(what: str, name: str) -> Row:
        return Row(
            f"{what} for {WATCHERS} watchers, CPU a request",
            "/healthz/live",
            "ms",
            values[name],
            values["bare"],
            AIM,
        )

    return [row("results page", "page"), row("results.json", "json")], [NOTE]


def _cost(demo: Demo, path: str, *, polls: bool = False) -> float:
    """Each watcher asks a few times; the workers' milliseconds of CPU a request."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Reader(demo.port, path, polls=polls)) for _ in range(WATCHERS)]
        before = parts(demo.folder)
        in_threads([_in_turn(readers[number::THREADS]) for number in range(THREADS)], times=TIMES)
        return used(before, parts(demo.folder))["web"] / (TIMES * WATCHERS) * 1000


def _in_turn(readers: Sequence[Reader]) -> Callable[[], None]:
    def ask() -> None:
        for reader in readers:
            reader.get()

    return ask
