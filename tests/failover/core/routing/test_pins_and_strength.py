"""Pinned regions, and how strong a read is where it lands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.config import TableMode
from failover.core.errors import ErrorClass
from failover.core.fakes import fails
from failover.core.ports import Consistency
from failover.core.signals.breaker import CircuitState
from tests.failover.core.benches import write
from tests.simulation.support import CONFIG, EAST, WEST, Bench, decision, where

A = ErrorClass.NOT_SENT
OPEN, CLOSED = CircuitState.OPEN, CircuitState.CLOSED


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
