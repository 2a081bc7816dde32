"""The status document, part by part, as the dashboard, `regions --json` and the drills read it."""

from __future__ import annotations

from typing import Any

import pytest

from failover.core.errors import ErrorClass
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.phrases import phrase
from failover.core.regions import Region
from failover.core.signals.health import Canary, Layer
from failover.core.status.types import StatusDocument
from tests.failover.core.signals.days import slowed
from tests.failover.core.status.test_rules_slow import usual
from tests.simulation.support import EAST, GOOD, REGIONS, WEST, Post, decision, failing, met, passing

THIRD = "eu-west-1"


def status(post: Post) -> StatusDocument:
    return post.watch.status(post.now, post.wall, post.events)


def rung(post: Post, region: str = EAST) -> dict[str, str]:
    """A region's alarms by name: the state, and what is told."""
    alarms = [one for one in status(post)["alarms"] if one["region"] == region]
    return {one["name"]: f"{one['state']}: {one['detail']}" for one in alarms}


def lagging(**behind_s: float) -> Post:
    """Three regions; into the first one replication is so far behind from each of the others."""
    names = {"west": WEST, "third": THIRD}
    post = Post(regions=(*REGIONS, Region(THIRD, 2)))
    for name in names.values():
        post.watch.on_beat_written(name, 1, post.now)
    for name, seconds in behind_s.items():
        post.watch.on_beat_seen(names[name], EAST, 1, post.now + seconds)
    return post


def test_every_event_is_told_whole_and_the_latest_comes_first() -> None:
    said = {"template": "{region} is back: its circuit is closed", "values": {"region": EAST}}
    back = phrase("{region} is back: its circuit is closed", region=EAST)
    post = Post()
    post.events = [
        Event("e1", 1_760_943_600.0, EventKind.SWITCHED, EAST, WEST, "instructor", "for the class", WEST),
        Event("e3", 1_760_943_602.25, EventKind.FAILBACK, WEST, EAST, AUTOMATIC, back, EAST),
        Event("e2", 1_760_943_601.0, EventKind.ROUTING_AUTO, WEST, "auto", "instructor", "enough", ""),
    ]
    latest, middle, first = status(post)["events"]
    assert latest == {
        "id": "e3",
        "at": "2025-10-20T07:00:02.250Z",
        "kind": "failback",
        "region": EAST,
        "from": WEST,
        "to": EAST,
        "actor": "automatic",
        "reason": "us-east-1 is back: its circuit is closed",
        "said": said,
    }
    assert (middle["id"], first["id"]) == ("e2", "e1")
    assert (first["region"], first["reason"], first["said"]) == (WEST, "for the class", "for the class")


def test_of_one_moment_the_cause_is_told_before_what_came_of_it() -> None:
    post = Post()
    post.step(5)
    post.canaries[EAST] = failing()
    events = [event for _ in range(3) for event in post.step()]
    assert [event.kind for event in events] == [EventKind.CIRCUIT_OPENED, EventKind.FAILOVER]
    assert len({event.at for event in events}) == 1
    assert sorted(events, key=lambda event: (event.at, event.id)) == events, "as the log and the page sort them"


def test_routing_that_nobody_ever_changed_is_automatic() -> None:
    post = Post()
    post.step()
    assert status(post)["routing"] == {
        "mode": "auto",
        "region": None,
        "active": EAST,
        "epoch": 0,
        "actor": "automatic",
        "reason": "never changed by hand",
        "since": "2025-10-20T07:00:00.500Z",
    }


def test_routing_tells_the_pin_and_who_set_it_also_while_another_region_is_active() -> None:
    post = Post()
    post.watch.on_decisions([decision(WEST, epoch=7)])
    post.step()
    post.canaries[WEST] = failing()
    post.step(3)
    assert status(post)["routing"] == {
        "mode": "pinned",
        "region": WEST,
        "active": EAST,
        "epoch": 7,
        "actor": "instructor",
        "reason": "for the class",
        "since": "2025-10-20T07:00:02.000Z",
    }


def test_a_region_is_told_with_its_latest_canary_and_its_last_two_minutes() -> None:
    refused = Layer(False, 2.5, phrase("the {what} fails", what="handshake"), ErrorClass.NOT_SENT)
    post = Post()
    post.reports()
    post.reports(w1={EAST: met(700, 50)})
    post.watch.on_canary(EAST, Canary(Layer(True, 1.5), refused), post.now)
    post.now += 1.25
    east, west = status(post)["regions"]
    untouched: dict[str, Any] = {"ok": None, "ms": None, "detail": "", "said": "", "stale": False}
    assert east == {
        "name": EAST,
        "priority": 0,
        "state": "degraded",
        "circuit": "closed",
        "checks": {
            "dns": {"ok": True, "ms": 1.5, "detail": "", "said": "", "stale": False},
            "connect": {
                "ok": False,
                "ms": 2.5,
                "detail": "the handshake fails",
                "said": {"template": "the {what} fails", "values": {"what": "handshake"}},
                "stale": False,
            },
            "write": untouched,
            "read": untouched,
        },
        "requests_2m": 700,
        "error_rate_2m": 0.0714,
        "p50_ms": None,
        "p99_ms": None,
        "age_ms": 1250,
    }
    assert (west["name"], west["priority"], west["age_ms"]) == (WEST, 1, None)


