"""What the monitor tells people: the status document and its summary."""

from __future__ import annotations

import json

import pytest

from failover.core.errors import ErrorClass
from failover.core.events import EventKind
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from failover.core.watch import Watch
from tests.failover.core.posts import opened_by_canaries
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


def test_the_summary_says_that_the_lag_is_unknown_when_a_dead_region_makes_it_so() -> None:
    post = opened_by_canaries()
    for _ in range(20):
        post.now += 0.5
        post.watch.on_canary(EAST, failing(), post.now)
    assert post.watch.status(post.now, post.wall, [])["summary"].endswith(
        "The replication lag is unknown while us-east-1 cannot be read."
    )


def test_a_beat_that_was_written_in_one_region_says_nothing_about_the_lag_from_another() -> None:
    watch = Watch(REGIONS, config=CONFIG)
    for now in range(5):
        for region in (EAST, WEST):
            watch.on_canary(region, passing(), now)
        watch.on_beat_written(EAST, now, now)
        watch.on_beat_seen(EAST, WEST, now, now)
    lags = {line["from"]: line["state"] for line in watch.status(4, 4, [])["replication"]}
    assert lags == {EAST: "ok", WEST: "unknown"}


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
