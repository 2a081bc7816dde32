"""All circuits are open, so all regions are tried: rather where canaries pass, and no crowd waits in a hung one."""

from __future__ import annotations

import pytest

from failover.core.errors import ErrorClass, NoRegionAnswered, OutcomeUnknown
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.fakes import ScriptedRunner, answers, fails
from failover.core.ports import Bound
from failover.core.router import Router
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import CONFIG, EAST, REGIONS, WEST, Bench, Post, failing, met, passing, where
from tests.simulation.turns import TurnClock

OPEN, CLOSED = CircuitState.OPEN, CircuitState.CLOSED
SLOW_S = 1.0


def all_open(**well: bool) -> HostView:
    """Every circuit is open; a region is well otherwise, or ailing."""
    return HostView(None, {name: HostCircuit(OPEN, ailing=not one) for name, one in well.items()})


def test_a_region_whose_canaries_fail_is_asked_last() -> None:
    bench = Bench("a", "b", "c")
    bench.router.follow(all_open(a=False, b=True, c=True))
    assert (bench.router.order(), bench.router.active()) == (("b", "c", "a"), "b")
    assert bench.router.call(where, idempotent=False).region == "b"


def test_a_write_that_may_not_be_repeated_does_not_end_in_a_region_that_is_known_to_hang() -> None:
    bench = Bench()
    bench.runner.always(EAST, answers(seconds=3600))
    bench.router.follow(all_open(**{EAST: True, WEST: True}))
    with pytest.raises(OutcomeUnknown):
        bench.router.call(where, idempotent=False)
    bench.router.follow(all_open(**{EAST: False, WEST: True}))
    assert bench.router.call(where, idempotent=False).region == WEST


def test_what_the_canaries_said_is_forgotten_with_the_monitors_word() -> None:
    bench = Bench()
    bench.router.follow(all_open(**{EAST: False, WEST: True}))
    for name in (EAST, WEST):
        bench.runner.always(name, fails(ErrorClass.NOT_SENT))
    for _ in range(3):
        with pytest.raises(NoRegionAnswered):
            bench.router.call(where, idempotent=True)
    assert bench.router.order() == (WEST, EAST)
    bench.clock.wait(CONFIG.stale_after_s + 0.1)
    assert bench.router.order() == (EAST, WEST)


def test_of_the_regions_that_were_passed_over_one_whose_canaries_fail_is_asked_last() -> None:
    bench = Bench("a", "b", "c")
    view = all_open(a=False, b=True)
    bench.router.follow(HostView(None, {**view.circuits, "c": HostCircuit(CLOSED)}))
    bench.runner.always("c", fails(ErrorClass.NOT_SENT))
    assert bench.router.call(where, idempotent=True).region == "b"


class Hall:
    """Votes that come one after another to one worker, while every circuit is open."""

    def __init__(self) -> None:
        self.clock = TurnClock()
        self.runner = ScriptedRunner(self.clock)
        self.router = Router(REGIONS, config=CONFIG, clock=self.clock, runner=self.runner, jitter=lambda: 0.5)
        self.router.follow(all_open(**{EAST: True, WEST: True}))
        self.seconds: list[float] = []
        self.regions: list[str] = []

    def votes(self, number: int, *, every: float = 0.05) -> None:
        def vote() -> None:
            began = self.clock.monotonic()
            self.regions.append(self.router.call(self._where, idempotent=True).region)
            self.seconds.append(self.clock.monotonic() - began)

        self.clock.together([(turn * every, vote) for turn in range(number)])

    @staticmethod
    def _where(bound: Bound) -> str:
        return bound.region


def test_a_crowd_does_not_wait_in_a_hung_region_though_nobody_knows_that_it_hangs() -> None:
    hall = Hall()
    hall.runner.always(EAST, answers(seconds=3600))
    hall.runner.always(WEST, answers(seconds=0.07))
    hall.votes(24)
    assert set(hall.regions) == {WEST}
    assert sum(seconds > SLOW_S for seconds in hall.seconds) <= CONFIG.share
    assert max(hall.seconds) < CONFIG.attempt_timeout_s + 0.1


def test_who_left_a_crowd_comes_back_to_it_rather_than_fail() -> None:
    hall = Hall()
    hall.runner.always(EAST, answers(seconds=0.9))
    hall.runner.always(WEST, fails(ErrorClass.NOT_SENT))
    hall.votes(24)
    assert hall.regions == [EAST] * 24


def test_where_several_are_crowded_everyone_is_asked_for_as_long_as_there_is() -> None:
    hall = Hall()
    for name in (EAST, WEST):
        hall.runner.always(name, answers(seconds=1.1))
    hall.votes(24)
    assert len(hall.regions) == 24


def test_the_status_says_where_traffic_goes_in_a_panic() -> None:
    post = Post()
    post.step(4)
    post.canaries[EAST] = failing()
    post.step(8)
    post.reports(w={WEST: met(100)})
    post.step()
    post.reports(w={WEST: met(103, 3, openings=1, circuit=OPEN, last_reason="3 failures in a row: HTTP 503")})
    post.step()
    assert (post.state(EAST), post.state(WEST), post.active()) == (OPEN, OPEN, WEST)
    assert "no region looks well" in post.watch.status(post.now, post.wall, [])["summary"]

    worker = Bench()
    worker.router.follow(post.watch.view(post.now))
    assert worker.router.active() == WEST

    post.canaries[WEST] = failing()
    post.step(4)
    assert post.active() == EAST, "both are down, and one comes first"
    post.canaries[WEST] = passing()
    assert [(one.kind.value, one.to) for one in post.step()] == [("failover", WEST)]
    assert (post.state(EAST), post.state(WEST)) == (OPEN, OPEN)
