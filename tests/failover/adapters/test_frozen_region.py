"""Eight web threads and a region that stands still: real threads, the real runner, no clock but the attempts' own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from failover.adapters.clock import SystemClock
from failover.adapters.runner import PooledRunner
from failover.core.config import RouterConfig
from failover.core.errors import NoRegionAnswered, Outcome
from failover.core.ports import Bound, Routed
from failover.core.regions import Region
from failover.core.router import Router
from failover.core.signals.breaker import CircuitState
from tests.waiting import wait_until

EAST, WEST = "us-east-1", "us-west-2"
WEB_THREADS, POOL = 8, 16  # as the wiring has it: two pool threads a region for each web thread
SHARE = 6


class Frozen:
    """us-east-1 keeps whoever comes until the end of the test; us-west-2 answers."""

    def __init__(self, *, attempt_s: float = 0.3, hold_s: float = 3600.0, **further: float) -> None:
        config = RouterConfig(attempt_timeout_s=attempt_s, deadline_s=30.0, hold_s=hold_s, hold_cap=1.0, **further)
        regions = [Region(EAST, 0), Region(WEST, 1)]
        runner = PooledRunner([EAST, WEST], threads=POOL)
        self.router = Router(regions, config=config, clock=SystemClock(), runner=runner, jitter=lambda: 0.5)
        self.thawed = threading.Event()
        self.kept = 0
        self._lock = threading.Lock()

    def op(self, bound: Bound) -> str:
        if bound.region == EAST:
            with self._lock:
                self.kept += 1
            assert self.thawed.wait(120)
        return bound.region

    def votes(self, count: int) -> list[Routed[str]]:
        """So many votes over all web threads. Raises what any of them raises."""
        with ThreadPoolExecutor(WEB_THREADS) as web:
            return list(web.map(lambda _: self.router.call(self.op, idempotent=True), range(count)))


@pytest.fixture
def frozen() -> Iterator[Frozen]:
    frozen = Frozen()
    yield frozen
    frozen.thawed.set()


def held_threads() -> int:
    """Threads that us-east-1's pool has made in this process."""
    return sum(thread.name.startswith(f"region-{EAST}") for thread in threading.enumerate())


def test_eight_threads_lose_no_vote_to_a_region_that_stands_still(frozen: Frozen) -> None:
    votes = frozen.votes(200)
    assert [vote.region for vote in votes] == [WEST] * 200
    assert 3 <= frozen.kept <= WEB_THREADS + 2, "who had begun before the third failure"
    assert frozen.router.report().regions[EAST].circuit is CircuitState.OPEN


def test_after_the_first_failures_no_vote_waits_for_the_region_that_stands_still(frozen: Frozen) -> None:
    first = frozen.votes(WEB_THREADS)
    kept, failed = frozen.kept, frozen.router.report().regions[EAST].failed
    assert 3 <= failed <= WEB_THREADS, "who had begun before the third failure"
    assert len(first) == WEB_THREADS
    for vote in frozen.votes(200):
        assert [(attempt.region, attempt.outcome) for attempt in vote.attempts] == [
            (EAST, Outcome.SKIPPED),
            (WEST, Outcome.OK),
        ]
    assert (frozen.kept, frozen.router.report().regions[EAST].failed) == (kept, failed)


def test_however_often_it_is_tried_again_it_never_holds_more_than_its_pool_of_threads() -> None:
    frozen, before = Frozen(attempt_s=0.005, hold_s=0.001), held_threads()
    try:
        for _ in range(200):
            with contextlib.suppress(NoRegionAnswered):  # a busy machine may make us-west-2 later than that as well
                frozen.votes(4)
            if frozen.router.report().regions[EAST].failures.get("timeout", 0) > 2 * POOL:
                break
        assert frozen.kept == POOL
        assert held_threads() - before == POOL
    finally:
        frozen.thawed.set()


def test_no_more_than_a_fixed_share_of_the_web_threads_waits_for_it_for_a_whole_attempt() -> None:
    frozen = Frozen(attempt_s=2.0, congested_s=0.05, share=SHARE)
    try:
        votes = frozen.votes(100)
    finally:
        frozen.thawed.set()
    # What they were allowed, not what they took: a busy machine makes anybody late.
    waited = [attempt.detail for vote in votes for attempt in vote.attempts if attempt.outcome is Outcome.TIMEOUT]
    whole = waited.count("no answer within 2.00 s")
    assert [vote.region for vote in votes] == [WEST] * 100
    assert 3 <= whole <= SHARE
    assert len(waited) - whole >= 2, "who came when the share was taken went on soon"


def test_a_region_is_not_condemned_because_many_ask_it_at_once() -> None:
    answers = threading.Event()

    def op(bound: Bound) -> str:
        assert bound.region == WEST or answers.wait(120)
        return bound.region

    frozen = Frozen(attempt_s=60.0, congested_s=0.2, share=2)
    with ThreadPoolExecutor(WEB_THREADS) as web:
        calls = [web.submit(frozen.router.call, op, idempotent=True) for _ in range(WEB_THREADS)]
        wait_until(
            lambda: sum(call.done() for call in calls) == WEB_THREADS - 2, within=30, what="the shortened ones are over"
        )
        answers.set()
        served = [call.result().region for call in calls]

    east = frozen.router.report().regions[EAST]
    assert sorted(served) == [EAST] * 2 + [WEST] * (WEB_THREADS - 2)
    assert (east.circuit, east.failed, east.consecutive_failures) == (CircuitState.CLOSED, 0, 0)
    # Who comes late on a busy machine passes by at once.
    assert 1 <= east.failures["timeout"] <= WEB_THREADS - 2, "it is counted all the same"
    assert set(east.failures) == {"timeout"}
    assert east.congested == WEB_THREADS - 2


def test_the_share_is_free_again_when_its_calls_have_ended() -> None:
    frozen = Frozen(share=1)
    frozen.thawed.set()
    for _ in range(20):
        frozen.votes(WEB_THREADS)

    assert frozen.router._slots[EAST]._under_way == 0


def test_where_there_is_no_other_region_a_call_has_its_whole_time() -> None:
    late = threading.Event()

    def op(bound: Bound) -> str:
        assert late.wait(120)
        return bound.region

    config = RouterConfig(attempt_timeout_s=60.0, deadline_s=60.0, share=1, congested_s=0.01)
    router = Router(
        [Region(EAST, 0)],
        config=config,
        clock=SystemClock(),
        runner=PooledRunner([EAST], threads=POOL),
        jitter=lambda: 0.5,
    )
    with ThreadPoolExecutor(WEB_THREADS) as web:
        calls = [web.submit(router.call, op, idempotent=True) for _ in range(WEB_THREADS)]
        wait_until(lambda: router._slots[EAST]._under_way == WEB_THREADS, within=10, what="all wait")
        late.set()

        assert [call.result().region for call in calls] == [EAST] * WEB_THREADS
