"""A call that a pooled connection failed goes on as ever, and comes back over a new one when no region is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.errors import ErrorClass, Failure, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.exchange.reports import WorkerReport
from failover.core.fakes import Step, answers, fails
from failover.core.ports import Bound
from failover.core.signals.breaker import CircuitState
from failover.core.watch import Watch
from tests.simulation.support import CONFIG, EAST, REGIONS, WEST, Bench, passing, where

TIMEOUT_S = 1.0
HANGS = Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, "no reply in time", TimeoutError())
DEAD = Step(replace(HANGS, pooled=True), TIMEOUT_S)
SILENT = Step(HANGS, TIMEOUT_S)
CUT = Step(replace(HANGS, outcome=Outcome.CONNECT, pooled=True), 0.001)
SOUTH = "eu-west-1"


def ways(bench: Bench) -> list[tuple[str, bool]]:
    """The attempts: the region, and whether it was to be asked over a new connection."""
    return [(call.region, call.fresh) for call in bench.runner.calls]


def test_the_next_region_is_asked_first() -> None:
    bench = Bench()
    bench.runner.plays(EAST, DEAD)

    routed = bench.router.call(where, idempotent=True)

    assert (routed.region, ways(bench)) == (WEST, [(EAST, False), (WEST, False)])


def test_with_every_pool_dead_the_call_comes_back_over_a_new_connection_in_time() -> None:
    bench = Bench()
    bench.runner.plays(EAST, DEAD)
    bench.runner.plays(WEST, DEAD)
    began = bench.clock.monotonic()

    routed = bench.router.call(where, idempotent=True)

    assert (routed.region, ways(bench)) == (EAST, [(EAST, False), (WEST, False), (EAST, True)])
    assert bench.clock.monotonic() - began <= 2.3
    assert [attempt.outcome for attempt in routed.attempts] == [Outcome.TIMEOUT, Outcome.TIMEOUT, Outcome.OK]


@pytest.mark.parametrize("names", [(EAST,), (EAST, WEST), (EAST, WEST, SOUTH)], ids=len)
@pytest.mark.parametrize("dead", [DEAD, CUT], ids=["silent", "cut"])
def test_however_many_regions_there_are_dead_pools_fail_no_call(names: tuple[str, ...], dead: Step) -> None:
    bench = Bench(*names)
    dead = replace(dead, seconds=min(dead.seconds, CONFIG.deadline_s / len(names) / 1.2))  # as clients.read_s has it
    for name in names:
        bench.runner.plays(name, dead)

    assert bench.router.call(where, idempotent=True).region == EAST


@pytest.mark.parametrize("hanging", [EAST, WEST])
def test_a_dead_pool_beside_a_region_that_hangs(hanging: str) -> None:
    bench = Bench()
    alive = WEST if hanging == EAST else EAST
    bench.runner.plays(hanging, replace(DEAD))
    bench.runner.always(hanging, SILENT)
    bench.runner.plays(alive, DEAD)

    assert bench.router.call(where, idempotent=True).region == alive
    assert bench.clock.monotonic() - 1000.0 <= CONFIG.deadline_s


def test_the_far_region_that_alone_has_an_address_is_come_back_to() -> None:
    bench = Bench()
    bench.runner.always(EAST, fails(ErrorClass.NOT_SENT))
    bench.runner.plays(WEST, DEAD)
    bench.runner.always(WEST, answers(seconds=0.14))

    routed = bench.router.call(where, idempotent=True)

    assert (routed.region, ways(bench)[-1]) == (WEST, (WEST, True))


def test_a_write_that_may_not_be_repeated_is_not_repeated() -> None:
    bench = Bench()
    bench.runner.plays(EAST, DEAD)

    with pytest.raises(OutcomeUnknown):
        bench.router.call(where, idempotent=False)

    assert bench.asked() == [EAST]


def test_regions_that_hang_are_not_asked_a_third_time() -> None:
    bench = Bench()
    bench.runner.always(EAST, SILENT)
    bench.runner.always(WEST, SILENT)

    with pytest.raises(NoRegionAnswered):
        bench.router.call(where, idempotent=True)

    assert bench.asked() == [EAST, WEST]


def test_a_region_whose_new_connection_fails_too_is_not_asked_for_ever() -> None:
    bench = Bench()
    for region in (EAST, WEST):
        bench.runner.always(region, CUT)

    with pytest.raises(NoRegionAnswered):
        bench.router.call(where, idempotent=True)

    assert bench.asked() == [EAST, WEST, EAST, WEST]


def test_a_pool_is_emptied_when_its_circuit_opens_and_again_when_it_tries_and_each_trial_is_fresh() -> None:
    bench = Bench()
    bench.runner.plays(EAST, *[SILENT] * CONFIG.failures_to_open)
    for _ in range(CONFIG.failures_to_open):
        bench.router.call(where, idempotent=True)
    bench.router.order()
    assert bench.runner.renewed == [EAST]

    bench.clock.wait(CONFIG.hold_s)
    bench.runner.calls.clear()
    for _ in range(CONFIG.trials_to_close + 1):
        bench.router.call(where, idempotent=True)

    assert bench.runner.renewed == [EAST, EAST]
    assert ways(bench) == [(EAST, True)] * CONFIG.trials_to_close + [(EAST, False)]


def test_a_pool_is_emptied_when_the_host_begins_to_try_the_region() -> None:
    bench = Bench()
    bench.follow(east=CircuitState.HALF_OPEN)
    for _ in range(3):
        bench.router.report()

    assert bench.runner.renewed == [EAST]


def test_a_pool_that_may_be_all_that_serves_is_kept_while_new_connections_fail() -> None:
    bench = Bench()
    bench.runner.plays(EAST, *[fails(ErrorClass.NOT_SENT)] * CONFIG.failures_to_open)
    for _ in range(CONFIG.failures_to_open):
        bench.router.call(where, idempotent=True)
    bench.follow(west=CircuitState.OPEN)

    assert bench.router.order() == (EAST, WEST), "a panic"
    assert bench.runner.renewed == []


class Host:
    """A worker and its host's monitor, of one clock."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.watch = Watch(REGIONS, config=CONFIG)
        for seq in range(5):
            self.tick(canary=seq)

    def tick(self, *, canary: int | None = None) -> list[str]:
        """What a round brings: the events."""
        now = self.bench.clock.monotonic()
        if canary is not None:
            for region in (EAST, WEST):
                self.watch.on_canary(region, passing(canary), now)
                self.watch.on_beat_written(region, canary + 1, now)
                self.watch.on_beat_seen(region, WEST if region == EAST else EAST, canary + 1, now)
        self.watch.on_reports({"worker": self.report()}, now)
        events = self.watch.tick(now, self.bench.clock.wall())
        view = self.watch.view(now)
        self.bench.router.follow(view)
        return [event.kind.value for event in events]

    def report(self) -> WorkerReport:
        return self.bench.router.report()


