"""What the router makes of each outcome of an attempt, on a fake clock; and what it reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.fakes import answers, fails
from failover.core.signals.breaker import CircuitState
from tests.failover.core.benches import write
from tests.simulation.support import CONFIG, EAST, WEST, Bench, decision, where

A, B, C, D = ErrorClass.NOT_SENT, ErrorClass.UNKNOWN, ErrorClass.REFUSED, ErrorClass.CALLER
OPEN, CLOSED = CircuitState.OPEN, CircuitState.CLOSED


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
