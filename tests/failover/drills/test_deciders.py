"""Who chooses the region of a vote, in each strategy: by a clock and calls that the test holds."""

from collections.abc import Callable

import pytest

from failover.drills.strategies import catalogue, deciders
from failover.drills.strategies.catalogue import STRATEGIES, Decider
from failover.drills.strategies.deciders import Fixed, Flag, HealthCheck, Nearest, Operator

REGIONS = ("us-east-1", "us-west-2")
EAST, WEST = REGIONS


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_fixed_region_stays_whatever_happens() -> None:
    decider = Fixed(REGIONS)
    for _ in range(1000):
        decider.ended(worked=False)
        decider.step()
    assert decider.region("student-1") == EAST


def test_the_nearest_region_is_one_half_of_the_voters() -> None:
    decider = Nearest(REGIONS)
    regions = [decider.region(f"student-{number}") for number in range(200)]
    assert 70 < regions.count(EAST) < 130
    assert decider.region("student-7") == decider.region("student-7")


def test_a_flag_is_followed_and_its_last_word_counts() -> None:
    flags = iter([WEST, None])

    def read() -> str | None:
        try:
            return next(flags)
        except StopIteration:
            raise OSError("no answer") from None

    decider = Flag(REGIONS, read=read, write=lambda _region: None)
    assert decider.region("student-1") == EAST
    for _ in range(3):
        decider.step()
        assert decider.region("student-1") == WEST


def test_a_flag_in_the_failed_region_cannot_be_changed() -> None:
    tried = []

    def write(region: str) -> None:
        tried.append(region)
        raise OSError("no answer")

    decider = Flag(REGIONS, read=lambda: EAST, write=write)
    for _ in range(5):
        decider.ended(worked=False)
    decider.step()
    assert tried == [WEST]
    assert decider.region("student-1") == EAST
    decider.ended(worked=True)
    decider.step()
    assert tried == [WEST]


def test_an_operator_switches_so_long_after_the_first_failure_and_only_while_it_fails() -> None:
    clock = Clock()
    decider = Operator(REGIONS, after_s=900, monotonic=clock)
    decider.ended(worked=False)
    clock.now += 500
    decider.ended(worked=True)
    decider.ended(worked=False)
    clock.now += 899
    decider.step()
    assert decider.region("student-1") == EAST
    clock.now += 1
    decider.step()
    assert decider.region("student-1") == WEST


@pytest.mark.parametrize(("every_s", "after_s"), [(30.0, 150.0), (10.0, 90.0)])
def test_dns_moves_after_three_failed_checks_and_a_ttl(every_s: float, after_s: float) -> None:
    clock, healthy = Clock(), True
    decider = HealthCheck(REGIONS, every_s=every_s, is_healthy=lambda: healthy, monotonic=clock)

    def seconds_until(region: str) -> float:
        began = clock.now
        while decider.region("student-1") != region:
            clock.now += 0.5
            decider.step()
            assert clock.now - began < 1000
        return clock.now - began

    healthy = False
    assert seconds_until(WEST) == after_s
    healthy = True
    assert seconds_until(EAST) == pytest.approx(after_s, abs=every_s)


def test_a_check_that_fails_twice_moves_nothing() -> None:
    clock, answers = Clock(), iter([False, False, True] * 20)
    decider = HealthCheck(REGIONS, every_s=10, is_healthy=lambda: next(answers), monotonic=clock)
    for _ in range(1000):
        clock.now += 0.5
        decider.step()
    assert decider.region("student-1") == EAST


def test_every_strategy_has_its_decider_and_says_when_it_would_switch() -> None:
    def never(*_arguments: object) -> str | None:
        return None

    made: dict[Decider, type[Callable[..., object]]] = {}
    for strategy in STRATEGIES.values():
        decider = deciders.make(
            strategy, REGIONS, read_flag=never, write_flag=never, is_healthy=lambda: True, monotonic=lambda: 0.0
        )
        made[strategy.decider] = type(decider)  # type: ignore[assignment]  # any class will do
        switches = isinstance(decider, Operator | HealthCheck)
        assert (strategy.switches_after_s is not None) is switches, strategy.name
        assert strategy.table.startswith("drill-")
    assert set(made) == set(Decider)
    assert len(set(made.values())) == len(Decider)
    assert STRATEGIES["dns-health-check"].switches_after_s == 3 * 30 + catalogue.TTL_S
