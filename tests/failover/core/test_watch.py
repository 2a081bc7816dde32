"""The monitor's rules, one a test: what opens a host's circuit, what lets it come back, and what is told about it."""

from __future__ import annotations

import json

import pytest

from failover.core.errors import ErrorClass
from failover.core.events import AUTOMATIC, EventKind
from failover.core.regions import Region
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from failover.core.watch import FORGET_WORKERS_S, Watch
from tests.simulation.support import (
    CONFIG,
    EAST,
    GOOD,
    REGIONS,
    WEST,
    Post,
    decision,
    denied,
    failing,
    met,
    passing,
)

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def kinds(post: Post) -> list[EventKind]:
    return [event.kind for event in post.events]


def opened_by_canaries() -> Post:
    post = Post()
    post.step(5)
    post.canaries[EAST] = failing()
    post.step(3)
    assert post.state(EAST) is OPEN
    return post


def opened_by_traffic() -> Post:
    post = Post()
    post.reports()
    post.step(5)
    post.reports(w1={EAST: met(3, 3, openings=1, circuit=OPEN, last_reason="3 failures in a row: timeout")})
    post.step()
    assert post.state(EAST) is OPEN
    return post


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


def test_a_pin_is_one_event_with_its_actor_and_reason_and_switches_the_active_region() -> None:
    post = Post()
    post.step(5)
    post.watch.on_decisions([decision(WEST)])
    post.step(3)
    assert kinds(post) == [EventKind.ROUTING_PINNED, EventKind.SWITCHED]
    pinned, switched = post.events
    assert (pinned.from_, pinned.to, pinned.actor, pinned.reason, pinned.at) == (
        "auto", WEST, "instructor", "for the class", 1.0,
    )  # fmt: skip
    assert (switched.from_, switched.to, switched.actor) == (EAST, WEST, "instructor")
    assert post.watch.view(post.now).decision == decision(WEST)


def test_a_forced_pin_is_recorded_as_forced_and_traffic_fails_over_all_the_same() -> None:
    post = opened_by_canaries()
    post.watch.on_decisions([decision(EAST, forced=True)])
    post.step(3)
    assert "(forced)" in post.events[-1].reason
    assert post.active() == WEST


def test_a_pin_survives_the_failure_of_its_region() -> None:
    post = Post()
    post.watch.on_decisions([decision(WEST)])
    post.step(5)
    post.canaries[WEST] = failing()
    post.step(3)
    status = post.watch.status(post.now, post.wall, [])
    assert (status["routing"]["mode"], status["routing"]["active"]) == ("pinned", EAST)
    assert "pinned, but us-west-2's DNS answers empty" in status["summary"]
    post.canaries[WEST] = passing()
    post.until(WEST, CLOSED)
    assert post.active() == WEST
    assert post.events[-1].kind is EventKind.FAILBACK


def test_a_superseded_decision_yields_one_event_that_names_both() -> None:
    post = Post()
    winner, loser = decision(WEST, id="b", at=2.0), decision(None, id="a", at=1.0)
    for _ in range(3):
        post.watch.on_decisions([winner, loser])
        post.step()
    (event,) = [one for one in post.events if one.kind is EventKind.ROUTING_SUPERSEDED]
    assert (event.id, event.from_, event.to) == ("superseded-a", "auto", WEST)


def test_an_older_decision_or_none_does_not_undo_the_last_known_one() -> None:
    post = Post()
    post.watch.on_decisions([decision(WEST, epoch=5, id="new")])
    post.watch.on_decisions([decision(EAST, epoch=4, id="old")])
    post.watch.on_decisions([])
    post.step()
    assert post.active() == WEST


