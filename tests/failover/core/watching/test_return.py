"""What lets a region come back."""

from __future__ import annotations

from failover.core.events import EventKind
from failover.core.regions import Region
from failover.core.signals.breaker import CircuitState
from failover.core.watch import Watch
from tests.failover.core.posts import kinds, opened_by_canaries, opened_by_traffic
from tests.simulation.support import (
    CONFIG,
    EAST,
    REGIONS,
    WEST,
    Post,
    denied,
    failing,
    met,
    passing,
)

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def test_failback_needs_canaries_passed_in_a_row() -> None:
    post = opened_by_canaries()
    post.step(40)
    for _ in range(10):
        post.canaries[EAST] = passing()
        post.step(CONFIG.canaries_to_close - 1)
        post.canaries[EAST] = failing()
        post.step()
    assert post.state(EAST) is OPEN
    post.canaries[EAST] = passing()
    post.step(CONFIG.canaries_to_close)
    assert post.state(EAST) is HALF_OPEN


def test_failback_needs_the_hold_to_be_over() -> None:
    post = opened_by_canaries()
    opened_at = post.now
    post.canaries[EAST] = passing()
    post.until(EAST, HALF_OPEN)
    assert post.now - opened_at == CONFIG.hold_s


def test_failback_waits_while_replication_into_the_region_is_behind() -> None:
    post = opened_by_canaries()
    post.paused.add((WEST, EAST))
    post.canaries[EAST] = passing()
    post.step(60)
    assert post.state(EAST) is OPEN
    post.paused.clear()
    post.until(EAST, HALF_OPEN, most=3)


def test_failback_waits_while_the_lag_is_unknown() -> None:
    watch = Watch(REGIONS, config=CONFIG)
    for now in range(3):
        watch.on_canary(EAST, failing(), now)
    watch.tick(2, 2)
    for now in range(3, 60):
        watch.on_canary(EAST, passing(), now)
        watch.on_canary(WEST, passing(), now)
        watch.tick(now, now)
    assert watch.view(60).circuits[EAST].state is OPEN
    row = next(one for one in watch.status(60, 60, [])["explain"] if one["rule"] == "failback-lag")
    assert (row["value"], row["met"]) == (None, False)
    assert "unknown, which blocks failback" in row["text"]


def test_a_region_comes_back_without_a_lag_when_no_other_region_takes_traffic() -> None:
    post = Post()
    post.step(5)
    post.canaries = {EAST: failing(), WEST: failing()}
    post.step(3)
    assert post.watch.status(post.now, post.wall, [])["summary"].startswith("Serving from us-east-1")
    post.paused = {(WEST, EAST), (EAST, WEST)}
    post.canaries[EAST] = passing()
    post.until(EAST, CLOSED)
    assert (post.state(WEST), post.active()) == (OPEN, EAST)


def test_passing_canaries_close_a_half_open_circuit_and_fail_back() -> None:
    post = opened_by_canaries()
    post.canaries[EAST] = passing()
    post.until(EAST, CLOSED)
    assert post.active() == EAST
    assert kinds(post) == [
        EventKind.CIRCUIT_OPENED,
        EventKind.FAILOVER,
        EventKind.CIRCUIT_HALF_OPEN,
        EventKind.CIRCUIT_CLOSED,
        EventKind.FAILBACK,
    ]
    assert post.events[-1].reason == "us-east-1 is back: its circuit is closed"


def test_a_half_open_region_is_not_active_until_it_closes() -> None:
    post = opened_by_canaries()
    post.canaries[EAST] = passing()
    post.until(EAST, HALF_OPEN)
    assert post.active() == WEST


def test_a_failed_canary_sends_half_open_back_to_open_with_the_doubled_hold() -> None:
    post = opened_by_canaries()
    post.canaries[EAST] = passing()
    post.until(EAST, HALF_OPEN)
    post.canaries[EAST] = failing()
    post.step()
    assert post.state(EAST) is OPEN
    opened_at = post.now
    post.canaries[EAST] = passing()
    post.until(EAST, HALF_OPEN)
    assert post.now - opened_at == 2 * CONFIG.hold_s


def test_a_live_trial_that_fails_sends_half_open_back_to_open_though_it_opened_no_workers_circuit() -> None:
    post = opened_by_traffic()
    post.until(EAST, HALF_OPEN)
    post.reports(w1={EAST: met(4, 3, openings=1)})
    post.step()
    assert post.state(EAST) is HALF_OPEN, "no trial failed"
    post.reports(w1={EAST: met(5, 4, openings=1, trials_failed=1)})
    post.step()
    assert post.state(EAST) is OPEN
    assert "a live trial failed" in post.events[-1].reason


def test_a_trial_that_fails_in_a_worker_alone_opens_no_closed_circuit() -> None:
    post = Post()
    post.reports()
    post.reports(w1={EAST: met(5, 1, trials_failed=1)})
    post.step()
    assert post.state(EAST) is CLOSED


def test_passing_canaries_never_close_a_circuit_while_live_traffic_fails() -> None:
    post = opened_by_traffic()
    failed, openings = 3, 1
    for _ in range(600):
        post.step()
        if post.state(EAST) is HALF_OPEN:
            failed, openings = failed + 1, openings + 1
            trial = met(failed, failed, trials_failed=failed - 3, openings=openings, last_reason="a trial failed")
            post.reports(w1={EAST: trial})
    assert EventKind.CIRCUIT_CLOSED not in kinds(post)
    assert kinds(post).count(EventKind.CIRCUIT_OPENED) > 3


