"""What opens a host's circuit, and what does not."""

from __future__ import annotations

import pytest

from failover.core.errors import ErrorClass
from failover.core.events import AUTOMATIC, EventKind
from failover.core.regions import Region
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from failover.core.watch import FORGET_WORKERS_S, Watch
from tests.failover.core.posts import kinds, opened_by_canaries, opened_by_traffic
from tests.simulation.support import (
    CONFIG,
    EAST,
    GOOD,
    REGIONS,
    WEST,
    Post,
    denied,
    failing,
    met,
    passing,
)

OPEN, CLOSED = CircuitState.OPEN, CircuitState.CLOSED


def test_three_canaries_failed_in_a_row_open_the_circuit_and_fail_over() -> None:
    post = Post()
    post.step(5)
    post.canaries[EAST] = failing()
    post.step(2)
    assert (post.state(EAST), post.active()) == (CLOSED, EAST)
    post.step()
    assert (post.state(EAST), post.active()) == (OPEN, WEST)
    assert kinds(post) == [EventKind.CIRCUIT_OPENED, EventKind.FAILOVER]
    opened, failover = post.events
    assert (opened.from_, opened.to, opened.actor, opened.region) == ("closed", "open", AUTOMATIC, EAST)
    assert "3 canaries failed in a row: DNS answers empty" in opened.reason
    assert (failover.from_, failover.to, failover.reason) == (EAST, WEST, "us-east-1's DNS answers empty")


def test_a_canary_that_may_not_look_opens_nothing() -> None:
    post = Post()
    post.step(5)
    post.canaries[EAST] = denied()
    post.step(50)
    assert (post.state(EAST), post.events) == (CLOSED, [])
    assert post.watch.status(post.now, post.wall, [])["regions"][0]["state"] == "unknown"


def test_a_canary_that_may_not_look_closes_nothing() -> None:
    post = opened_by_canaries()
    post.canaries[EAST] = denied()
    post.step(200)
    assert post.state(EAST) is OPEN


def test_a_throttled_canary_opens_nothing() -> None:
    post = Post()
    throttled = Layer(False, 1.0, "throttled", ErrorClass.REFUSED)
    post.canaries[EAST] = Canary(GOOD, GOOD, throttled, throttled)
    post.step(20)
    assert post.state(EAST) is CLOSED


def test_a_workers_opening_opens_the_hosts_circuit() -> None:
    post = opened_by_traffic()
    assert "3 failures in a row: timeout" in post.events[0].reason


def test_a_workers_opening_counts_also_when_its_failures_were_reported_before() -> None:
    post = Post()
    post.reports()
    post.reports(w1={EAST: met(3, 3)})
    post.step()
    assert post.state(EAST) is CLOSED
    post.reports(w1={EAST: met(3, 3, openings=1, circuit=OPEN, last_reason="timeout")})
    post.step()
    assert post.state(EAST) is OPEN


def test_what_a_worker_met_says_more_than_the_error_rate_that_came_of_it() -> None:
    post = Post()
    post.reports()
    post.reports(w1={EAST: met(100, 50, openings=1, circuit=OPEN, last_reason="3 failures in a row: timeout")})
    post.step()
    assert "live traffic: 3 failures in a row: timeout" in post.events[0].reason


def test_the_longest_row_of_failures_that_a_worker_has_now_is_shown() -> None:
    post = Post()

    def shown() -> float | None:
        rows = post.watch.status(post.now, post.wall, [])["explain"]
        return next(row["value"] for row in rows if (row["rule"], row["region"]) == ("consecutive-failures", EAST))

    assert shown() == 0
    post.reports(w1={EAST: met(5, 2, consecutive_failures=2)}, w2={EAST: met(5, 1, consecutive_failures=1)})
    assert shown() == 2
    post.reports(w1={EAST: met(6, 2)}, w2={EAST: met(5, 1, consecutive_failures=1)})
    assert shown() == 1


def test_a_worker_that_has_a_circuit_open_when_the_monitor_starts_opens_the_hosts() -> None:
    post = Post()
    post.reports(w1={EAST: met(100, 3, openings=1, circuit=OPEN, last_reason="timeout")})
    post.step()
    assert post.state(EAST) is OPEN


def test_a_worker_that_still_tells_of_a_region_which_is_gone_is_heard_about_the_others() -> None:
    post = Post()
    gone = met(3, 3, openings=1, circuit=OPEN, last_reason="timeout")
    post.reports(w1={"eu-west-1": gone, EAST: gone})
    post.step()
    assert (post.state(EAST), post.state(WEST)) == (OPEN, CLOSED)


