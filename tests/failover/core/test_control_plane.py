"""Several operators, several hosts, clocks that differ, regions that come and go: one decision holds everywhere."""

from __future__ import annotations

from random import Random

import pytest

from failover.core.decisions import CLOCKS_DIFFER_S, latest
from tests.simulation.places import Fault
from tests.simulation.rules import Inspector
from tests.simulation.support import EAST, WEST, Post, decision
from tests.simulation.world import NAMES, ROUND_S, World


def calm_world(**shape: int) -> tuple[World, Inspector]:
    """A world in which nothing is wrong, after its first minute."""
    world = World(Random(1), **shape)
    inspector = Inspector(world)
    for _ in range(12):
        inspector.step()
    return world, inspector


def follows(world: World) -> set[str]:
    """The regions that workers ask first, over all hosts."""
    return {worker.router.order()[0] for host in world.hosts for worker in host.workers}


def test_two_operators_at_once_make_one_decision_that_every_worker_follows_and_one_that_is_told_as_lost() -> None:
    world, inspector = calm_world()
    nothing = world.known()
    first = world.decide(world.hosts[0], WEST, known=nothing)
    second = world.decide(world.hosts[1], EAST, known=nothing)
    assert first is not None
    assert second is not None
    assert first.epoch == second.epoch
    inspector.round()
    winner, (loser,) = latest([first, second])
    assert follows(world) == {winner.region if winner else None}
    assert inspector.seen["routing-superseded"] == 2, "each host tells it, under one id"
    assert f"superseded-{loser.id}" in inspector.ids


def test_two_operators_on_two_sides_of_a_split_agree_once_it_heals() -> None:
    world, inspector = calm_world()
    for pair in ((EAST, WEST), (WEST, EAST)):
        world.pause(*pair)
    world.decide(world.hosts[0], WEST)
    world.decide(world.hosts[1], None)
    inspector.recover(within=120)


def test_a_region_that_returns_with_an_old_epoch_changes_nothing() -> None:
    world, inspector = calm_world()
    world.decide(world.hosts[0], EAST)
    inspector.round()
    world.hurt(WEST, Fault.HANG)
    world.decide(world.hosts[0], None)
    newest = world.decide(world.hosts[1], EAST)
    inspector.round()
    rows_of_old = dict(world.places[WEST].rows)
    for pair in ((EAST, WEST), (WEST, EAST)):
        world.pause(*pair)
    world.mend(WEST)
    for _ in range(20):
        inspector.step()
    assert world.places[WEST].rows == rows_of_old
    assert {host.view.decision for host in world.hosts} == {newest}
    assert inspector.seen["routing-superseded"] == 0, "it was followed by a later one, not contradicted"


def test_with_no_region_reachable_the_last_known_decision_holds_for_ever() -> None:
    world, inspector = calm_world()
    made = world.decide(world.hosts[0], WEST)
    inspector.round()
    for name in world.places:
        world.hurt(name, Fault.DNS)
    for _ in range(200):
        inspector.step()
    world.hosts[0].restart_monitor()
    inspector.monitor_restarted(world.hosts[0])
    inspector.round()
    assert {host.view.decision for host in world.hosts} == {made}
    inspector.recover()
    assert follows(world) == {WEST}


def test_a_decision_made_by_a_clock_that_is_behind_still_follows_the_one_it_knew_of() -> None:
    fast, slow = decision(WEST, epoch=1, id="fast", at=105.0), decision(None, epoch=2, id="slow", at=96.0)
    assert latest([fast, slow]) == (slow, ())
    contradicting = decision(WEST, epoch=1, id="split", at=96.1 + CLOCKS_DIFFER_S)
    assert latest([contradicting, slow]) == (slow, (contradicting,))


@pytest.mark.parametrize("skew_s", [-5.0, 5.0])
def test_the_lag_does_not_depend_on_any_hosts_wall_clock(skew_s: float) -> None:
    straight, skewed = Post(), Post()
    skewed.wall += skew_s
    for number in range(40):
        skewed.wall += skew_s if number % 7 == 0 else 0.0
        for post in (straight, skewed):
            if number == 20:
                post.paused.add((EAST, WEST))
            post.step()
    lags = [post.watch.facts(post.now)[WEST].lags[EAST].ms for post in (straight, skewed)]
    assert lags[0] == lags[1] == pytest.approx(10_000, abs=600)


def test_hosts_whose_clocks_differ_see_the_same_lag_and_the_same_world() -> None:
    world, inspector = calm_world(regions=3)
    assert [host.skew_s for host in world.hosts] == [5.0, -5.0]
    for host in world.hosts:
        facts = host.watch.facts(world.now)
        assert {lag.ms for one in facts.values() for lag in one.lags.values()} == {1000.0 * ROUND_S}
    world.hurt(NAMES[0], Fault.DNS, 60)
    for _ in range(40):
        inspector.step()
    assert inspector.seen["failover"] == inspector.seen["failback"] == 2
