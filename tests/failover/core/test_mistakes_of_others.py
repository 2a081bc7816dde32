"""What other failover clients got wrong, each as a test that this engine passes.

The mistakes were read from the clients' sources, and some of them run; each test names the client in its docstring.
"""

from __future__ import annotations

import pytest

from failover.core.decisions import latest
from failover.core.errors import ErrorClass, NoRegionAnswered, OutcomeUnknown
from failover.core.events import EventKind
from failover.core.fakes import FakeClock, answers, fails
from failover.core.ports import Bound
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import CONFIG, EAST, WEST, Bench, Post, decision, failing, met, passing, where

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def left_by_live_traffic() -> Post:
    """A region that live traffic has left, while its canaries pass all the time."""
    post = Post()
    post.reports()
    post.step(5)
    post.reports(w1={EAST: met(3, 3, openings=1, circuit=OPEN, last_reason="timeouts")})
    post.step()
    assert post.state(EAST) is OPEN
    return post


def test_a_handful_of_straight_failures_trips_the_circuit_without_a_thousand_requests() -> None:
    """redis-py 8 multidb: 200 straight failures do not trip it, its minimum is 1,000."""
    bench = Bench()
    bench.runner.always(EAST, fails(ErrorClass.NOT_SENT))
    for _ in range(200):
        bench.router.call(where, idempotent=True)
    assert bench.asked().count(EAST) == CONFIG.failures_to_open


def test_passing_pings_do_not_close_a_circuit_again_while_commands_fail() -> None:
    """redis-py 8 multidb: a passing PING closes the breaker while commands fail, so it flaps."""
    post = left_by_live_traffic()
    failed = 3
    for _ in range(120):
        post.step(4)
        failed += 1
        post.reports(w1={EAST: met(failed, failed, openings=1, circuit=OPEN)})
    assert post.canaries[EAST] == passing()
    assert all(event.kind is not EventKind.CIRCUIT_CLOSED for event in post.events)


def test_a_manual_choice_outlives_every_recovery_and_every_tick() -> None:
    """redis-py 8 multidb: a manual choice is undone at the next fallback tick."""
    post = Post()
    post.watch.on_decisions([decision(WEST)])
    post.step(10)
    for down in (WEST, EAST):
        post.canaries[down] = failing()
        post.step(10)
        post.canaries[down] = passing()
        post.until(down, CLOSED)
    post.step(2000)
    assert post.active() == WEST


def test_a_wall_clock_that_jumps_moves_no_wait_and_opens_or_closes_nothing() -> None:
    """redis-py 8 multidb: its clock is the wall clock."""

    class Jumping(FakeClock):
        def wall(self) -> float:
            return -super().wall() * 1000

    jumping = Jumping()
    bench = Bench(clock=jumping)
    bench.runner.plays(EAST, *[fails(ErrorClass.NOT_SENT)] * 3)
    for _ in range(3):
        bench.router.call(where, idempotent=True)
    assert bench.circuit(EAST) is OPEN
    jumping.wait(CONFIG.hold_s - 0.1)
    assert bench.circuit(EAST) is OPEN
    jumping.wait(0.2)
    assert bench.circuit(EAST) is HALF_OPEN
    post = Post()
    post.step(5)
    post.wall -= 86_400
    assert post.step(20) == []


def test_a_passing_active_check_does_not_take_back_a_region_whose_traffic_fails() -> None:
    """Envoy: a passing active check un-ejects a host whose traffic fails."""
    post = left_by_live_traffic()
    post.until(EAST, HALF_OPEN)
    post.step(int(CONFIG.error_window_s))
    assert (post.state(EAST), post.active()) == (HALF_OPEN, WEST)
    (row,) = [
        row
        for row in post.watch.status(post.now, post.wall, [])["explain"]
        if (row["rule"], row["region"]) == ("disputed", EAST)
    ]
    assert row["met"]


def test_a_region_whose_endpoint_looks_well_is_left_for_what_live_calls_meet() -> None:
    """Route 53 and friends see only the endpoint."""
    post = Post()
    post.reports()
    post.step(5)
    post.reports(w1={EAST: met(100, 6)})
    (opened, *_) = post.step()
    assert opened.reason.startswith("6.0% of 100 requests failed within 120 s")
    assert post.canaries[EAST] == passing()


def test_the_half_open_wait_doubles_from_a_short_one_and_starts_afresh_after_a_calm() -> None:
    """Cosmos doubles its half-open wait too, but from 60 s up to 20 minutes: a region that came back stays unused."""
    post = Post()
    post.step(5)
    waits = []
    for _ in range(6):
        post.canaries[EAST] = failing()
        post.until(EAST, OPEN)
        waits.append(post.watch.facts(post.now)[EAST].circuit.wait_s)
        post.canaries[EAST] = passing()
        post.until(EAST, HALF_OPEN)
    assert waits == [5, 10, 20, 40, 60, 60]
    post.until(EAST, CLOSED)
    post.step(round(2 * CONFIG.hold_cap_s))
    post.canaries[EAST] = failing()
    post.until(EAST, OPEN)
    assert post.watch.facts(post.now)[EAST].circuit.wait_s == CONFIG.hold_s


def test_a_write_whose_fate_is_unknown_is_repeated_only_when_it_carries_an_id() -> None:
    """MongoDB's retryable writes carry an id: the model. Without one nothing is repeated."""
    bench = Bench()
    bench.runner.plays(EAST, fails(ErrorClass.UNKNOWN), fails(ErrorClass.UNKNOWN))
    with pytest.raises(OutcomeUnknown):
        bench.router.call(where, idempotent=False)
    assert bench.asked() == [EAST]
    names: list[str] = []

    def vote(bound: Bound) -> str:
        names.append("0198-one-name")
        return bound.region

    assert bench.router.call(vote, idempotent=True).region == WEST
    assert len(set(names)) == 1


def test_what_is_counted_lets_a_drill_tell_an_acknowledged_call_from_a_failed_one() -> None:
    """Drill scripts call a difference of counts RPO. The router says of every call whether it was acknowledged."""
    bench = Bench()
    acknowledged, lost = 0, list[NoRegionAnswered]()
    for step in (answers(), fails(ErrorClass.NOT_SENT), fails(ErrorClass.UNKNOWN), answers(seconds=3600)):
        bench.runner.plays(EAST, step)
        bench.runner.plays(WEST, fails(ErrorClass.NOT_SENT))
        try:
            acknowledged += bench.router.call(where, idempotent=True).region == EAST
        except NoRegionAnswered as failed:
            lost.append(failed)
        bench.runner.script.clear()
    report = bench.router.report()
    assert [{one.region for one in failed.attempts} for failed in lost] == [{EAST, WEST}] * 3
    assert (report.calls, report.answered, report.unanswered) == (4, acknowledged, 3)


def test_the_loser_of_two_decisions_is_the_same_for_every_reader_and_is_told() -> None:
    """No client of those has two operators at all: a flip made on one side of a split is silently lost."""
    one, other = decision(EAST, id="a", at=5.0), decision(WEST, id="b", at=5.0)
    assert latest([one, other]) == latest([other, one]) == (other, (one,))
