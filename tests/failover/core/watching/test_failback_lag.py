"""No failback to a region that would show what was so a while ago, whatever else happens meanwhile."""

from __future__ import annotations

import pytest

from failover.core.config import RouterConfig
from failover.core.events import EventKind
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import EAST, WEST, Bench, Post, failing, met, passing, where

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def back_but_behind(*, hold_s: float) -> Post:
    """us-east-1 was down and answers again for long; what us-west-2 wrote meanwhile has not arrived there."""
    post = Post(RouterConfig(hold_s=hold_s))
    post.step(4)
    post.canaries[EAST] = failing()
    post.step(8)
    post.paused.add((WEST, EAST))
    post.canaries[EAST] = passing()
    post.step(1200)
    assert (post.active(), post.state(EAST)) == (WEST, OPEN)
    return post


def blip(post: Post) -> None:
    """Three of us-west-2's live calls fail in a row, and its canaries go on passing."""
    post.reports(w={WEST: met(1000)})
    post.step()
    post.reports(w={WEST: met(1003, 3, openings=1, circuit=OPEN, last_reason="3 failures in a row: HTTP 503")})
    post.step()
    assert post.state(WEST) is OPEN


@pytest.mark.parametrize("hold_s", [5.0, 60.0])
def test_a_blip_of_the_region_that_took_over_closes_nothing_that_is_behind(hold_s: float) -> None:
    post = back_but_behind(hold_s=hold_s)
    blip(post)
    assert post.active() == WEST, "whoever is behind is asked last"
    post.step(400)
    assert [one for one in post.events if one.region == EAST and one.to == "closed"] == []
    assert [one for one in post.events if one.kind is EventKind.FAILOVER] == [post.events[1]], "it never moved again"
    assert (post.active(), post.state(EAST), post.state(WEST)) == (WEST, OPEN, CLOSED)

    post.paused.clear()
    post.until(EAST, CLOSED)


def test_a_region_that_took_over_and_is_gone_is_not_waited_for() -> None:
    post = back_but_behind(hold_s=5.0)
    blip(post)
    post.canaries[WEST] = failing()
    post.until(EAST, CLOSED)
    assert post.active() == EAST


def test_who_was_left_first_is_not_waited_for_by_who_took_over() -> None:
    post = back_but_behind(hold_s=5.0)
    post.paused.add((EAST, WEST))
    blip(post)
    post.until(WEST, CLOSED)


def test_replication_that_stalls_while_a_region_is_on_trial_ends_the_trial() -> None:
    post = Post()
    post.step(4)
    post.canaries[EAST] = failing()
    post.step(8)
    post.canaries[EAST] = passing()
    post.reports(w={EAST: met(10)})
    post.step()
    post.reports(w={EAST: met(20, 1)})  # disputed: canaries alone do not close it
    post.until(EAST, HALF_OPEN)
    post.paused.add((WEST, EAST))
    seconds = post.until(EAST, OPEN, most=60) / 2
    expected = post.config.lag_stalled_ms / 1000 + post.config.quiet_s
    assert expected - 1 <= seconds <= expected + 1
    assert post.watch.view(post.now).circuits[EAST].reason == "replication into it stalled while it was on trial"

    bench = Bench()
    bench.router.follow(post.watch.view(post.now))
    assert {bench.router.read(where).region for _ in range(20)} == {WEST}

    post.paused.clear()
    post.until(EAST, HALF_OPEN)


def test_a_lag_that_sways_about_its_limit_is_one_alarm() -> None:
    post = Post()
    post.step(4)
    behind = 4

    def sway(times: int) -> None:
        nonlocal behind
        for _ in range(times):
            post.step()
            behind = 9 - behind  # 2.0 s and 2.5 s
            post.watch.on_beat_seen(EAST, WEST, post.beat - behind, post.now)

    post.paused.add((EAST, WEST))
    sway(200)
    assert [one.kind for one in post.events] == [EventKind.LAG_ALARM]
    post.paused.clear()
    post.step(2)
    assert [one.kind for one in post.events] == [EventKind.LAG_ALARM, EventKind.LAG_CLEARED]
