"""Reads of a region where every fiftieth reply is slow: hedged, beside the same reads as they are otherwise made."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from failover import gateway, wiring
from failover.conf import FailoverConfig
from tests.bench.engine import REGIONS, lone_engine, make_table
from tests.bench.measure import interleaved
from tests.bench.report import Aim, Row, p99
from tests.bench.saves import TABLE, RoutedBallot
from tests.bench.servers import SlowAtSome, passing_on

SLOW_EVERY, SLOW_S = 50, 0.3
READS, ROUNDS, WITHIN_S = 500, 11, 75.0
LATENCY, CALLS = Aim(0.15), Aim(1.05)
NOTE = (
    f"Hedged reads: {READS} reads a round of one item, one thread, gateway.read with and without hedge=True; two "
    "regions that share one engine, each behind a server that passes calls on and counts them. The first region's "
    f"holds back every {SLOW_EVERY}th reply (2 %) by {SLOW_S * 1000:.0f} ms, the second's none. A round's p99 is of "
    f"{READS} reads, what the servers add is in both. A hedge is sent after the recent p95; the budget saved up in "
    "calm times is spent in the warm-up. A slow reply that a read outran still holds its thread."
)


def rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    slow, fast = SlowAtSome(SLOW_EVERY, SLOW_S), SlowAtSome(0, 0)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(lone_engine(folder / "hedging", REGIONS[0]))
        port = int(url.rpartition(":")[2])
        urls = {
            region: stack.enter_context(passing_on(port, manner))
            for region, manner in zip(REGIONS, (slow, fast), strict=True)
        }
        config = FailoverConfig(regions=REGIONS, endpoints=urls, nameserver=None, run_dir=folder / "run")
        stack.enter_context(wiring.using(config))
        for region in REGIONS:  # the engine keeps the tables of each region apart
            make_table(url, region, TABLE)
            with gateway.at(region):
                RoutedBallot("BENCH#1#0", "voter#us-east-1", vote_id="a", answers={"q1": "o1"}).put()

        def reads(*, hedge: bool) -> Callable[[], tuple[float, float]]:
            def measured() -> tuple[float, float]:
                before = slow.calls + fast.calls
                took = [_read(hedge=hedge) for _ in range(READS)]
                return p99(took), (slow.calls + fast.calls - before) / READS

            return measured

        variants = {"hedged": reads(hedge=True), "plain": reads(hedge=False)}
        for warm in variants.values():
            warm()
        found = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)
    times, calls = ({name: [one[at] for one in values] for name, values in found.items()} for at in (0, 1))
    return [
        Row("p99 of hedged reads, 2 % slow replies", "not hedged", "ms", times["hedged"], times["plain"], LATENCY),
        Row("calls a hedged read", "not hedged", "calls", calls["hedged"], calls["plain"], CALLS),
    ], [NOTE]


def _read(*, hedge: bool) -> float:
    began = time.perf_counter()
    routed = gateway.read(lambda _: RoutedBallot.get("BENCH#1#0", "voter#us-east-1").vote_id, hedge=hedge)
    ms = (time.perf_counter() - began) * 1000
    assert routed.value == "a"
    assert all(attempt.outcome in (gateway.Outcome.OK, gateway.Outcome.OUTRUN) for attempt in routed.attempts)
    return ms
