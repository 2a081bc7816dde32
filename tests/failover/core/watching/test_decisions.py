"""What people decide, which region serves since when, and the events of both."""

from __future__ import annotations

from failover.core.events import EventKind
from failover.core.signals.breaker import CircuitState
from failover.core.watch import Watch
from tests.failover.core.posts import kinds, opened_by_canaries
from tests.simulation.support import (
    CONFIG,
    EAST,
    REGIONS,
    WEST,
    Post,
    decision,
    failing,
    passing,
)

CLOSED = CircuitState.CLOSED


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


def test_every_event_has_a_name_of_its_own() -> None:
    watch = Watch(REGIONS, config=CONFIG)
    for now in range(3):
        watch.on_canary(EAST, failing(), now)
    events = watch.tick(2, 2)
    assert len({event.id for event in events if event.id}) == len(events) == 1
