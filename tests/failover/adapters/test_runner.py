"""An attempt ends on time whatever the region does, and one region's trouble stays its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

import pytest

from failover.adapters.binding import RegionNotBound, bind, bound_region
from failover.adapters.control_store import ControlRow
from failover.adapters.runner import DaemonPool, PooledRunner, RegionBusy
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.ports import Bound, Success
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.waiting import wait_until

PATIENCE_S = 10.0
"""What a loaded machine may add; a call that hangs takes far longer."""

noted: ContextVar[str] = ContextVar("noted", default="nothing")


@pytest.fixture
def runner() -> PooledRunner:
    return PooledRunner((EAST, WEST), threads=2)


@pytest.fixture
def hanging() -> Iterator[Callable[[Bound], str]]:
    """An operation that hangs until the test is over."""
    over = threading.Event()

    def op(_: Bound) -> str:
        over.wait(60)
        return "too late"

    yield op
    over.set()


def run(runner: PooledRunner, op: Callable[[Bound], object], region: str = EAST, timeout: float = PATIENCE_S) -> object:
    return runner.run(region, op, Bound(region, strong=True), timeout)


def test_an_operation_gets_what_it_is_told_and_its_value_comes_back(runner: PooledRunner) -> None:
    bound = Bound(WEST, strong=True)

    assert runner.run(WEST, lambda bound_there: (bound_there, bound_region()), bound, PATIENCE_S) == Success(
        (bound, WEST)
    )


def test_an_operation_that_hangs_is_given_up_on_time(runner: PooledRunner, hanging: Callable[[Bound], str]) -> None:
    with faulty.Stopwatch() as watch:
        failure = run(runner, hanging, timeout=0.1)

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.TIMEOUT)
    assert isinstance(failure.error, TimeoutError)
    assert 0.1 <= watch.seconds < 5


def test_a_reply_that_drips_is_given_up_on_time(runner: PooledRunner, tmp_path: Path) -> None:
    with faulty.region(tmp_path) as region:
        region.behaves(faulty.drips)
        with faulty.Stopwatch() as watch:
            failure = run(runner, lambda _: list(ControlRow.query("k")), timeout=2 * faulty.TIMEOUT_S)

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.TIMEOUT)
    assert watch.seconds < 5


def test_a_timeout_that_is_already_over_does_not_wait(runner: PooledRunner, hanging: Callable[[Bound], str]) -> None:
    with faulty.Stopwatch() as watch:
        failure = run(runner, hanging, timeout=-1.0)

    assert isinstance(failure, Failure)
    assert watch.seconds < 5


def test_a_region_that_holds_all_its_threads_fails_at_once_as_not_sent(
    runner: PooledRunner, hanging: Callable[[Bound], str]
) -> None:
    for _ in range(2):
        run(runner, hanging, timeout=0.01)

    with faulty.Stopwatch() as watch:
        failure = run(runner, lambda _: "never runs")

    assert isinstance(failure, Failure)
    assert failure.error_class is ErrorClass.NOT_SENT
    assert isinstance(failure.error, RegionBusy)
    assert watch.seconds < 5


def test_a_hung_region_takes_no_thread_of_another(runner: PooledRunner, hanging: Callable[[Bound], str]) -> None:
    for _ in range(4):
        run(runner, hanging, EAST, timeout=0.01)

    assert run(runner, lambda _: "served", WEST) == Success("served")


def test_threads_come_back_when_the_hanging_ends(runner: PooledRunner) -> None:
    over = threading.Event()
    for _ in range(2):
        run(runner, lambda _: over.wait(60), timeout=0.01)
    over.set()

    wait_until(lambda: run(runner, lambda _: "served") == Success("served"), within=10, what="a thread is free again")


def test_the_next_call_finds_the_thread_of_the_last_one_free() -> None:
    single = PooledRunner((EAST,), threads=1)

    assert [run(single, lambda _, n=n: n) for n in range(200)] == [Success(n) for n in range(200)]


def test_the_next_call_finds_the_thread_of_a_failed_one_free_too() -> None:
    single = PooledRunner((EAST,), threads=1)

    def fails(_: Bound) -> None:
        raise ZeroDivisionError

    failures = [run(single, fails) for _ in range(500)]
    assert not [
        failure for failure in failures if not isinstance(failure, Failure) or isinstance(failure.error, RegionBusy)
    ]


def test_no_more_threads_are_made_than_calls_overlap() -> None:
    runner = PooledRunner((EAST,), threads=16)
    names = {getattr(run(runner, lambda _: threading.current_thread().name), "value", None) for _ in range(50)}

    assert len(names) == 1


def test_its_threads_do_not_hold_up_the_end_of_the_process(runner: PooledRunner) -> None:
    assert run(runner, lambda _: threading.current_thread().daemon) == Success(True)


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (TimeoutError("the operation's own"), ErrorClass.UNKNOWN),
        (KeyError("a mistake"), ErrorClass.CALLER),
        (KeyboardInterrupt(), ErrorClass.CALLER),
        (SystemExit(1), ErrorClass.CALLER),
        (ConnectionResetError(), ErrorClass.UNKNOWN),
    ],
    ids=repr,
)
def test_whatever_the_operation_raises_becomes_a_failure_with_that_error(
    runner: PooledRunner, error: BaseException, error_class: ErrorClass
) -> None:
    def op(_: Bound) -> None:
        raise error

    failure = run(runner, op)

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.error) == (error_class, error)
    assert run(runner, lambda _: "the thread lives on") == Success("the thread lives on")


def test_the_binding_reaches_neither_the_threads_next_call_nor_the_caller() -> None:
    pool = DaemonPool(1, "one")
    single = PooledRunner((EAST,), threads=1)
    single._pools[EAST] = pool

    def raises(_: Bound) -> None:
        assert bound_region() == EAST
        raise RuntimeError

    assert run(single, lambda _: bound_region()) == Success(EAST)
    assert isinstance(run(single, raises), Failure)

    with pytest.raises(RegionNotBound):
        bound_region()
    with pytest.raises(RegionNotBound):
        pool.submit(bound_region).result(PATIENCE_S)


def test_the_callers_context_is_seen_by_the_operation_and_what_it_sets_is_not_seen_back(runner: PooledRunner) -> None:
    def op(_: Bound) -> str:
        before = noted.get()
        noted.set("by the operation")
        return before

    token = noted.set("by the caller")
    try:
        assert run(runner, op) == Success("by the caller")
        assert noted.get() == "by the caller"
    finally:
        noted.reset(token)


def test_a_bound_caller_keeps_its_own_region(runner: PooledRunner) -> None:
    with bind(WEST):
        assert run(runner, lambda _: bound_region(), EAST) == Success(EAST)
        assert bound_region() == WEST


def test_everywhere_runs_all_at_once_and_waits_for_none_longer_than_told(
    runner: PooledRunner, hanging: Callable[[Bound], str]
) -> None:
    def op(bound: Bound) -> str:
        return hanging(bound) if bound.region == EAST else bound_region()

    with faulty.Stopwatch() as watch:
        results = runner.run_everywhere((EAST, WEST), op, timeout=0.3)

    assert results[WEST] == Success(WEST)
    failure = results[EAST]
    assert isinstance(failure, Failure)
    assert failure.outcome is Outcome.TIMEOUT
    assert watch.seconds < 5


def test_everywhere_needs_both_regions_at_the_same_time(runner: PooledRunner) -> None:
    both = threading.Barrier(2)

    results = runner.run_everywhere((EAST, WEST), lambda _: both.wait(PATIENCE_S) >= 0, timeout=20)

    assert results == {EAST: Success(True), WEST: Success(True)}


def test_everywhere_says_which_region_is_busy(runner: PooledRunner, hanging: Callable[[Bound], str]) -> None:
    for _ in range(2):
        run(runner, hanging, timeout=0.01)

    results = runner.run_everywhere((EAST, WEST), lambda bound: bound.region, timeout=PATIENCE_S)

    busy = results[EAST]
    assert isinstance(busy, Failure)
    assert isinstance(busy.error, RegionBusy)
    assert results[WEST] == Success(WEST)