def three_at_once(host: Host) -> None:
    """Three calls that began at one moment met the dead pool, and West answered them."""
    slot = host.bench.router._slots[EAST]
    now = host.bench.clock.monotonic()
    tickets = [slot.admit(None, now) for _ in range(3)]
    host.bench.clock.wait(TIMEOUT_S)
    for ticket in tickets:
        assert ticket is not None
        assert DEAD.failure is not None
        slot.count(DEAD.failure, 1000.0)
        slot.settle(ticket, DEAD.failure, now + TIMEOUT_S)


def test_the_host_opens_for_a_dead_pool_too_and_closes_when_that_is_taken_back() -> None:
    host = Host()
    three_at_once(host)
    assert host.tick() == ["circuit-opened", "failover"]

    host.bench.runner.plays(WEST, DEAD)
    assert host.bench.router.call(where, idempotent=True).region == EAST
    kinds = host.tick()

    assert kinds == ["circuit-closed", "failback"]
    assert host.watch.facts(host.bench.clock.monotonic())[EAST].circuit.openings == 0


def test_the_host_does_not_open_for_what_was_taken_back_before_it_heard() -> None:
    host = Host()
    three_at_once(host)
    host.bench.runner.plays(WEST, DEAD)
    host.bench.router.call(where, idempotent=True)

    assert host.tick() == []
    assert host.bench.router.call(lambda bound: bound, idempotent=True).value == Bound(EAST)
