"""A worker's own circuits, and the host's, as the router follows them."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from failover.core.errors import Attempt, ErrorClass, Outcome, OutcomeUnknown
from failover.core.fakes import answers, fails
from failover.core.ports import Bound
from failover.core.signals.breaker import CircuitState
from tests.failover.core.benches import open_own, write
from tests.simulation.support import CONFIG, EAST, WEST, Bench, where

A, B, C, D = ErrorClass.NOT_SENT, ErrorClass.UNKNOWN, ErrorClass.REFUSED, ErrorClass.CALLER
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


@pytest.mark.parametrize("error_class", [A, B], ids=["not sent", "outcome unknown"])
def test_three_failures_in_a_row_open_the_circuit_and_the_region_is_passed_over(error_class: ErrorClass) -> None:
    bench = Bench()
    bench.runner.plays(EAST, *[fails(error_class)] * 3)
    for _ in range(2):
        write(bench)
    assert bench.circuit(EAST) is CLOSED
    write(bench)
    assert bench.circuit(EAST) is OPEN
    routed = bench.router.call(where, idempotent=True)
    told = [(one.region, one.outcome, one.ms, one.detail) for one in routed.attempts]
    assert told == [(EAST, Outcome.SKIPPED, 0.0, "its circuit is open"), (WEST, Outcome.OK, 0.0, "")]
    report = bench.router.report().regions[EAST]
    assert report.openings == 1
    assert "3 failures in a row" in report.last_reason


def test_a_success_ends_the_row_of_failures() -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(A), fails(A), answers(), fails(A), fails(A))
    for _ in range(5):
        write(bench)
    assert bench.circuit(EAST) is CLOSED


def test_an_open_circuit_goes_half_open_after_its_wait_and_closes_after_enough_trials() -> None:
    bench = Bench()
    open_own(bench)
    bench.clock.wait(CONFIG.hold_s - 0.001)
    assert write(bench) == WEST
    bench.clock.wait(0.001)
    for _ in range(CONFIG.trials_to_close):
        assert bench.circuit(EAST) is HALF_OPEN
        assert write(bench) == EAST
    assert bench.circuit(EAST) is CLOSED


def test_a_half_open_region_is_tried_in_its_place_but_is_not_active() -> None:
    bench = Bench()
    open_own(bench)
    bench.clock.wait(CONFIG.hold_s)
    assert bench.router.order() == (EAST, WEST)
    assert bench.router.active() == WEST


def test_half_open_lets_one_trial_through_at_a_time() -> None:
    bench = Bench()
    open_own(bench)
    bench.clock.wait(CONFIG.hold_s)
    within: list[tuple[Attempt, ...]] = []

    def meanwhile(bound: object) -> str:
        within.append(bench.router.call(where, idempotent=True).attempts)
        return "done"

    assert bench.router.call(meanwhile, idempotent=True).region == EAST
    assert [(one.region, one.outcome, one.detail) for one in within[0]] == [
        (EAST, Outcome.SKIPPED, "another call is trying it"),
        (WEST, Outcome.OK, ""),
    ]
    assert write(bench) == EAST


def test_a_failed_trial_opens_again_and_the_wait_doubles_up_to_the_cap() -> None:
    bench = Bench()
    open_own(bench)
    bench.runner.always(EAST, fails(A))
    for wait in (5, 10, 20, 40, 60, 60):
        bench.clock.wait(wait - 0.01)
        assert bench.circuit(EAST) is OPEN
        bench.clock.wait(0.01)
        assert bench.circuit(EAST) is HALF_OPEN
        assert write(bench) == WEST
        assert bench.circuit(EAST) is OPEN


def test_a_circuit_that_stayed_closed_for_the_cap_starts_again_at_the_shortest_wait() -> None:
    bench = Bench()
    open_own(bench)
    for rest, wait in ((1.0, 10), (CONFIG.hold_cap_s, 5)):
        bench.clock.wait(CONFIG.hold_cap_s)
        for _ in range(CONFIG.trials_to_close):
            write(bench)
        assert bench.circuit(EAST) is CLOSED
        bench.clock.wait(rest)
        open_own(bench)
        bench.clock.wait(wait - 0.01)
        assert bench.circuit(EAST) is OPEN
        bench.clock.wait(0.01)
        assert bench.circuit(EAST) is HALF_OPEN


def test_a_throttled_or_refused_trial_neither_closes_nor_opens_and_frees_its_place() -> None:
    bench = Bench()
    open_own(bench)
    bench.clock.wait(CONFIG.hold_s)
    bench.runner.plays(EAST, fails(C), fails(C), fails(D))
    assert write(bench) == WEST
    with pytest.raises(RuntimeError):
        write(bench)
    assert bench.circuit(EAST) is HALF_OPEN
    assert write(bench) == EAST


def test_an_answer_that_began_before_the_circuit_opened_does_not_decide_about_it() -> None:
    bench = Bench(config=replace(CONFIG, trials_to_close=1))

    def slow(bound: object) -> str:
        open_own(bench)
        bench.clock.wait(CONFIG.hold_s)
        assert bench.circuit(EAST) is HALF_OPEN
        return "late"

    assert bench.router.call(slow, idempotent=True).value == "late"
    assert bench.circuit(EAST) is HALF_OPEN
    assert write(bench) == EAST
    assert bench.circuit(EAST) is CLOSED


def test_a_failure_that_began_before_the_circuit_opened_does_not_open_it_again_once_it_closed() -> None:
    bench = Bench(config=replace(CONFIG, trials_to_close=1, failures_to_open=1))

    def slow(bound: object) -> str:
        open_own(bench, failures=1)
        bench.clock.wait(CONFIG.hold_s)
        assert write(bench) == EAST
        assert bench.circuit(EAST) is CLOSED
        raise TimeoutError

    with pytest.raises(OutcomeUnknown):
        bench.router.call(slow, idempotent=False)
    assert bench.circuit(EAST) is CLOSED


def test_a_region_with_a_trial_under_way_is_a_likelier_last_resort_than_one_that_is_open() -> None:
    bench = Bench()
    bench.follow(east=OPEN, west=HALF_OPEN)
    within: list[str] = []

    def meanwhile(bound: object) -> str:
        within.append(write(bench))
        return "done"

    assert bench.router.call(meanwhile, idempotent=True).region == WEST
    assert within == [WEST]
    assert EAST not in bench.asked()


def test_the_worse_of_the_hosts_and_the_workers_own_circuit_counts() -> None:
    bench = Bench()
    bench.follow(east=OPEN, west=CLOSED)
    assert bench.router.order() == (WEST,)
    bench.follow(east=CLOSED, west=CLOSED)
    assert bench.router.order() == (EAST, WEST)
    open_own(bench)
    bench.follow(east=CLOSED, west=CLOSED)
    assert bench.router.order() == (WEST,)


def test_an_own_open_circuit_waits_for_the_hosts_to_let_it_try_again() -> None:
    bench = Bench()
    open_own(bench)
    bench.clock.wait(CONFIG.hold_s)
    bench.follow(east=OPEN, west=CLOSED)
    assert bench.circuit(EAST) is OPEN
    bench.follow(east=HALF_OPEN, west=CLOSED)
    assert bench.circuit(EAST) is HALF_OPEN


def test_a_failed_trial_of_the_hosts_half_open_circuit_opens_the_workers_own_at_once() -> None:
    bench = Bench()
    bench.follow(east=HALF_OPEN, west=CLOSED)
    bench.runner.plays(EAST, fails(A))
    assert write(bench) == WEST
    assert bench.circuit(EAST) is OPEN
    report = bench.router.report().regions[EAST]
    assert (report.trials_failed, report.openings) == (1, 1)


def test_passed_trials_of_the_hosts_half_open_circuit_are_reported() -> None:
    bench = Bench()
    bench.follow(east=HALF_OPEN, west=CLOSED)
    for _ in range(4):
        assert write(bench) == EAST
    assert bench.router.report().regions[EAST].trials_passed == 4


def test_with_a_stale_host_view_only_the_workers_own_circuits_count() -> None:
    bench = Bench()
    bench.follow(east=OPEN, west=CLOSED)
    bench.clock.wait(CONFIG.stale_after_s)
    assert bench.router.order() == (WEST,)
    bench.clock.wait(0.1)
    assert bench.router.order() == (EAST, WEST)
    bench.follow(east=OPEN, west=CLOSED, age_s=CONFIG.stale_after_s + 1)
    assert bench.router.order() == (EAST, WEST)


def test_many_threads_lose_no_count_and_share_one_trial() -> None:
    bench = Bench(config=replace(CONFIG, trials_to_close=1_000_000))
    open_own(bench)
    bench.clock.wait(CONFIG.hold_s)
    inside, most, guard = [0], [0], threading.Lock()

    def op(bound: Bound) -> str:
        if bound.region == EAST:
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.0005)  # gives the other threads their turn
            with guard:
                inside[0] -= 1
        return bound.region

    def worker(_: int) -> str:
        return bench.router.call(op, idempotent=True).region

    with ThreadPoolExecutor(8) as pool:
        served = Counter(pool.map(worker, range(400)))
    report = bench.router.report()
    assert most == [1]
    assert served[EAST] == report.regions[EAST].trials_passed > 0
    assert (report.calls, report.answered) == (403, 403)
    assert report.regions[WEST].ok == 403 - served[EAST]


def test_a_region_that_serves_as_the_last_resort_while_its_trial_is_under_way_is_not_closed_by_that() -> None:
    bench = Bench(config=replace(CONFIG, trials_to_close=1))
    open_own(bench)
    bench.clock.wait(CONFIG.hold_s)

    def meanwhile(bound: Bound) -> str:
        bench.runner.plays(WEST, fails(A))
        assert write(bench) == EAST
        assert bench.circuit(EAST) is HALF_OPEN
        return bound.region

    assert bench.router.call(meanwhile, idempotent=True).region == EAST
    assert bench.circuit(EAST) is CLOSED
