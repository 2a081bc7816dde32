"""The router's rules, one a test, on a fake clock."""

from __future__ import annotations

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from failover.core.config import RouterConfig, TableMode
from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.fakes import answers, fails
from failover.core.ports import Bound, Consistency, Routed
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import CONFIG, EAST, WEST, Bench, decision, where

A, B, C, D = ErrorClass.NOT_SENT, ErrorClass.UNKNOWN, ErrorClass.REFUSED, ErrorClass.CALLER
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def write(bench: Bench, *, idempotent: bool = True) -> str:
    return bench.router.call(where, idempotent=idempotent).value


def open_own(bench: Bench, region: str = EAST, failures: int = 3) -> None:
    bench.runner.plays(region, *[fails(A)] * failures)
    for _ in range(failures):
        write(bench)


def test_a_call_goes_to_the_first_region_by_priority() -> None:
    bench = Bench()
    routed = bench.router.call(where, idempotent=True)
    assert (routed.value, routed.region) == (EAST, EAST)
    assert [(one.region, one.outcome) for one in routed.attempts] == [(EAST, Outcome.OK)]


def test_a_request_that_was_not_sent_goes_to_the_next_region_at_once() -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(A, seconds=0.003))
    routed = bench.router.call(where, idempotent=False)
    assert routed.region == WEST
    assert [(one.region, one.outcome, round(one.ms, 1)) for one in routed.attempts] == [
        (EAST, Outcome.DNS, 3.0),
        (WEST, Outcome.OK, 0.0),
    ]


def test_an_unknown_outcome_goes_to_the_next_region_when_the_write_may_be_repeated() -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(B))
    assert write(bench) == WEST


def test_a_write_that_may_not_be_repeated_is_never_repeated_after_an_unknown_outcome() -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(B))
    with pytest.raises(OutcomeUnknown) as caught:
        write(bench, idempotent=False)
    assert bench.asked() == [EAST]
    assert [one.outcome for one in caught.value.attempts] == [Outcome.SERVER_ERROR]


def test_the_callers_own_error_is_raised_unchanged_and_never_fails_over_nor_counts() -> None:
    bench = Bench()
    refused = KeyError("the condition does not hold")
    bench.runner.always(EAST, fails(D, error=refused))
    for _ in range(5):
        with pytest.raises(KeyError) as caught:
            write(bench)
        assert caught.value is refused
    assert bench.asked() == [EAST] * 5
    report = bench.router.report()
    assert (report.refused, report.regions[EAST].failed, report.regions[EAST].circuit) == (5, 0, CLOSED)


def test_a_throttled_attempt_is_repeated_once_after_a_jittered_pause() -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(C))
    before = bench.clock.monotonic()
    routed = bench.router.call(where, idempotent=False)
    assert [one.outcome for one in routed.attempts] == [Outcome.THROTTLED, Outcome.OK]
    assert bench.clock.monotonic() - before == pytest.approx(CONFIG.throttle_retry_s)


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (1.0, 1.5)])
def test_the_pause_is_between_half_and_one_and_a_half_of_the_usual_one(jitter: float, share: float) -> None:
    bench = Bench(jitter=jitter)
    bench.runner.plays(EAST, fails(C))
    before = bench.clock.monotonic()
    write(bench)
    assert bench.clock.monotonic() - before == pytest.approx(share * CONFIG.throttle_retry_s)


@pytest.mark.parametrize(("names", "allowed"), [((EAST, WEST), [1.0, 0.2]), ((EAST,), [2.0, 1.2])])
def test_the_repeat_of_a_throttled_attempt_has_what_is_left_of_its_regions_time(
    names: tuple[str, ...], allowed: list[float]
) -> None:
    bench = Bench(*names, config=replace(CONFIG, deadline_s=2.0, attempt_timeout_s=1.0))
    bench.runner.plays(EAST, fails(C, seconds=0.75), answers(seconds=3600))
    bench.runner.always(WEST, fails(A))
    with pytest.raises(NoRegionAnswered):
        write(bench)
    assert [call.timeout for call in bench.runner.calls if call.region == EAST] == pytest.approx(allowed)