def test_a_switch_that_was_decided_while_no_monitor_ran_is_told_by_the_next_one() -> None:
    again = Watch(REGIONS, config=CONFIG)
    again.restore(Post().watch.view(0.0), 0.0, 1_760_943_600.0)
    again.on_decisions([decision(WEST)])
    events = again.tick(1.0, 1_760_943_600.0)
    assert [event.kind for event in events] == [EventKind.ROUTING_PINNED, EventKind.SWITCHED]
    assert again.status(1.0, 1_760_943_600.0, events)["routing"]["since"] == "2025-10-20T07:00:00.000Z"


def test_a_replication_pause_raises_one_alarm_and_its_end_clears_it() -> None:
    post = Post()
    post.step(5)
    post.paused.add((EAST, WEST))
    post.step(20)
    line = next(one for one in post.watch.status(post.now, post.wall, [])["replication"] if one["to"] == WEST)
    assert (line["from"], line["state"], line["lag_ms"]) == (EAST, "slow", 9500)
    alarms = post.watch.status(post.now, post.wall, [])["alarms"]
    assert [one["region"] for one in alarms if one["state"] == "alarm"] == [WEST]
    post.paused.clear()
    post.step(2)
    assert [(one.kind, one.from_, one.to) for one in post.events] == [
        (EventKind.LAG_ALARM, EAST, WEST),
        (EventKind.LAG_CLEARED, EAST, WEST),
    ]
    assert [one.reason for one in post.events] == ["replication is 2.5 s behind", "replication is 0.0 s behind"]


@pytest.mark.parametrize(
    "canary",
    [failing(), Canary(GOOD, GOOD, GOOD, Layer(False, 1.0, "timeout", ErrorClass.UNKNOWN))],
    ids=["not reached", "reached, but reading fails"],
)
def test_the_lag_into_a_region_that_cannot_be_read_is_unknown(canary: Canary) -> None:
    post = Post()
    post.step(5)
    post.canaries[EAST] = canary
    post.step()
    lines = post.watch.status(post.now, post.wall, [])["replication"]
    into = {one["to"]: (one["state"], one["lag_ms"], one["age_ms"]) for one in lines}
    assert into == {EAST: ("unknown", None, 0), WEST: ("ok", 0, 0)}, "that a beat was seen to arrive is still true"


def test_the_status_document_is_plain_json_with_every_rule_for_every_region_also_when_nothing_happened() -> None:
    post = Post()
    post.step(5)
    status = post.watch.status(post.now, post.wall, post.events)
    assert json.loads(json.dumps(status)) == status
    rules = {(row["rule"], row["region"]) for row in status["explain"]}
    assert len(rules) == len(status["explain"]) == 34
    assert all(row["text"].startswith(row["region"]) and row["text"].endswith(".") for row in status["explain"])
    dns = {"ok": True, "ms": 1.0, "detail": "", "said": "", "stale": False}
    assert status["regions"][0]["checks"]["dns"] == dns
    assert status["generated_at"] == "2025-10-20T07:00:02.500Z"
    assert status["summary"] == (
        "Serving from us-east-1 since 07:00:00 UTC: it is the first choice and every circuit is closed. "
        "Replication is 0.0 s behind."
    )


def test_a_stale_dns_answer_is_told_everywhere_and_flips_nothing() -> None:
    detail = "DNS answers empty since 07:00:02 UTC; the last good answer serves until 07:05:02 at most"
    post = Post()
    post.step(5)
    post.canaries[EAST] = Canary(Layer(True, 1.0, detail, stale=True), GOOD, GOOD, GOOD)
    post.step(20)
    status = post.watch.status(post.now, post.wall, [])
    assert (post.state(EAST), post.active(), post.events) == (CLOSED, EAST, [])
    east, west = status["regions"]
    assert (east["state"], east["checks"]["dns"]["ok"], east["checks"]["dns"]["stale"]) == ("healthy", True, True)
    assert [layer["stale"] for layer in west["checks"].values()] == [False] * 4
    ringing = [one for one in status["alarms"] if one["state"] == "alarm"]
    told = {"name": "stale-dns", "region": EAST, "state": "alarm", "detail": detail, "said": detail}
    assert ringing == [told]
    assert status["summary"] == (
        "Serving from us-east-1 since 07:00:00 UTC: it is the first choice and every circuit is closed. "
        f"us-east-1's {detail}. Replication is 0.0 s behind."
    )


