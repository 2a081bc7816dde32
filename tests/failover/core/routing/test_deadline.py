"""How one deadline is divided over the regions that a call may ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.errors import ErrorClass, NoRegionAnswered, Outcome
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.fakes import answers, fails
from failover.core.ports import Bound
from failover.core.signals.breaker import CircuitState
from tests.failover.core.benches import write
from tests.simulation.support import CONFIG, EAST, WEST, Bench

A = ErrorClass.NOT_SENT
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def test_with_both_regions_hanging_the_call_ends_within_its_deadline_and_tells_every_attempt() -> None:
    bench = Bench()
    for name in (EAST, WEST):
        bench.runner.always(name, answers(seconds=3600))
    before = bench.clock.monotonic()
    with pytest.raises(NoRegionAnswered) as caught:
        write(bench)
    assert bench.clock.monotonic() - before <= CONFIG.deadline_s
    assert [(one.region, one.outcome) for one in caught.value.attempts] == [
        (EAST, Outcome.TIMEOUT),
        (WEST, Outcome.TIMEOUT),
    ]
    assert EAST in str(caught.value)


def test_the_deadline_is_divided_over_the_regions_that_are_left() -> None:
    bench = Bench("a", "b", "c", "d")
    for name in ("a", "b", "c", "d"):
        bench.runner.always(name, answers(seconds=3600))
    with pytest.raises(NoRegionAnswered):
        write(bench)
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([0.75, 0.75, 0.75, 0.75])


def test_the_last_region_that_is_left_has_the_rest_of_the_deadline() -> None:
    bench = Bench(config=replace(CONFIG, deadline_s=3.0, attempt_timeout_s=1.2))
    bench.runner.plays(EAST, fails(A, seconds=0.01))
    bench.runner.plays(WEST, answers(seconds=2.9))
    assert write(bench) == WEST
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([1.2, 2.99])


def test_the_last_region_that_is_left_leaves_an_attempt_for_each_whose_circuit_is_open() -> None:
    bench = Bench("a", "b", "c", config=replace(CONFIG, deadline_s=3.0, attempt_timeout_s=1.0))
    for is_open, allowed in ((("c",), [1.0, 1.0, 1.0]), (("a",), [1.0, 1.0, 1.0]), (("a", "c"), [1.0, 1.0, 1.0])):
        bench.router.follow(HostView(None, {name: HostCircuit(OPEN if name in is_open else CLOSED) for name in "abc"}))
        for name in "abc":
            bench.runner.plays(name, answers(seconds=3600))
        before = len(bench.runner.calls)
        with pytest.raises(NoRegionAnswered):
            write(bench)
        assert [call.timeout for call in bench.runner.calls[before:]] == pytest.approx(allowed), is_open
    quick = Bench(config=replace(CONFIG, deadline_s=3.0, attempt_timeout_s=1.0))
    quick.follow(east=OPEN)
    quick.runner.plays(WEST, answers(seconds=3600))
    assert write(quick) == EAST
    assert [call.timeout for call in quick.runner.calls] == pytest.approx([2.0, 1.0])


def test_the_last_region_that_is_left_leaves_an_attempt_for_one_that_was_opened_since_the_call_began() -> None:
    names = (EAST, WEST, "eu-west-1")
    bench = Bench(*names)

    def fails_meanwhile(bound: Bound) -> str:
        if bound.region == EAST:
            bench.follow(east=CLOSED, west=OPEN)
            raise RuntimeError
        return bound.region

    assert bench.router.call(fails_meanwhile, idempotent=True).region == names[-1]
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([1.0, 1.8])


def test_the_last_of_several_last_resorts_has_all_that_is_left() -> None:
    bench = Bench("a", "b", "c")
    bench.router.follow(HostView(None, {"a": HostCircuit(OPEN), "b": HostCircuit(OPEN)}))
    for name in ("a", "c"):
        bench.runner.plays(name, fails(A))
    assert write(bench) == "b"
    assert [(call.region, call.timeout) for call in bench.runner.calls] == [
        ("c", pytest.approx(1.2)),
        ("a", pytest.approx(1.2)),
        ("b", pytest.approx(3.0)),
    ]


def test_what_a_quick_failure_did_not_use_is_shared_by_the_regions_that_are_left() -> None:
    bench = Bench("a", "b", "c", config=replace(CONFIG, deadline_s=0.9, attempt_timeout_s=0.6))
    bench.runner.always("a", fails(ErrorClass.NOT_SENT))
    for name in ("b", "c"):
        bench.runner.always(name, answers(seconds=3600))
    with pytest.raises(NoRegionAnswered):
        write(bench)
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([0.3, 0.45, 0.45])


def test_the_last_region_has_a_fair_share_although_the_first_hangs() -> None:
    bench = Bench(config=replace(CONFIG, deadline_s=1.0, attempt_timeout_s=1.0))
    bench.runner.plays(EAST, answers(seconds=3600))
    bench.runner.plays(WEST, answers(seconds=0.45))
    assert write(bench) == WEST
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([0.5, 0.5])


def test_a_region_that_is_passed_over_keeps_no_share_from_the_one_that_is_well() -> None:
    bench = Bench(config=replace(CONFIG, deadline_s=1.0, attempt_timeout_s=1.0))
    bench.follow(east=CircuitState.OPEN)
    bench.runner.plays(WEST, answers(seconds=0.9))
    assert write(bench) == WEST


def test_a_region_whose_trial_is_under_way_keeps_its_share_as_a_last_resort() -> None:
    bench = Bench(config=replace(CONFIG, deadline_s=1.0, attempt_timeout_s=1.0))
    bench.follow(east=CircuitState.HALF_OPEN)
    timeouts: list[float] = []

    def meanwhile(bound: Bound) -> str:
        bench.runner.plays(WEST, answers(seconds=3600))
        bench.runner.plays(EAST, answers(seconds=0.4))
        assert write(bench) == EAST
        timeouts.extend(call.timeout for call in bench.runner.calls[-2:])
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    assert timeouts == pytest.approx([0.5, 0.5])


def test_when_the_deadline_is_up_no_further_region_is_asked_and_none_counts_as_under_way() -> None:
    bench = Bench(config=replace(CONFIG, deadline_s=1.0, attempt_timeout_s=1.0, share=1))
    for _ in range(2):
        bench.follow(east=OPEN, west=CLOSED)
        bench.runner.plays(WEST, answers(seconds=3600))
        with pytest.raises(NoRegionAnswered):
            write(bench)
    assert bench.asked() == [WEST] * 2
    bench.follow(east=CLOSED, west=CLOSED)
    assert write(bench) == EAST
    assert bench.runner.calls[-1].timeout == pytest.approx(0.5), "its half of the deadline, as where nobody waits"


def test_several_last_resorts_share_what_is_left_of_the_deadline() -> None:
    bench = Bench("a", "b", "c", config=replace(CONFIG, deadline_s=0.9, attempt_timeout_s=0.9))
    circuits = {"a": HostCircuit(OPEN), "b": HostCircuit(OPEN), "c": HostCircuit(CLOSED)}
    bench.router.follow(HostView(None, circuits))
    bench.runner.plays("c", fails(A, seconds=0.1))
    for name in ("a", "b"):
        bench.runner.always(name, answers(seconds=3600))
    with pytest.raises(NoRegionAnswered):
        write(bench)
    assert bench.asked() == ["c", "a", "b"]
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([0.9, 0.4, 0.4])