def test_a_throttled_attempt_is_not_repeated_when_the_pause_would_take_all_that_is_left() -> None:
    config = replace(CONFIG, deadline_s=1.0, attempt_timeout_s=1.0, throttle_retry_s=0.5)
    bench = Bench(EAST, config=config)  # of sums of halves, which floating point holds exactly
    bench.runner.always(EAST, fails(C, seconds=0.5))
    with pytest.raises(NoRegionAnswered):
        write(bench)
    assert bench.asked() == [EAST]


def test_throttling_that_outlasts_its_repeat_goes_to_the_next_region_without_counting() -> None:
    bench = Bench()
    bench.runner.always(EAST, fails(C))
    for _ in range(5):
        assert write(bench, idempotent=False) == WEST
    assert bench.asked() == [EAST, EAST, WEST] * 5
    assert bench.circuit(EAST) is CLOSED
    assert bench.router.report().regions[EAST].failed == 0


def test_a_throttled_attempt_is_not_repeated_when_there_is_no_time_left_for_the_pause() -> None:
    bench = Bench(EAST, config=replace(CONFIG, deadline_s=1.0, attempt_timeout_s=1.0))
    bench.runner.always(EAST, fails(C, seconds=0.96))
    with pytest.raises(NoRegionAnswered):
        write(bench)
    assert bench.asked() == [EAST]


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


def test_when_every_circuit_is_open_all_regions_are_tried_rather_than_none() -> None:
    bench = Bench()
    bench.follow(east=OPEN, west=OPEN)
    assert bench.router.order() == (EAST, WEST)
    bench.runner.plays(EAST, fails(A))
    routed = bench.router.call(where, idempotent=True)
    assert [(one.region, one.outcome) for one in routed.attempts] == [(EAST, Outcome.DNS), (WEST, Outcome.OK)]
    bench.follow(decision=decision(WEST), east=OPEN, west=OPEN)
    assert write(bench) == WEST, "the first choice first"


def test_when_the_regions_that_look_well_fail_those_passed_over_are_the_last_resort() -> None:
    bench = Bench()
    bench.follow(east=OPEN, west=CLOSED)
    bench.runner.plays(WEST, fails(A))
    routed = bench.router.call(where, idempotent=False)
    assert [(one.region, one.outcome) for one in routed.attempts] == [
        (EAST, Outcome.SKIPPED),
        (WEST, Outcome.DNS),
        (EAST, Outcome.OK),
    ]


def test_no_region_is_attempted_twice_in_one_call_but_for_throttling() -> None:
    bench = Bench("a", "b", "c")
    for name in ("a", "b", "c"):
        bench.runner.always(name, fails(A))
    with pytest.raises(NoRegionAnswered) as caught:
        write(bench)
    assert bench.asked() == ["a", "b", "c"]
    assert [one.region for one in caught.value.attempts] == ["a", "b", "c"]


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


@pytest.mark.parametrize("consistency", [Consistency.STRONG, Consistency.STRONG_ELSE_EVENTUAL])
def test_strong_reads_of_synchronous_tables_are_strong_in_every_region(consistency: Consistency) -> None:
    bench = Bench(config=replace(CONFIG, tables=TableMode.MRSC))
    bench.runner.plays(EAST, fails(ErrorClass.NOT_SENT))
    routed = bench.router.read(where, consistency=consistency)
    assert (routed.region, routed.asked, routed.given, routed.degraded) == (
        WEST,
        consistency,
        Consistency.STRONG,
        False,
    )
    assert bench.runner.calls[-1].strong


def test_a_pinned_region_is_tried_first_and_keeps_its_pin_through_failures() -> None:
    bench = Bench()
    bench.follow(decision=decision(WEST))
    assert bench.router.order() == (WEST, EAST)
    bench.runner.plays(WEST, fails(A))
    assert write(bench) == EAST
    assert bench.router.order() == (WEST, EAST)
    assert write(bench) == WEST


def test_a_forced_pin_to_an_unreachable_region_still_fails_over_vote_by_vote() -> None:
    bench = Bench()
    bench.follow(decision=decision(WEST, forced=True), east=CLOSED, west=OPEN)
    bench.runner.always(WEST, fails(A))
    assert [write(bench) for _ in range(5)] == [EAST] * 5