def test_live_traffic_disputes_canaries_only_when_it_fails_while_they_pass() -> None:
    for failed, canary, disputed in ((0, passing(), False), (5, failing(), False), (5, passing(), True)):
        post = opened_by_canaries()
        post.reports()
        post.canaries[EAST] = canary
        post.step()
        post.reports(w1={EAST: met(5, failed)})
        post.canaries[EAST] = passing()
        steps = post.until(EAST, CLOSED)
        assert (steps * 0.5 > CONFIG.error_window_s / 2) is disputed


def test_a_disputed_circuit_is_closed_by_live_trials() -> None:
    post = opened_by_traffic()
    post.until(EAST, HALF_OPEN)
    post.step(20)
    assert post.state(EAST) is HALF_OPEN
    post.reports(w1={EAST: met(5, 3, openings=1, trials_passed=2)}, w2={EAST: met(1, trials_passed=1)})
    post.step()
    assert post.state(EAST) is CLOSED
    assert post.watch.status(post.now, post.wall, [])["regions"][0]["state"] == "healthy", (
        "nothing is disputed any more"
    )


def test_a_dispute_ends_when_live_traffic_has_not_failed_for_the_whole_window() -> None:
    post = opened_by_traffic()
    post.until(EAST, HALF_OPEN)
    assert (
        "us-east-1 is being tried again, by live traffic alone, which failed while canaries passed."
        in post.watch.status(post.now, post.wall, [])["summary"]
    )
    post.until(EAST, CLOSED)
    assert post.now >= 1000 + CONFIG.error_window_s


def test_live_trials_do_not_close_a_circuit_while_replication_is_behind() -> None:
    post = opened_by_traffic()
    post.until(EAST, HALF_OPEN)
    post.paused.add((WEST, EAST))
    post.step(10)
    post.reports(w1={EAST: met(9, 3, openings=1, trials_passed=6)})
    post.step()
    assert post.state(EAST) is HALF_OPEN
    post.paused.clear()
    post.step()
    assert post.state(EAST) is CLOSED


def test_what_opened_the_circuit_does_not_open_it_again_after_it_closed() -> None:
    post = Post()
    post.reports()
    post.step(5)
    post.reports(w1={EAST: met(100, 50)})
    post.step()
    assert post.state(EAST) is OPEN
    post.until(EAST, HALF_OPEN)
    post.reports(w1={EAST: met(103, 50, trials_passed=3)})
    post.step(20)
    assert post.state(EAST) is CLOSED


def test_a_first_choice_that_is_merely_the_least_bad_is_no_failback() -> None:
    post = opened_by_canaries()
    assert post.active() == WEST
    post.canaries[WEST] = failing()
    post.step(3)
    assert post.active() == EAST  # a panic: both are open, and the first choice comes first
    assert [event.kind for event in post.events[-2:]].count(EventKind.FAILBACK) == 0
    assert post.events[-1].kind is EventKind.FAILOVER


def test_exactly_so_many_canaries_close_a_half_open_circuit_and_the_latest_of_them_must_have_passed() -> None:
    post = opened_by_canaries()
    post.canaries[EAST] = passing()
    post.until(EAST, HALF_OPEN)
    assert post.until(EAST, CLOSED) == CONFIG.canaries_to_close
    post.canaries[EAST] = failing()
    post.until(EAST, OPEN)
    post.canaries[EAST] = passing()
    post.until(EAST, HALF_OPEN)
    for _ in range(CONFIG.canaries_to_close):
        post.watch.on_canary(EAST, passing(), post.now)
    post.canaries[EAST] = denied()
    post.step(5)
    assert post.state(EAST) is HALF_OPEN
    post.canaries[EAST] = passing()
    post.step()
    assert post.state(EAST) is CLOSED


def test_failback_goes_by_the_worst_of_the_lags_into_a_region() -> None:
    post = Post(regions=(Region(EAST, 0), Region(WEST, 1), Region("eu-west-1", 2)))
    post.step(5)
    post.canaries[EAST] = failing()
    post.step(3)
    post.canaries[EAST] = passing()
    post.paused = {(WEST, EAST)}
    post.step(20)
    (row,) = [
        row
        for row in post.watch.status(post.now, post.wall, [])["explain"]
        if (row["rule"], row["region"]) == ("failback-lag", EAST)
    ]
    assert (row["met"], post.state(EAST)) == (False, OPEN)
    assert (row["value"] or 0) > CONFIG.lag_limit_ms


def test_a_region_whose_live_traffic_fails_while_its_canaries_pass_is_degraded() -> None:
    post = opened_by_traffic()
    assert post.watch.status(post.now, post.wall, [])["regions"][0]["state"] == "degraded"


def test_a_canary_that_fails_too_ends_the_dispute_so_that_canaries_may_close_the_circuit_again() -> None:
    post = opened_by_traffic()
    opened_at = post.now
    post.canaries[EAST] = failing()
    post.step()
    post.canaries[EAST] = passing()
    post.until(EAST, CLOSED)
    assert post.now - opened_at < CONFIG.error_window_s / 2