def test_the_summary_says_who_serves_since_when_why_and_how_far_replication_is_behind() -> None:
    post = opened_by_canaries()
    post.step(2)
    assert post.watch.status(post.now, post.wall, [])["summary"] == (
        "Serving from us-west-2 since 07:00:04 UTC: us-east-1's DNS answers empty. Replication is 0.0 s behind."
    )


def test_the_summary_says_what_failback_waits_for_once_the_region_answers_again() -> None:
    post = opened_by_canaries()
    post.canaries[EAST] = passing()
    post.step()
    summary = post.watch.status(post.now, post.wall, [])["summary"]
    assert "UTC: us-east-1 answers again, and its return waits for the end of its hold and more canaries. " in summary
    post.step(5)
    summary = post.watch.status(post.now, post.wall, [])["summary"]
    assert "its return waits for the end of its hold." in summary


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


def test_the_summary_says_that_the_lag_is_unknown_when_a_dead_region_makes_it_so() -> None:
    post = opened_by_canaries()
    for _ in range(20):
        post.now += 0.5
        post.watch.on_canary(EAST, failing(), post.now)
    assert post.watch.status(post.now, post.wall, [])["summary"].endswith(
        "The replication lag is unknown while us-east-1 cannot be read."
    )


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


def test_a_region_that_fails_just_when_a_person_confirms_it_is_left_by_the_rules_and_not_by_that_person() -> None:
    post = Post()
    post.step(5)
    post.canaries[EAST] = failing()
    post.step(2)
    post.watch.on_decisions([decision(EAST)])
    post.step()
    assert post.active() == WEST
    assert EventKind.FAILOVER in kinds(post)
    assert EventKind.SWITCHED not in kinds(post)


def test_since_when_a_region_serves_is_from_the_first_look_on_until_another_one_does() -> None:
    post = Post()

    def since() -> str:
        return post.watch.status(post.now, post.wall, [])["routing"]["since"]

    assert since() == "2025-10-20T07:00:00.000Z", "nobody has looked yet"
    post.step()
    first = since()
    assert first == "2025-10-20T07:00:00.500Z"
    post.step(20)
    assert since() == first
    post.canaries[EAST] = failing()
    post.step(3)
    assert post.active() == WEST
    assert since() > first


def test_a_beat_that_was_written_in_one_region_says_nothing_about_the_lag_from_another() -> None:
    watch = Watch(REGIONS, config=CONFIG)
    for now in range(5):
        for region in (EAST, WEST):
            watch.on_canary(region, passing(), now)
        watch.on_beat_written(EAST, now, now)
        watch.on_beat_seen(EAST, WEST, now, now)
    lags = {line["from"]: line["state"] for line in watch.status(4, 4, [])["replication"]}
    assert lags == {EAST: "ok", WEST: "unknown"}


def test_every_event_has_a_name_of_its_own() -> None:
    watch = Watch(REGIONS, config=CONFIG)
    for now in range(3):
        watch.on_canary(EAST, failing(), now)
    events = watch.tick(2, 2)
    assert len({event.id for event in events if event.id}) == len(events) == 1


def test_a_region_that_live_traffic_condemns_is_not_said_to_have_failed_a_canary_that_told_nothing() -> None:
    post = Post()
    post.reports()
    post.canaries[EAST] = denied()
    post.step(5)
    post.reports(w1={EAST: met(100, 60)})
    post.step()
    assert post.state(EAST) is OPEN
    summary = post.watch.status(post.now, post.wall, [])["summary"]
    assert "60.0% of 100 requests failed" in summary
    assert "canary" not in summary