def test_a_pin_to_a_region_that_is_not_configured_changes_nothing() -> None:
    bench = Bench()
    bench.follow(decision=decision("eu-west-1"))
    assert bench.router.order() == (EAST, WEST)


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


def test_the_last_known_routing_decision_holds_for_ever() -> None:
    bench = Bench()
    bench.follow(decision=decision(WEST, epoch=3))
    bench.clock.wait(86_400)
    assert bench.router.order() == (WEST, EAST)
    bench.follow(decision=None)
    assert bench.router.order() == (WEST, EAST)
    bench.follow(decision=decision(EAST, epoch=2, id="older"))
    assert bench.router.order() == (WEST, EAST)
    bench.follow(decision=decision(None, epoch=4, id="newer"))
    assert bench.router.order() == (EAST, WEST)


@pytest.mark.parametrize(
    ("asked", "at_home", "away"),
    [
        (Consistency.EVENTUAL, Consistency.EVENTUAL, Consistency.EVENTUAL),
        (Consistency.STRONG, Consistency.STRONG, Consistency.STRONG),
        (Consistency.STRONG_ELSE_EVENTUAL, Consistency.STRONG, Consistency.EVENTUAL),
    ],
)
def test_a_strong_read_is_strong_at_home_and_says_when_failover_degraded_it(
    asked: Consistency, at_home: Consistency, away: Consistency
) -> None:
    bench = Bench()
    first = bench.router.call(where, idempotent=True, consistency=asked)
    assert (first.given, first.degraded) == (at_home, False)
    bench.runner.plays(EAST, fails(A))
    second = bench.router.call(where, idempotent=True, consistency=asked)
    assert (second.asked, second.given, second.degraded) == (asked, away, at_home != away)
    assert [call.strong for call in bench.runner.calls if call.region == WEST] == [away is Consistency.STRONG]


def test_a_strong_else_eventual_read_is_degraded_when_home_is_passed_over() -> None:
    bench = Bench()
    bench.follow(east=OPEN, west=CLOSED)
    routed = bench.router.call(where, idempotent=True, consistency=Consistency.STRONG_ELSE_EVENTUAL)
    assert (routed.region, routed.given) == (WEST, Consistency.EVENTUAL)


def test_reports_add_up() -> None:
    bench = Bench()
    bench.runner.plays(EAST, answers(seconds=0.004), fails(A), fails(D), fails(B))
    bench.runner.plays(WEST, answers(seconds=0.08))
    write(bench)
    write(bench)
    with pytest.raises(RuntimeError):
        write(bench)
    with pytest.raises(OutcomeUnknown):
        write(bench, idempotent=False)
    report = bench.router.report()
    assert (report.calls, report.answered, report.refused, report.unanswered, report.failed_over) == (4, 2, 1, 1, 1)
    east = report.regions[EAST]
    assert (east.requests, east.ok, east.failed) == (4, 1, 2)
    assert east.failures == {"dns": 1, "denied": 1, "server-error": 1}
    assert sum(east.latency) == east.ok
    assert east.consecutive_failures == 2
    assert sum(report.regions[WEST].latency) == 1


def test_a_report_tells_when_its_worker_began_and_when_it_was_made() -> None:
    bench = Bench()
    began = bench.clock.wall()
    bench.clock.wait(5.0)
    report = bench.router.report()
    assert (report.started_at, report.at) == (began, began + 5.0)


def test_a_caller_may_watch_each_attempt_as_it_ends_also_when_the_call_raises() -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(D))
    seen: list[Attempt] = []
    with pytest.raises(RuntimeError):
        bench.router.call(where, idempotent=True, on_attempt=seen.append)
    assert [one.outcome for one in seen] == [Outcome.DENIED]


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


class Crowded(Bench):
    """The home region's share is taken, so that a call leaves it in a hurry."""

    def __init__(self, *names: str, config: RouterConfig | None = None) -> None:
        super().__init__(*names, config=config or replace(CONFIG, share=1))

    def hurried(self) -> list[tuple[str, str]]:
        """What was tried for a call that comes meanwhile."""
        traces: list[tuple[Attempt, ...]] = []

        def meanwhile(bound: Bound) -> str:
            try:
                traces.append(self.router.call(where, idempotent=True).attempts)
            except NoRegionAnswered as nobody:
                traces.append(nobody.attempts)
            return bound.region

        self.runner.script.setdefault(EAST, deque()).appendleft(answers())
        assert self.router.call(meanwhile, idempotent=True).region == EAST
        return [(one.region, one.outcome.value) for one in traces[0]]


