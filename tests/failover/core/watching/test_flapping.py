"""A circuit that opens again and again is held for longer."""

from __future__ import annotations

from failover.core.signals.breaker import CircuitState
from tests.failover.core.posts import opened_by_canaries
from tests.simulation.support import (
    CONFIG,
    EAST,
    Post,
    failing,
    passing,
)

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def flapped(times: int) -> Post:
    """A region that failed and came back so many times, and failed once more."""
    post = opened_by_canaries()
    for _ in range(times - 1):
        post.canaries[EAST] = passing()
        post.until(EAST, CLOSED)
        post.step(140)  # longer than the cap: the doubling alone would start afresh
        post.canaries[EAST] = failing()
        post.step(3)
    assert post.state(EAST) is OPEN
    return post


def test_a_circuit_that_flaps_is_held_longer_than_the_cap_and_says_so() -> None:
    post = flapped(CONFIG.flap_openings)
    reason = post.events[-2].reason
    assert reason.endswith("it opened 6 times within 600 s, so it is held longer; held for at least 120 s")
    post.canaries[EAST] = passing()
    assert post.until(EAST, HALF_OPEN) == 2 * 120
    row = next(row for row in post.watch.status(post.now, post.wall, [])["explain"] if row["rule"] == "flapping")
    assert (row["value"], row["threshold"], row["met"]) == (6, 6, True)


def test_fewer_openings_within_the_window_are_no_flapping() -> None:
    post = flapped(CONFIG.flap_openings - 1)
    post.canaries[EAST] = passing()
    assert post.until(EAST, HALF_OPEN) == 2 * 5
    row = next(row for row in post.watch.status(post.now, post.wall, [])["explain"] if row["rule"] == "flapping")
    assert row["text"].startswith("us-east-1: it went from closed to open 5 times within 600 s")


def test_a_region_that_stays_down_does_not_flap_however_often_a_trial_fails() -> None:
    post = opened_by_canaries()
    for _ in range(CONFIG.flap_openings):
        post.canaries[EAST] = passing()
        post.until(EAST, HALF_OPEN)
        post.canaries[EAST] = failing()
        post.step()
    assert post.watch.facts(post.now)[EAST].circuit.wait_s == CONFIG.hold_cap_s


def test_flapping_ends_when_the_region_was_calm_for_the_whole_window() -> None:
    post = flapped(CONFIG.flap_openings)
    post.canaries[EAST] = passing()
    post.until(EAST, CLOSED)
    post.step(2 * 600)
    post.canaries[EAST] = failing()
    post.step(3)
    assert post.watch.facts(post.now)[EAST].circuit.wait_s == CONFIG.hold_s
