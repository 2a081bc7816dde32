"""Hedged reads: a second region is asked when the first is later than it usually is, and rarely."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from failover.adapters.clock import SystemClock
from failover.adapters.runner import PooledRunner
from failover.core.config import RouterConfig, TableMode
from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome
from failover.core.fakes import answers, fails
from failover.core.ports import Bound, Consistency, RacingRunner, Runner, Success
from failover.core.regions import Region
from failover.core.router import Router
from failover.core.routing.hedging import REMEMBERED, Hedger
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import CONFIG, EAST, REGIONS, WEST, Bench, decision, where

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
NEAR, FAR, LATE = 0.01, 0.08, 0.35


def read(bench: Bench, consistency: Consistency = Consistency.EVENTUAL) -> str:
    return bench.router.read(where, hedge=True, consistency=consistency).value


def practised(*, config: RouterConfig | None = None, reads: int = 100) -> Bench:
    """A worker that knows what is usual and has saved up some hedges; the second region is far away."""
    bench = Bench(config=config or RouterConfig())
    bench.runner.always(EAST, answers(seconds=NEAR))
    bench.runner.always(WEST, answers(seconds=FAR))
    for _ in range(reads):
        read(bench)
    bench.runner.calls.clear()
    return bench


def test_a_read_that_is_late_is_asked_in_a_second_region_and_the_first_answer_is_taken() -> None:
    bench = practised()
    bench.runner.plays(EAST, answers(seconds=LATE))
    began = bench.clock.monotonic()
    routed = bench.router.read(where, hedge=True)
    assert (routed.value, routed.region) == (WEST, WEST)
    assert bench.clock.monotonic() - began == pytest.approx(NEAR + FAR)
    told = [(one.region, one.outcome, one.detail) for one in routed.attempts]
    assert told == [(WEST, Outcome.OK, ""), (EAST, Outcome.OUTRUN, "us-west-2 answered first")]
    assert [one.ms for one in routed.attempts] == pytest.approx([80, 90])


def test_a_hedge_that_wins_counts_against_the_primary_as_slowness_and_not_as_a_failure() -> None:
    bench = practised()
    before = bench.router.report()
    bench.runner.plays(EAST, *[answers(seconds=LATE)] * 4)
    for _ in range(4):
        read(bench)
    report = bench.router.report()
    east, west = report.regions[EAST], report.regions[WEST]
    assert (sum(east.outrun), east.failed, east.consecutive_failures, east.circuit) == (4, 0, 0, CLOSED)
    assert east.requests == east.ok + sum(east.outrun) == 104
    assert (west.hedges, west.ok, report.answered - before.answered) == (4, 4, 4)
    assert report.failed_over == 0, "the first choice was late, not gone"


def test_when_the_first_answers_before_its_hedge_the_hedge_is_given_up_and_counts_for_nothing() -> None:
    bench = practised()
    bench.runner.plays(EAST, answers(seconds=NEAR + FAR / 2))
    routed = bench.router.read(where, hedge=True)
    assert routed.region == EAST
    assert [(one.region, one.outcome) for one in routed.attempts] == [(EAST, Outcome.OK), (WEST, Outcome.OUTRUN)]
    west = bench.router.report().regions[WEST]
    assert (west.requests, west.ok, sum(west.outrun), west.hedges) == (0, 0, 0, 1)


def test_a_quick_read_asks_one_region_only() -> None:
    bench = practised()
    assert read(bench) == EAST
    assert [call.region for call in bench.runner.calls] == [EAST]


def test_until_it_is_known_what_is_usual_nothing_is_hedged() -> None:
    bench = practised(reads=19)
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert read(bench) == EAST
    assert [call.region for call in bench.runner.calls] == [EAST]
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert read(bench) == WEST, "twenty are enough"


def test_it_is_hedged_after_the_p95_of_the_latest_reads() -> None:
    hedger = Hedger(CONFIG)
    for ms in range(1, 101):
        hedger.observe(EAST, float(ms))
    assert hedger.after_ms(EAST) == 95
    for ms in range(101, 191):
        hedger.observe(EAST, float(ms))
    assert hedger.after_ms(EAST) == 181
    for _ in range(REMEMBERED):
        hedger.observe(EAST, 7.0)
    assert hedger.after_ms(EAST) == 7, "what was long ago is forgotten"
    assert hedger.after_ms(WEST) is None


def test_the_p95_is_worked_out_anew_with_every_tenth_read() -> None:
    hedger = Hedger(CONFIG)
    known = []
    for number in range(1, 32):
        hedger.observe(EAST, float(number))
        known.append(hedger.after_ms(EAST))
    assert known == [None] * 19 + [19.0] * 10 + [29.0] * 2


def test_each_region_has_a_p95_and_a_count_of_reads_of_its_own() -> None:
    hedger = Hedger(CONFIG)
    for _ in range(19):
        hedger.observe(EAST, 5.0)
    hedger.observe(WEST, 80.0)
    assert (hedger.after_ms(EAST), hedger.after_ms(WEST)) == (None, None)
    hedger.observe(EAST, 5.0)
    assert (hedger.after_ms(EAST), hedger.after_ms(WEST)) == (5.0, None)


def test_a_hedge_costs_a_whole_token_and_a_read_pays_its_share_of_one_in() -> None:
    hedger = Hedger(CONFIG)
    assert not hedger.spend()
    for _ in range(20):
        hedger.asked()
    assert [hedger.spend(), hedger.spend()] == [True, False]
    for _ in range(1000):
        hedger.asked()
    assert [hedger.spend() for _ in range(11)] == [True] * 10 + [False]


def test_an_outrun_read_neither_ends_a_row_of_failures_nor_adds_to_it() -> None:
    bench = practised()
    bench.runner.plays(EAST, fails(ErrorClass.NOT_SENT), fails(ErrorClass.NOT_SENT), answers(seconds=LATE))
    bench.runner.plays(EAST, fails(ErrorClass.NOT_SENT))
    assert [read(bench) for _ in range(3)] == [WEST] * 3
    assert bench.router.report().regions[EAST].consecutive_failures == 2
    read(bench)
    assert bench.circuit(EAST) is OPEN


def test_a_first_that_is_throttled_while_its_hedge_is_under_way_is_not_asked_again() -> None:
    bench = practised()
    bench.runner.plays(EAST, fails(ErrorClass.REFUSED, seconds=NEAR + 0.01))
    assert read(bench) == WEST
    assert [call.region for call in bench.runner.calls] == [EAST, WEST]


def test_a_first_that_is_throttled_after_its_hedge_failed_is_asked_again() -> None:
    bench = practised()
    bench.runner.plays(EAST, fails(ErrorClass.REFUSED, seconds=LATE))
    bench.runner.plays(WEST, fails(ErrorClass.NOT_SENT))
    assert read(bench) == EAST
    assert [call.region for call in bench.runner.calls] == [EAST, WEST, EAST]


def test_a_hedge_that_is_throttled_is_asked_again_only_when_the_first_has_failed() -> None:
    bench = practised()
    bench.runner.plays(EAST, fails(ErrorClass.UNKNOWN, seconds=NEAR + FAR / 2))
    bench.runner.plays(WEST, fails(ErrorClass.REFUSED, seconds=FAR))
    assert read(bench) == WEST
    assert [call.region for call in bench.runner.calls] == [EAST, WEST, WEST]
    bench.runner.calls.clear()
    bench.runner.plays(EAST, answers(seconds=LATE))
    bench.runner.plays(WEST, fails(ErrorClass.REFUSED))
    assert read(bench) == EAST
    assert [call.region for call in bench.runner.calls] == [EAST, WEST]


def test_a_read_that_does_not_ask_for_it_is_not_hedged() -> None:
    bench = practised()
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert bench.router.read(where).region == EAST


def test_a_write_is_never_hedged() -> None:
    bench = practised()
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert bench.router.call(where, idempotent=True).region == EAST
    with pytest.raises(TypeError):
        bench.router.call(where, idempotent=True, hedge=True)  # type: ignore[call-arg]  # that it cannot be said is the rule


@pytest.mark.parametrize("state", [OPEN, HALF_OPEN])
def test_a_region_whose_circuit_is_not_closed_gets_no_hedge(state: CircuitState) -> None:
    bench = practised()
    bench.follow(east=CLOSED, west=state)
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert read(bench) == EAST
    assert [call.region for call in bench.runner.calls] == [EAST]


def test_a_single_trial_is_not_hedged() -> None:
    bench = practised()
    bench.follow(east=HALF_OPEN, west=CLOSED)
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert read(bench) == EAST
    assert bench.router.report().regions[EAST].trials_passed == 1


@pytest.mark.parametrize("consistency", [Consistency.STRONG, Consistency.STRONG_ELSE_EVENTUAL])
def test_a_strong_read_is_hedged_only_where_it_is_as_strong_elsewhere(consistency: Consistency) -> None:
    for mode, region in ((TableMode.MREC, EAST), (TableMode.MRSC, WEST)):
        bench = practised(config=RouterConfig(tables=mode))
        bench.runner.plays(EAST, answers(seconds=LATE))
        routed = bench.router.read(where, hedge=True, consistency=consistency)
        assert (routed.region, routed.given) == (region, Consistency.STRONG)


def test_with_a_wholly_slow_region_hedges_stay_within_their_share_of_the_calls() -> None:
    bench = practised(reads=400)
    bench.runner.always(EAST, answers(seconds=LATE))
    for _ in range(2000):
        read(bench)
    extra = bench.router.report().regions[WEST].hedges
    assert 5 < extra <= 0.05 * 2400


def test_a_calm_time_saves_up_no_more_than_a_burst() -> None:
    bench = practised(reads=5000)
    bench.runner.always(EAST, answers(seconds=LATE))
    served = Counter(read(bench) for _ in range(20))
    assert served[WEST] <= 11


def test_a_region_that_failed_as_a_hedge_keeps_no_share_from_the_last_one_that_is_left() -> None:
    names = (EAST, WEST, "eu-west-1")
    bench = Bench(*names)
    bench.runner.always(EAST, answers(seconds=NEAR))
    for _ in range(100):
        read(bench)
    bench.follow(east=CLOSED, west=HALF_OPEN)
    bench.runner.plays(EAST, fails(ErrorClass.UNKNOWN, seconds=LATE))
    bench.runner.plays(names[-1], fails(ErrorClass.UNKNOWN))
    assert read(bench) == WEST
    assert bench.runner.calls[-1].timeout == pytest.approx(3.0 - LATE)


def test_a_read_that_goes_on_to_the_next_region_pays_into_the_budget_once() -> None:
    bench = practised(reads=20)
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert read(bench) == WEST, "a first hedge is saved up, and spent"
    for _ in range(10):
        bench.runner.plays(EAST, fails(ErrorClass.REFUSED), fails(ErrorClass.REFUSED))
        assert read(bench) == WEST
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert read(bench) == EAST, "twelve reads since have not paid for another"


def test_a_read_whose_time_in_the_first_region_ends_before_its_p95_goes_on_without_a_hedge() -> None:
    bench = Bench(config=RouterConfig(deadline_s=0.6))
    bench.runner.always(EAST, answers(seconds=0.4))
    for _ in range(40):
        bench.follow(east=CLOSED, west=OPEN)  # so that the first region has the whole time
        assert read(bench) == EAST
    bench.follow(east=CLOSED, west=CLOSED)
    routed = bench.router.read(where, hedge=True)
    assert [(one.region, one.outcome, round(one.ms)) for one in routed.attempts] == [
        (EAST, Outcome.TIMEOUT, 300),
        (WEST, Outcome.OK, 0),
    ]
    assert bench.router.report().regions[WEST].hedges == 0


def test_what_was_waited_for_in_vain_is_part_of_what_is_usual() -> None:
    bench = practised(reads=400)
    late = answers(seconds=LATE)
    bench.runner.plays(EAST, *[late] * 10, *[answers(seconds=NEAR)] * 10, late, *[answers(seconds=NEAR)] * 29, late)
    for _ in range(50):
        read(bench)
    began = bench.clock.monotonic()
    assert read(bench) == WEST
    waited = NEAR + FAR  # of the latest 200 reads more than one in twenty was given up on after so long
    assert bench.clock.monotonic() - began == pytest.approx(waited + FAR)


def test_what_nobody_could_be_asked_for_costs_no_hedge() -> None:
    bench = practised(reads=40)
    for _ in range(5):
        bench.follow(east=CLOSED, west=OPEN)
        bench.runner.plays(EAST, answers(seconds=LATE))
        assert read(bench) == EAST
    bench.follow(east=CLOSED, west=CLOSED)
    bench.runner.plays(EAST, answers(seconds=LATE))
    assert read(bench) == WEST


def test_what_a_failure_took_does_not_become_usual() -> None:
    bench = practised()
    for _ in range(50):
        bench.follow(east=CLOSED, west=OPEN)
        bench.runner.plays(EAST, fails(ErrorClass.REFUSED, seconds=LATE))
        assert read(bench) == EAST
    bench.follow(east=CLOSED, west=CLOSED)
    bench.runner.plays(EAST, answers(seconds=LATE))
    began = bench.clock.monotonic()
    assert read(bench) == WEST
    assert bench.clock.monotonic() - began == pytest.approx(NEAR + FAR)


def test_a_hedge_that_fails_leaves_the_read_to_the_first_and_is_not_asked_again() -> None:
    bench = practised()
    bench.runner.plays(EAST, answers(seconds=LATE))
    bench.runner.plays(WEST, fails(ErrorClass.NOT_SENT))
    routed = bench.router.read(where, hedge=True)
    assert [(one.region, one.outcome) for one in routed.attempts] == [(WEST, Outcome.DNS), (EAST, Outcome.OK)]
    bench.runner.plays(EAST, fails(ErrorClass.UNKNOWN, seconds=LATE))
    bench.runner.plays(WEST, fails(ErrorClass.NOT_SENT))
    with pytest.raises(NoRegionAnswered) as raised:
        read(bench)
    assert [one.region for one in raised.value.attempts] == [WEST, EAST]


def test_a_first_that_fails_after_its_hedge_was_sent_leaves_the_read_to_the_hedge() -> None:
    bench = practised()
    bench.runner.plays(EAST, fails(ErrorClass.UNKNOWN, seconds=NEAR + FAR / 2))
    routed = bench.router.read(where, hedge=True)
    assert [(one.region, one.outcome) for one in routed.attempts] == [(EAST, Outcome.SERVER_ERROR), (WEST, Outcome.OK)]
    assert bench.router.report().regions[EAST].failed == 1
    assert bench.router.report().failed_over == 1


def test_a_first_that_hangs_is_a_timeout_and_its_hedge_answers_at_once() -> None:
    bench = practised()
    bench.runner.plays(EAST, answers(seconds=3600))
    began = bench.clock.monotonic()
    assert read(bench) == WEST
    assert bench.clock.monotonic() - began < 0.1


def test_with_both_hanging_a_hedged_read_ends_within_its_deadline() -> None:
    bench = practised()
    for region in (EAST, WEST):
        bench.runner.plays(region, answers(seconds=3600))
    began = bench.clock.monotonic()
    with pytest.raises(NoRegionAnswered) as raised:
        read(bench)
    assert bench.clock.monotonic() - began <= 3.0
    assert {(one.region, one.outcome) for one in raised.value.attempts} == {
        (EAST, Outcome.TIMEOUT),
        (WEST, Outcome.TIMEOUT),
    }
    assert [bench.router.report().regions[region].failed for region in (EAST, WEST)] == [1, 1], "a hedge's too"


def test_a_hedge_gets_no_more_than_its_cap_and_what_is_left_of_the_deadline() -> None:
    for deadline_s, first_ms, most_ms in ((3.0, 1200, 1200), (1.0, 500, 990)):
        bench = practised(config=RouterConfig(deadline_s=deadline_s))
        bench.runner.plays(EAST, answers(seconds=3600))
        bench.runner.plays(WEST, answers(seconds=3600))
        with pytest.raises(NoRegionAnswered) as raised:
            read(bench)
        assert {one.region: round(one.ms) for one in raised.value.attempts} == {EAST: first_ms, WEST: most_ms}


def test_only_reads_that_may_be_hedged_say_what_is_usual_for_them() -> None:
    bench = practised()
    bench.runner.plays(EAST, *[answers(seconds=LATE)] * 50)
    for _ in range(50):
        bench.router.read(where)
    bench.runner.plays(EAST, answers(seconds=LATE))
    began = bench.clock.monotonic()
    assert read(bench) == WEST
    assert bench.clock.monotonic() - began == pytest.approx(NEAR + FAR)


def test_an_attempt_of_a_hedged_read_has_as_long_as_any_other() -> None:
    bench = practised()
    bench.follow(east=CLOSED, west=OPEN)
    bench.runner.plays(EAST, answers(seconds=3600))
    routed = bench.router.read(where, hedge=True)
    assert routed.region == WEST
    assert [round(one.ms) for one in routed.attempts if one.region == EAST] == [1800]
    assert routed.attempts[0].detail == "no answer within 1.80 s"


def test_the_callers_own_error_in_the_first_region_ends_a_hedged_read() -> None:
    bench = practised()
    bench.runner.plays(EAST, fails(ErrorClass.CALLER, seconds=NEAR + 0.01, error=KeyError("mine")))
    with pytest.raises(KeyError):
        read(bench)


def test_a_hedge_that_is_refused_as_the_callers_own_business_does_not_end_the_read() -> None:
    bench = practised()
    bench.runner.plays(EAST, answers(seconds=LATE))
    bench.runner.plays(WEST, fails(ErrorClass.CALLER))
    assert read(bench) == EAST


def test_a_throttled_read_is_repeated_once_also_when_it_may_be_hedged() -> None:
    bench = practised()
    bench.runner.plays(EAST, fails(ErrorClass.REFUSED))
    assert read(bench) == EAST
    assert [call.region for call in bench.runner.calls] == [EAST, EAST]


def test_a_pinned_region_is_the_one_that_is_hedged() -> None:
    bench = practised()
    bench.follow(decision=decision(WEST), east=CLOSED, west=CLOSED)
    for _ in range(30):
        assert read(bench) == WEST
    bench.runner.plays(WEST, answers(seconds=LATE))
    assert read(bench) == EAST


def test_two_slow_replies_in_a_hundred_cost_little_with_hedges() -> None:
    """The p99 of the reads falls to less than 0.15 of what it was, for at most 5 % more calls."""

    def p99(*, hedge: bool) -> tuple[float, float]:
        bench = practised(reads=0)
        taken = []
        for number in range(5000):
            slow = number % 50 == 25
            bench.runner.plays(EAST, answers(seconds=LATE if slow else NEAR + number % 10 / 1000))
            began = bench.clock.monotonic()
            bench.router.read(where, hedge=hedge)
            taken.append(bench.clock.monotonic() - began)
        report = bench.router.report().regions
        return sorted(taken)[-50], report[WEST].hedges / 5000

    without, _ = p99(hedge=False)
    hedged, extra = p99(hedge=True)
    assert without == pytest.approx(LATE)
    assert hedged < 0.3 * without, "the far region is 70 ms away: no hedge can be quicker than that"
    assert 0.02 <= extra <= 0.05


class Bare:
    """A runner that cannot race."""

    def run(self, region: str, op, bound: Bound, timeout: float):  # type: ignore[no-untyped-def]  # a fake's shortest form
        return Success(op(bound))


def test_with_a_runner_that_cannot_race_reads_are_simply_not_hedged() -> None:
    bare: Runner = Bare()
    router = Router(REGIONS, config=RouterConfig(), clock=SystemClock(), runner=bare, jitter=lambda: 0.5)
    assert [router.read(where, hedge=True).region for _ in range(50)] == [EAST] * 50


def test_the_real_runner_races_two_regions() -> None:
    runner = PooledRunner([EAST, WEST], threads=4)
    assert isinstance(runner, RacingRunner)
    regions = [Region(EAST, 0), Region(WEST, 1)]
    always = RouterConfig(hedge_share=0.99)  # on a busy machine the reads before it would have spent a smaller budget
    router = Router(regions, config=always, clock=SystemClock(), runner=runner, jitter=lambda: 0.5)
    for _ in range(40):
        router.read(where, hedge=True)
    release = threading.Event()

    def op(bound: Bound) -> str:
        if bound.region == EAST:
            release.wait(5)
        return bound.region

    seen: list[Attempt] = []
    assert router.read(op, hedge=True, on_attempt=seen.append).region == WEST
    release.set()
    assert [one.outcome for one in seen] == [Outcome.OK, Outcome.OUTRUN]
