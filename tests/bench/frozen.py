"""Eight threads while one region is frozen: what the healthy region's answers take, beside a calm day's."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

from failover import gateway, wiring
from failover.conf import FailoverConfig
from failover.lab.config import LabConfig
from failover.lab.engine.engine import Engine
from tests.bench.engine import REGIONS, make_table
from tests.bench.measure import interleaved
from tests.bench.report import Aim, Row, p99
from tests.bench.saves import TABLE, RoutedBallot
from tests.bench.students import in_threads
from tests.processes import stopped

FROZEN, HEALTHY = REGIONS
THREADS, WARM, CALLS, ROUNDS, WITHIN_S = 8, 10, 150, 9, 75.0
AIM = Aim(2.0)
NOTE = (
    f"Frozen: {THREADS} threads, {CALLS} routed puts each a round, no monitor. The first choice's engine is stopped "
    f"(SIGSTOP) for the round, so each thread first waits for it, its circuit opens, and its single trials go on "
    f"hanging while the rest is served by {HEALTHY}. What is compared is the time of the attempts in {HEALTHY}, which "
    "on the calm day is itself the first choice; the second row is what a caller waits on the whole, p99, with the "
    "first votes that met the fault in it."
)


def rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    stopping = threading.Event()
    lab = LabConfig(lab_dir=folder / "frozen")
    engines = {region: Engine(lab, region, on_crash=lambda _: None, stopping=stopping) for region in REGIONS}
    try:
        running = {region: engine.start() for region, engine in engines.items()}
        urls = {region: f"http://127.0.0.1:{engine.port}" for region, engine in running.items()}
        order = {"calm": (HEALTHY, FROZEN), "frozen": (FROZEN, HEALTHY)}
        configs = {
            name: FailoverConfig(regions=regions, endpoints=urls, nameserver=None, run_dir=folder / name)
            for name, regions in order.items()
        }
        for region, url in urls.items():
            make_table(url, region, TABLE)
        variants: dict[str, Callable[[], tuple[float, float]]] = {
            "calm": lambda: _round(configs["calm"], None),
            "frozen": lambda: _round(configs["frozen"], running[FROZEN].pid),
        }
        for warm in variants.values():
            warm()
        measured = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)
    finally:
        stopping.set()
        for engine in engines.values():
            engine.stop()
    healthy, waited = ({name: [value[at] for value in values] for name, values in measured.items()} for at in (0, 1))
    beside = "both regions well"
    return [
        Row("healthy region's p99, the other frozen", beside, "ms", healthy["frozen"], healthy["calm"], AIM),
        Row("a caller's p99, one region frozen", beside, "ms", waited["frozen"], waited["calm"]),
    ], [NOTE]


def _round(config: FailoverConfig, frozen: int | None) -> tuple[float, float]:
    """The p99 of the attempts in the healthy region, and of the calls; milliseconds."""
    attempts: list[float] = []
    calls: list[float] = []
    numbers = itertools.count()

    def put() -> object:
        number = next(numbers)
        values = {"vote_id": "a", "answers": {"q1": "o1"}}
        return RoutedBallot(f"BENCH#1#{number % 64}", f"voter-{number}", **values).put().written

    def warm() -> None:
        with gateway.at(HEALTHY):
            put()

    def vote() -> None:
        began = time.perf_counter()
        routed = gateway.write(lambda _: put(), idempotent=True)
        calls.append((time.perf_counter() - began) * 1000)
        assert routed.region == HEALTHY, f"{routed.region} answered"
        attempts.append(routed.attempts[-1].ms)

    with wiring.using(config):
        in_threads([warm] * THREADS, times=WARM)
        with stopped(frozen) if frozen else contextlib.nullcontext():
            in_threads([vote] * THREADS, times=CALLS)
    return p99(attempts), p99(calls)
