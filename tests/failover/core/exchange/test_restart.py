"""A monitor that is killed and started again goes on as if it had never been away, and with nothing false."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from failover.core.config import RouterConfig
from failover.core.exchange.reports import HostCircuit, HostView, view_from_json, view_to_json
from failover.core.exchange.restart import Past, Serving
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import CONFIG, EAST, WEST, Post, decision, failing, met, passing

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
TOLD = ("failback-hold", "flapping", "disputed")


def down(post: Post) -> Post:
    """us-east-1 fails until its circuit is open."""
    post.canaries[EAST] = failing()
    post.until(EAST, OPEN)
    return post


def up(post: Post, state: CircuitState = CLOSED) -> Post:
    """us-east-1 is well again until its circuit says so."""
    post.canaries[EAST] = passing()
    post.until(EAST, state)
    return post


def opened_twice() -> Post:
    """The second opening is held for twice as long as the first."""
    post = Post()
    post.step(5)
    return down(up(down(post)))


def since(post: Post) -> str:
    """Since when a region serves."""
    return post.watch.status(post.now, post.wall, [])["routing"]["since"]


def told(post: Post) -> list[object]:
    """What is said of holds and openings, and since when a region serves."""
    return [post.row(rule, name) for rule in TOLD for name in (EAST, WEST)] + [since(post)]


@pytest.mark.parametrize(
    "make",
    [lambda: opened_twice(), lambda: up(opened_twice(), HALF_OPEN), lambda: up(opened_twice()), lambda: Post()],
    ids=["open", "half-open", "closed again", "never open"],
)
def test_what_is_said_after_a_restart_is_what_would_have_been_said_without(make: Any) -> None:
    post = make()
    post.step(3)
    again = post.restarted(after=4.0)
    post.now, post.wall = again.now, again.wall
    assert again.watch.view(again.now) == post.watch.view(post.now)
    assert told(again) == told(post)
    again.watch.tick(again.now, again.wall)
    assert told(again) == told(post)


def test_an_outage_over_which_the_monitor_is_killed_has_lasted_since_it_began() -> None:
    post = opened_twice()
    began = since(post)
    for _ in range(5):
        post.step(20)
        post = post.restarted(after=2.0)
    row = post.row("failback-hold", EAST)
    assert (row["value"], row["threshold"], row["met"]) == (60.0, 10.0, True)
    assert row["text"] == "us-east-1: open for 60 s; it is held for at least 10 s."
    assert since(post) == began


def test_the_next_opening_after_a_restart_is_held_for_twice_the_latest_hold() -> None:
    post = down(up(opened_twice().restarted(after=1.0)))
    assert post.row("failback-hold", EAST)["threshold"] == 20.0
    assert down(up(post.restarted()).restarted()).row("failback-hold", EAST)["threshold"] == 40.0


def test_a_region_that_flaps_is_found_out_however_often_the_monitor_is_killed() -> None:
    config = RouterConfig(hold_s=1.0, hold_cap=20.0, flap_openings=4)
    post = Post(config)
    post.step(5)
    for _ in range(config.flap_openings):
        post = down(up(post.restarted(after=1.0)).restarted(after=1.0))
    assert post.row("flapping", EAST)["met"]
    assert post.row("failback-hold", EAST)["threshold"] == config.flap_hold_s
    assert "held longer" in post.events[-2].reason


def test_openings_that_are_too_long_ago_do_not_count_after_the_restart_either() -> None:
    post = up(opened_twice())
    assert post.row("flapping", EAST)["value"] == 2
    again = post.restarted(after=CONFIG.flap_window_s)
    assert again.row("flapping", EAST)["value"] == 0
    assert down(again).row("failback-hold", EAST)["threshold"] == CONFIG.hold_s, "it was calm for longer than the cap"


def test_a_hold_is_over_when_it_would_have_been_without_the_restart() -> None:
    post = opened_twice()
    opened_at = post.now
    post = up(post.restarted(after=2.0), HALF_OPEN)
    assert post.now - opened_at == 10.0


def test_a_circuit_that_is_being_tried_is_tried_on() -> None:
    post = up(opened_twice(), HALF_OPEN)
    again = post.restarted(after=1.0)
    assert again.state(EAST) is HALF_OPEN
    (closed,) = (one for one in up(again).events if one.region == EAST and one.to == "closed")
    assert closed.from_ == "half-open"


def test_a_worker_whose_own_circuit_is_open_still_does_not_end_the_trial_of_a_monitor_that_restarts() -> None:
    again = up(opened_twice(), HALF_OPEN).restarted()
    again.reports(w1={EAST: met(100, 3, openings=1, circuit=OPEN, last_reason="timeout")})
    again.step()
    assert again.state(EAST) is HALF_OPEN


@pytest.mark.parametrize(("seconds", "state"), [(60.0, CLOSED), (0.5, OPEN)], ids=["before", "since"])
def test_a_workers_circuit_counts_when_it_opened_since_the_hosts_closed(seconds: float, state: CircuitState) -> None:
    post = up(opened_twice())
    post.step(20)
    again = post.restarted(after=1.0)
    worker = met(100, 3, openings=1, circuit=OPEN, last_reason="timeout", open_s=seconds)
    again.reports(w1={EAST: worker})
    again.step()
    assert again.state(EAST) is state


def test_canaries_alone_close_nothing_after_a_restart_where_live_traffic_failed_while_they_passed() -> None:
    post = Post()
    post.reports()
    post.step(5)
    post.reports(w1={EAST: met(3, 3, openings=1, circuit=OPEN, last_reason="3 failures in a row: timeout")})
    disputed_at = post.now
    post.step()
    again = post.restarted(after=1.0)
    again.until(EAST, CLOSED)
    assert again.now - disputed_at >= CONFIG.error_window_s


def test_a_region_that_was_left_for_being_slow_must_be_quick_after_a_restart_too() -> None:
    post = Post()
    past = Past(since_s=3.0, wait_s=5.0, openings=1, relapses_s=(3.0,), quick_ms=0.5)
    post.watch.restore(HostView(None, {EAST: HostCircuit(OPEN, "slow", past)}), post.now, post.wall)
    post.step(100)  # a canary takes 1 ms here
    assert (post.state(EAST), post.row("failback-pace", EAST)["threshold"]) == (OPEN, 0.5)


@pytest.mark.parametrize("hours", [-24, -1, -0.001])
def test_a_clock_that_was_set_back_makes_no_hold_longer_than_from_the_restart_on(hours: float) -> None:
    post = opened_twice()
    post.step(4)
    again = post.restarted(after=3.0, clock_set=hours * 3600)
    row = again.row("failback-hold", EAST)
    assert 2.0 <= (row["value"] or 0.0) <= 5.0
    assert since(again) <= again.watch.status(again.now, again.wall, [])["generated_at"]
    restarted_at = again.now
    up(again, HALF_OPEN)
    assert again.now - restarted_at <= 10.0


def test_a_clock_that_was_set_forward_ends_no_hold_before_the_canaries_say_so() -> None:
    again = opened_twice().restarted(after=1.0, clock_set=50.0)
    again.step(20)
    assert again.state(EAST) is OPEN
    up(again)


def test_a_monitor_that_restarts_with_other_regions_forgets_those_that_are_gone() -> None:
    again = Post()
    view = HostView(
        None,
        {"eu-west-1": HostCircuit(OPEN, "why"), WEST: HostCircuit(CLOSED)},
        serving=Serving("eu-west-1", 5.0),
    )
    again.watch.restore(view, again.now, again.wall)
    assert (again.state(EAST), again.state(WEST)) == (CLOSED, CLOSED)
    assert set(again.watch.view(again.now).circuits) == {EAST, WEST}
    assert since(again) == "2025-10-20T07:00:00.000Z", "another region served until then"


def test_the_decision_holds_after_a_restart_and_nothing_is_told_twice() -> None:
    post = opened_twice()
    post.watch.on_decisions([decision(WEST)])
    post.step()
    again = post.restarted()
    assert (again.state(EAST), again.state(WEST), again.active()) == (OPEN, CLOSED, WEST)
    assert again.watch.view(again.now).decision == decision(WEST)
    again.step(5)
    assert again.events == []


DAMAGED: dict[str, object] = {
    "none": None,
    "no past": "yesterday",
    "empty": {},
    "an age below zero": {"since_s": -1.0},
    "no number": {"since_s": math.nan},
    "for ever": {"since_s": math.inf},
    "a number beyond all": {"wait_s": 10**400},
    "open and never turned": {"since_s": None, "openings": 0, "wait_s": 0.0, "relapses_s": []},
    "turned, but never opened": {"openings": 0},
    "opened without a hold": {"wait_s": 0.0},
    "words": {"relapses_s": ["long ago"]},
    "no list": {"relapses_s": 7},
    "a list": {"openings": [1]},
    "since whenever": {"disputed_s": "whenever"},
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_past_that_is_missing_or_makes_no_sense_is_none_and_an_open_circuit_is_open_from_now_on(
    damage: object,
) -> None:
    post = opened_twice()
    post.step(10)
    document = json.loads(json.dumps(view_to_json(post.watch.view(post.now))))
    circuit = document["circuits"][EAST]
    circuit["past"] = circuit["past"] | damage if isinstance(damage, dict) and damage else damage
    again = Post()
    again.watch.restore(view_from_json(document, age_s=1.0), again.now, again.wall)
    row = again.row("failback-hold", EAST)
    assert (again.state(EAST), row["value"], row["threshold"]) == (OPEN, 0.0, CONFIG.hold_s)
    assert again.row("flapping", EAST)["value"] == 1
    up(again)


def test_a_view_of_a_version_that_told_no_past_is_one_all_the_same() -> None:
    document = {
        "decision": None,
        "circuits": {EAST: {"state": "half-open", "reason": "why"}, WEST: {"state": "closed", "reason": ""}},
    }
    again = Post()
    again.watch.restore(view_from_json(document, age_s=1.0), again.now, again.wall)
    assert (again.state(EAST), again.state(WEST), again.active()) == (OPEN, CLOSED, WEST)
    assert since(again) == "2025-10-20T07:00:00.000Z"
    up(again)


@pytest.mark.parametrize("serving", [None, "us-west-2", {}, {"region": WEST}, {"region": WEST, "since": "then"}])
def test_who_served_since_when_is_not_known_where_that_makes_no_sense(serving: object) -> None:
    document = view_to_json(opened_twice().watch.view(2000.0)) | {"serving": serving}
    assert view_from_json(document, age_s=1.0).serving is None


def test_no_hold_is_longer_than_any_that_is_configured() -> None:
    past = Past(since_s=1.0, wait_s=1e9, openings=40, relapses_s=(1.0,))
    again = Post()
    again.watch.restore(HostView(None, {EAST: HostCircuit(OPEN, "why", past)}), again.now, again.wall)
    assert again.row("failback-hold", EAST)["threshold"] == CONFIG.flap_hold_s


def test_one_canary_after_a_restart_makes_no_region_healthy_that_was_unreachable() -> None:
    post = down(Post())
    again = post.restarted(after=1.0)
    for one in (post, again):
        one.canaries[EAST] = passing()
        words = []
        for _ in range(CONFIG.canaries_to_close):
            one.step()
            words.append(one.watch.facts(one.now)[EAST].state.value)
        assert words == ["degraded", "degraded", "healthy"]