def test_a_region_that_was_left_in_a_hurry_is_asked_again_rather_than_lose_the_call() -> None:
    bench = Crowded()
    bench.runner.plays(EAST, answers(seconds=0.5), answers(seconds=0.5))
    bench.runner.plays(WEST, answers(seconds=3600))
    assert bench.hurried() == [(EAST, "timeout"), (WEST, "timeout"), (EAST, "ok")]
    assert [call.timeout for call in bench.runner.calls] == pytest.approx([1.2, 0.3, 1.5, 1.2]), "one is kept free"


def test_a_region_that_was_left_in_a_hurry_is_asked_once_more_and_no_third_time() -> None:
    bench = Crowded()
    bench.runner.plays(EAST, answers(seconds=0.5), fails(A))
    bench.runner.plays(WEST, fails(A))
    assert bench.hurried() == [(EAST, "timeout"), (WEST, "dns"), (EAST, "dns")]


@pytest.mark.parametrize(("others", "counted", "allowed_s"), [(1, 1, 1.0), (2, 0, 0.25)], ids=["whole", "part"])
def test_a_region_that_was_left_in_a_hurry_is_blamed_for_no_less_than_a_whole_attempt(
    others: int, counted: int, allowed_s: float
) -> None:
    names = (EAST, WEST, "eu-west-1")[: 1 + others]
    bench = Crowded(*names, config=replace(CONFIG, share=1, deadline_s=2.5, attempt_timeout_s=1.0, congested_s=0.25))
    for name in names:
        bench.runner.always(name, answers(seconds=3600))
    assert bench.hurried() == [(name, "timeout") for name in (*names, EAST)]
    assert bench.runner.calls[-1].timeout == allowed_s
    assert bench.router.report().regions[EAST].failed == counted


def test_who_has_no_less_time_than_without_the_crowd_was_not_in_a_hurry() -> None:
    bench = Crowded(config=replace(CONFIG, share=1, deadline_s=1.0, attempt_timeout_s=1.0, congested_s=0.5))
    bench.runner.always(EAST, answers(seconds=3600))
    assert bench.hurried() == [(EAST, "timeout"), (WEST, "ok")]
    assert bench.runner.calls[1].timeout == 0.5
    assert bench.router.report().regions[EAST].failed == 1


def test_a_region_that_was_left_in_a_hurry_is_asked_again_after_those_passed_by_and_before_the_open_ones() -> None:
    bench = Crowded(EAST, "tried", "open", "last")
    states = {EAST: CLOSED, "tried": HALF_OPEN, "open": OPEN, "last": CLOSED}
    bench.router.follow(HostView(None, {name: HostCircuit(state) for name, state in states.items()}))
    bench.router._slots["tried"].admit(HALF_OPEN, bench.clock.monotonic())
    bench.runner.plays(EAST, answers(seconds=0.5), fails(A))
    for name in ("tried", "open", "last"):
        bench.runner.always(name, fails(A))
    tried = [region for region, outcome in bench.hurried() if outcome != "skipped"]
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


def test_who_passed_a_crowded_region_by_has_the_rest_of_the_deadline_but_for_an_attempt_there() -> None:
    bench = Crowded()
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


def test_who_passed_a_crowded_region_by_asks_one_whose_trial_is_under_way_before_it() -> None:
    bench = Crowded()
    bench.router.follow(HostView(None, {EAST: HostCircuit(CLOSED), WEST: HostCircuit(HALF_OPEN)}))
    asked: list[str] = []

    def meanwhile(bound: Bound) -> str:
        bench.clock.wait(0.5)
        bench.router._slots[WEST].admit(HALF_OPEN, bench.clock.monotonic())
        asked.append(write(bench))
        return bound.region

    bench.router.call(meanwhile, idempotent=True)
    assert asked == [WEST]