def test_what_workers_met_before_the_monitor_started_counts_for_nothing() -> None:
    post = Post()
    post.reports(w1={EAST: met(1000, 900, openings=7)})
    post.step()
    assert post.state(EAST) is CLOSED
    assert post.watch.status(post.now, post.wall, [])["regions"][0]["requests_2m"] == 0


@pytest.mark.parametrize(
    ("requests", "failed", "state"),
    [(40, 3, OPEN), (39, 30, CLOSED), (100, 5, CLOSED), (100, 6, OPEN)],
    ids=["over five percent", "too few to say", "exactly five percent", "just over"],
)
def test_an_error_rate_over_the_threshold_opens_when_there_is_enough_traffic(
    requests: int, failed: int, state: CircuitState
) -> None:
    post = Post()
    post.reports()
    half = requests // 2
    post.reports(w1={EAST: met(half, failed)}, w2={EAST: met(requests - half)})
    post.step()
    assert post.state(EAST) is state


def test_the_error_rate_forgets_what_is_older_than_its_window() -> None:
    post = Post()
    post.reports()
    post.reports(w1={EAST: met(38, 30)})
    post.step(seconds=CONFIG.error_window_s)
    post.reports(w1={EAST: met(78, 30)})
    post.step()
    assert post.state(EAST) is CLOSED


def test_reports_are_cumulative_and_survive_workers_that_vanish_restart_and_return() -> None:
    post = Post()

    def seen() -> int:
        return post.watch.status(post.now, post.wall, [])["regions"][0]["requests_2m"]

    post.reports()
    post.reports(w1={EAST: met(10)}, w2={EAST: met(5)})
    post.reports(w1={EAST: met(10)}, w2={EAST: met(5)})
    assert seen() == 15
    post.reports(w2={EAST: met(6)})
    assert seen() == 16
    post.reports(w1={EAST: met(12)}, w2={EAST: met(6)})
    assert seen() == 18
    post.reports(w2={EAST: met(6)}, w3={EAST: met(2)})
    assert seen() == 20
    post.reports(w2={EAST: met(1)})
    assert seen() == 21


def test_workers_that_vanished_long_ago_are_forgotten() -> None:
    post = Post()
    post.reports()
    for number in range(20):
        post.reports(**{f"w{number}": {EAST: met(1)}})
        post.now += FORGET_WORKERS_S + 1
    assert len(post.watch._reports) == 1  # what is kept must not grow with the workers that ever were


def test_what_other_hosts_met_is_shown_and_judged_by_them_alone() -> None:
    post = Post()
    post.watch.on_host_counters("h2", {EAST: {"requests": 500, "failed": 400}}, post.now)
    post.watch.on_host_counters("h2", {EAST: {"requests": 600, "failed": 450}}, post.now)
    post.watch.on_host_counters("h2", {EAST: {"requests": 10, "failed": 0}}, post.now)
    post.step()
    region = post.watch.status(post.now, post.wall, [])["regions"][0]
    assert (region["requests_2m"], region["error_rate_2m"], region["circuit"]) == (100, 0.5, "closed")
    post.watch.on_host_counters("h2", {EAST: {"requests": 50, "failed": 0}}, post.now)
    post.watch.on_host_counters("h2", {EAST: {"requests": 60, "failed": 10}}, post.now)
    region = post.watch.status(post.now, post.wall, [])["regions"][0]
    assert (region["requests_2m"], region["error_rate_2m"]) == (150, 0.4), "also where none failed, and where all did"


def test_before_the_first_canary_nothing_is_known_and_nothing_breaks() -> None:
    watch = Watch(REGIONS, config=CONFIG)
    status = watch.status(0.0, 0.0, [])
    assert [one["state"] for one in status["regions"]] == ["unknown", "unknown"]
    assert set(status["regions"][0]["checks"]) == {"dns", "connect", "write", "read"}
    assert status["regions"][0]["age_ms"] is None
    assert "lag is unknown" in status["summary"]


def test_one_region_alone_can_fail_and_come_back() -> None:
    post = Post(regions=(Region(EAST, 0),))
    post.canaries[EAST] = failing()
    post.step(3)
    assert (post.state(EAST), post.active()) == (OPEN, EAST)
    post.canaries[EAST] = passing()
    post.until(EAST, CLOSED)


def test_latency_percentiles_come_from_the_workers_histograms() -> None:
    post = Post(config=CONFIG)
    post.reports()
    latency = [0] * 22
    latency[2], latency[11] = 90, 10
    post.reports(w1={EAST: met(100, latency=tuple(latency))})
    region = post.watch.status(post.now, post.wall, [])["regions"][0]
    assert region["p50_ms"] == pytest.approx(2.6)
    assert region["p99_ms"] == pytest.approx(97.0)