def test_replication_is_told_for_each_way_with_how_long_ago_a_beat_was_seen_to_arrive() -> None:
    post = lagging(west=0.25, third=3.0)
    post.now += 4
    lines = [line for line in status(post)["replication"] if line["to"] == EAST]
    assert lines == [
        {"from": WEST, "to": EAST, "lag_ms": 250, "state": "ok", "age_ms": 3750},
        {"from": THIRD, "to": EAST, "lag_ms": 3000, "state": "slow", "age_ms": 1000},
    ]
    nothing_seen = [line for line in status(lagging())["replication"] if line["to"] == EAST]
    assert [(line["lag_ms"], line["state"], line["age_ms"]) for line in nothing_seen] == [(None, "unknown", None)] * 2


QUIET = {
    "circuit": "ok: closed",
    "error-rate": "ok: 0.0% of 0 requests",
    "canary": "ok: 0 failed in a row",
    "stale-dns": "ok: no stale answer serves",
    "slow": "ok: no traffic",
    "flapping": "ok: opened 0 times within 600 s",
    "replication-lag": "ok: below its limit, or unknown",
}


def test_an_alarm_is_told_also_while_it_is_quiet() -> None:
    post = Post()
    post.step(5)
    assert rung(post) == rung(post, WEST) == QUIET
    assert rung(usual())["slow"] == "ok: p99 10 ms"


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        (2, {"canary": "ok: 2 failed in a row"}),
        (
            3,
            {
                "canary": "alarm: 3 failed in a row",
                "circuit": "alarm: open: 3 canaries failed in a row: DNS answers empty",
                "flapping": "ok: opened 1 time within 600 s",
            },
        ),
    ],
    ids=["too few", "enough"],
)
def test_the_alarms_of_a_region_whose_canaries_fail(failures: int, told: dict[str, str]) -> None:
    post = Post()
    post.step(5)
    post.canaries[EAST] = failing()
    post.step(failures)
    assert rung(post) == {**QUIET, **told}
    assert rung(post, WEST) == QUIET


def test_the_alarms_of_a_region_that_is_tried_again() -> None:
    post = Post()
    post.canaries[EAST] = failing()
    post.step(3)
    post.canaries[EAST] = passing()
    post.step(11)
    assert rung(post)["circuit"] == "alarm: half-open: 3 canaries failed in a row: DNS answers empty"


@pytest.mark.parametrize(
    ("requests", "failed", "told"),
    [
        (80, 4, "ok: 5.0% of 80 requests"),
        (80, 5, "alarm: 6.2% of 80 requests"),
        (39, 30, "ok: 76.9% of 39 requests"),
    ],
    ids=["not above the threshold", "above it", "of too few requests"],
)
def test_the_alarm_of_an_error_rate(requests: int, failed: int, told: str) -> None:
    post = Post()
    post.reports()
    post.reports(w1={EAST: met(requests, failed)})
    assert rung(post)["error-rate"] == told


def test_the_alarm_of_a_region_that_was_left_for_being_slow_says_so_when_its_traffic_is_gone() -> None:
    assert rung(slowed())["slow"] == "alarm: it was left for being slow"


def test_a_stale_answer_rings_in_the_words_of_the_canary() -> None:
    post = Post()
    post.watch.on_canary(EAST, Canary(Layer(True, 1.0, "DNS answers empty", stale=True), GOOD, GOOD, GOOD), post.now)
    assert rung(post)["stale-dns"] == "alarm: DNS answers empty"


@pytest.mark.parametrize(("times", "state"), [(5, "ok"), (6, "alarm")])
def test_the_alarm_of_flapping(times: int, state: str) -> None:
    post = Post()
    post.step(5)
    for _ in range(times - 1):
        post.canaries[EAST] = failing()
        post.step(3)
        post.canaries[EAST] = passing()
        while post.state(EAST).value != "closed":
            post.step()
    post.canaries[EAST] = failing()
    post.step(3)
    assert rung(post)["flapping"] == f"{state}: opened {times} times within 600 s"


@pytest.mark.parametrize(
    ("behind_s", "told"),
    [
        ({"west": 2.0, "third": 0.5}, "ok: below its limit, or unknown"),
        ({}, "ok: below its limit, or unknown"),
        ({"west": 0.5, "third": 2.5}, "alarm: 2.5 s behind eu-west-1"),
        ({"west": 2.5}, "alarm: 2.5 s behind us-west-2"),
        ({"west": 3.5, "third": 12.0}, "alarm: 3.5 s behind us-west-2, 12.0 s behind eu-west-1"),
    ],
    ids=["none", "unknown", "one slow", "one slow and one unknown", "one slow and one stalled"],
)
def test_the_alarm_of_replication_names_every_region_that_it_is_behind(behind_s: dict[str, float], told: str) -> None:
    assert rung(lagging(**behind_s))["replication-lag"] == told


def test_every_sentence_of_the_document_says_how_it_was_made() -> None:
    post = Post()
    post.canaries[EAST] = failing()
    post.step(3)
    document: Any = status(post)
    assert document["summary_said"]["template"] == "{serving} {replication}"
    assert document["alarms"][0]["said"]["template"] == "{state}: {reason}"
    row = next(one for one in document["explain"] if one["rule"] == "canary-failures")
    assert row["said"]["template"] == "{region}: {canaries} failed in a row; {limit} open the circuit."
    told = {one["kind"]: one["said"]["template"] for one in document["events"]}
    assert told == {"circuit-opened": "{reason}; held for at least {wait:.0f} s", "failover": "{region}'s {trouble}"}
