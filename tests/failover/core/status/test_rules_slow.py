"""What an operator reads about a region's pace: why it is called slow, or why it is not though it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from failover.core.signals.breaker import CircuitState
from tests.failover.core.signals.days import Day
from tests.failover.core.status.test_rules import Row, read
from tests.simulation.support import EAST, WEST, decision, failing

RULES = ("slow-p99", "slow-elsewhere", "slow-for-most")
ELSEWHERE = "us-west-2 would take about 80 ms, which is clearly better from 240 ms on."


def usual() -> Day:
    """Two minutes as ever."""
    day = Day()
    day.lives(120, 8)
    return day


def about_to_be_left() -> Day:
    """The region has just become slow enough, and nobody has weighed it yet."""
    day = usual()
    for _ in range(120):
        day.answer(EAST, 900)
        if day.watch.facts(day.now + 0.5)[EAST].slowness.met:
            day.now += 0.5
            assert day.state(EAST) is CircuitState.CLOSED
            return day
        day.step()
    raise AssertionError("a minute of slow answers, and it is not slow")


def slow_and_pinned() -> Day:
    day = Day()
    day.watch.on_decisions([decision(EAST)])
    day.lives(120, 8)
    day.lives(40, 900)
    return day


def slow_and_alone() -> Day:
    """The region is slow while the other one fails."""
    day = usual()
    day.canaries[WEST] = failing()
    day.step(6)
    day.lives(60, 900)
    return day


@pytest.mark.parametrize(
    ("day", "rows"),
    [
        (
            usual,
            [
                (10, 200, False, "a p99 of 10 ms; usually 10 ms, and slow above 200 ms."),
                (10, 240, False, f"a p99 of 10 ms; {ELSEWHERE}"),
                (8, 100, False, "at least 8 ms on average all the time; most calls are slow above 100 ms."),
            ],
        ),
        (
            about_to_be_left,
            [
                (996, 200, True, "a p99 of 996 ms; usually 10 ms, and slow above 200 ms."),
                (996, 240, True, f"a p99 of 996 ms; {ELSEWHERE}"),
                (135, 100, True, "at least 135 ms on average all the time; most calls are slow above 100 ms."),
            ],
        ),
        (
            slow_and_pinned,
            [
                (997, 200, True, "a p99 of 997 ms; usually 10 ms, and slow above 200 ms."),
                (997, 240, True, f"a p99 of 997 ms; {ELSEWHERE}"),
                (
                    850,
                    100,
                    False,
                    "at least 850 ms on average all the time; most calls are slow above 100 ms, but it is pinned, and "
                    "slowness alone overrides nobody.",
                ),
            ],
        ),
        (
            slow_and_alone,
            [
                (997, 200, True, "a p99 of 997 ms; usually 10 ms, and slow above 200 ms."),
                (
                    997,
                    None,
                    False,
                    "a p99 of 997 ms; no other region is closed, well and up to date, so none would be better.",
                ),
                (850, None, False, "at least 850 ms on average all the time."),
            ],
        ),
    ],
    ids=["as ever", "slow", "slow, and pinned", "slow, and no other is well"],
)
def test_how_slow_a_region_is_is_told_beside_its_past_and_the_other_region(
    day: Callable[[], Day], rows: list[Row]
) -> None:
    assert read(day(), *RULES) == [(*figures, f"us-east-1: {words}") for *figures, words in rows]


def test_a_slow_region_rings_also_while_nobody_has_left_it_yet() -> None:
    day = about_to_be_left()
    alarms = day.watch.status(day.now, day.wall, [])["alarms"]
    told = {one["region"]: (one["state"], one["detail"]) for one in alarms if one["name"] == "slow"}
    assert told == {EAST: ("alarm", "p99 996 ms"), WEST: ("ok", "no traffic")}
