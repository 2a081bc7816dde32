"""Many calls at once: few of them wait for one region, and none is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.errors import ErrorClass, Outcome
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.fakes import answers, fails
from failover.core.ports import Bound, Routed
from failover.core.signals.breaker import CircuitState
from tests.failover.core.benches import Congested, write
from tests.simulation.support import CONFIG, EAST, WEST, Bench, where

A = ErrorClass.NOT_SENT
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


@pytest.mark.parametrize(("names", "allowed_s"), [((EAST, WEST), [1.2, 0.3]), ((EAST,), [3.0, 3.0])])
def test_a_call_that_comes_when_a_regions_share_is_taken_goes_on_soon_where_there_is_another_region(
    names: tuple[str, ...], allowed_s: list[float]
) -> None:
    bench = Bench(*names, config=replace(CONFIG, share=1))
    bench.runner.always(names[-1], answers())

    def meanwhile(bound: Bound) -> str:
        write(bench)
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    assert [call.timeout for call in bench.runner.calls] == pytest.approx(allowed_s)


def test_a_call_passes_by_a_region_where_others_wait_and_none_is_answered_and_asks_it_last() -> None:
    bench = Bench(config=replace(CONFIG, share=1, congested_s=0.3))
    passing: list[Routed[str]] = []

    def meanwhile(bound: Bound) -> str:
        bench.clock.wait(0.5)
        passing.append(bench.router.call(where, idempotent=True))
        bench.runner.plays(WEST, fails(A))
        passing.append(bench.router.call(where, idempotent=True))
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    skipped = (EAST, Outcome.SKIPPED, "others wait there, and none is answered")
    assert [[(one.region, one.outcome, one.detail) for one in routed.attempts] for routed in passing] == [
        [skipped, (WEST, Outcome.OK, "")],
        [skipped, (WEST, Outcome.DNS, "as the script says"), (EAST, Outcome.OK, "")],
    ]
    report = bench.router.report().regions[EAST]
    assert (report.failed, report.congested) == (0, 2)
    assert write(bench) == EAST, "its place was given back"


def test_a_write_that_may_not_be_repeated_is_never_cut_short_because_others_wait() -> None:
    bench = Bench(config=replace(CONFIG, share=1))
    bench.runner.plays(EAST, answers(), answers(seconds=1.1))

    def meanwhile(bound: Bound) -> str:
        assert write(bench, idempotent=False) == EAST, "it could not have gone on"
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([1.2, 1.2])


def test_a_region_that_was_cut_short_is_asked_again_rather_than_lose_the_call() -> None:
    bench = Congested()
    bench.runner.plays(EAST, answers(seconds=0.5), answers(seconds=0.5))
    bench.runner.plays(WEST, answers(seconds=3600))
    assert bench.traced() == [(EAST, "timeout"), (WEST, "timeout"), (EAST, "ok")]
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([1.2, 0.3, 1.5, 1.2]), "one is kept free"


def test_a_region_that_was_cut_short_is_asked_once_more_and_no_third_time() -> None:
    bench = Congested()
    bench.runner.plays(EAST, answers(seconds=0.5), fails(A))
    bench.runner.plays(WEST, fails(A))
    assert bench.traced() == [(EAST, "timeout"), (WEST, "dns"), (EAST, "dns")]


@pytest.mark.parametrize(("others", "counted", "allowed_s"), [(1, 1, 1.0), (2, 0, 0.25)], ids=["whole", "part"])
def test_a_region_that_was_cut_short_is_blamed_for_no_less_than_a_whole_attempt(
    others: int, counted: int, allowed_s: float
) -> None:
    names = (EAST, WEST, "eu-west-1")[: 1 + others]
    bench = Congested(*names, config=replace(CONFIG, share=1, deadline_s=2.5, attempt_timeout_s=1.0, congested_s=0.25))
    for name in names:
        bench.runner.always(name, answers(seconds=3600))
    assert bench.traced() == [(name, "timeout") for name in (*names, EAST)]
    assert bench.runner.calls[-1].timeout == allowed_s
    assert bench.router.report().regions[EAST].failed == counted


def test_who_has_no_less_time_than_without_the_others_was_not_cut_short() -> None:
    bench = Congested(config=replace(CONFIG, share=1, deadline_s=1.0, attempt_timeout_s=1.0, congested_s=0.5))
    bench.runner.always(EAST, answers(seconds=3600))
    assert bench.traced() == [(EAST, "timeout"), (WEST, "ok")]
    assert bench.runner.calls[1].timeout == 0.5
    assert bench.router.report().regions[EAST].failed == 1


def test_a_region_that_was_cut_short_is_asked_again_after_those_passed_by_and_before_the_open_ones() -> None:
    bench = Congested(EAST, "tried", "open", "last")
    states = {EAST: CLOSED, "tried": HALF_OPEN, "open": OPEN, "last": CLOSED}
    bench.router.follow(HostView(None, {name: HostCircuit(state) for name, state in states.items()}))
    bench.router._slots["tried"].admit(HALF_OPEN, bench.clock.monotonic())
    bench.runner.plays(EAST, answers(seconds=0.5), fails(A))
    for name in ("tried", "open", "last"):
        bench.runner.always(name, fails(A))
    tried = [region for region, outcome in bench.traced() if outcome != "skipped"]
    assert tried == [EAST, "last", "tried", EAST, "open"]


def test_where_there_is_no_other_region_none_is_passed_by_however_long_nobody_was_answered() -> None:
    bench = Bench(EAST, config=replace(CONFIG, share=1))
    traces: list[list[Outcome]] = []

    def meanwhile(bound: Bound) -> str:
        bench.clock.wait(0.5)
        traces.append([one.outcome for one in bench.router.call(where, idempotent=True).attempts])
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    assert traces == [[Outcome.OK]]


def test_who_passed_a_congested_region_by_has_the_rest_of_the_deadline_but_for_an_attempt_there() -> None:
    bench = Congested()
    bench.clock.wait(1.0)
    timeouts: list[float] = []

    def meanwhile(bound: Bound) -> str:
        bench.clock.wait(0.5)
        bench.runner.plays(WEST, answers(seconds=1.5))
        assert write(bench) == WEST
        timeouts.append(bench.runner.calls[-1].timeout)
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    assert timeouts == pytest.approx([3.0 - 1.2])


def test_who_passed_a_congested_region_by_asks_one_whose_trial_is_under_way_before_it() -> None:
    bench = Congested()
    bench.router.follow(HostView(None, {EAST: HostCircuit(CLOSED), WEST: HostCircuit(HALF_OPEN)}))
    asked: list[str] = []

    def meanwhile(bound: Bound) -> str:
        bench.clock.wait(0.5)
        bench.router._slots[WEST].admit(HALF_OPEN, bench.clock.monotonic())
        asked.append(write(bench))
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    assert asked == [WEST]
