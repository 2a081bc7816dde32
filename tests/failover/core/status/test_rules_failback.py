"""What an operator reads about a region's return: what it waits for, what closes it, and whether it is back at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from failover.core.config import RouterConfig
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary
from tests.failover.core.signals.days import canary, slowed
from tests.failover.core.status.test_rules import read
from tests.simulation.support import EAST, REGIONS, WEST, Post, failing, met, passing

CONFIG = RouterConfig(
    canary_failures_to_open=2,
    canaries_to_close=3,
    trials_to_close=5,
    hold_s=7.0,
    hold_cap=50 / 7,
    flap_openings=4,
    flap_window=8.0,
    flap_hold=3.0,
    lag_limit_ms=1500.0,
)
"""No two numbers that a sentence names are the same."""
IDLE = "Nothing to come back from: the circuit is closed."
HALF_OPEN, CLOSED, OPEN = CircuitState.HALF_OPEN, CircuitState.CLOSED, CircuitState.OPEN


def left(post: Post | None = None) -> Post:
    """A region whose canaries failed, and fail."""
    post = post or Post(CONFIG)
    post.step(5)
    post.canaries[EAST] = failing()
    post.until(EAST, OPEN)
    return post


def answering(steps: int, post: Post | None = None) -> Post:
    """A region that was left and whose canaries pass again, so many of them."""
    post = post or left()
    post.canaries[EAST] = passing()
    post.step(steps)
    return post


def behind() -> Post:
    """The same, once its hold is over, while replication into it has paused."""
    post = left()
    post.paused.add((WEST, EAST))
    return answering(20, post)


def tried() -> Post:
    """The same, being tried again, with two trials and one canary passed."""
    post = left()
    post.reports()
    post.canaries[EAST] = passing()
    post.until(EAST, HALF_OPEN)
    post.reports(w1={EAST: met(2, trials_passed=2)})
    post.step()
    return post


def tried_by_traffic_alone() -> Post:
    """A region that live traffic condemned while its canaries passed, being tried again, with one trial passed."""
    post = Post(CONFIG)
    post.reports()
    post.step(5)
    post.reports(w1={EAST: met(3, 3, openings=1, last_reason="timeout")})
    post.step()
    post.until(EAST, HALF_OPEN)
    post.reports(w1={EAST: met(4, 3, openings=1, trials_passed=1)})
    post.step(2)
    return post


def tried_enough_and_behind() -> Post:
    """The same, with enough trials passed, while replication into it has paused."""
    post = tried_by_traffic_alone()
    post.paused.add((WEST, EAST))
    post.step(5)
    post.reports(w1={EAST: met(8, 3, openings=1, trials_passed=5)})
    post.step()
    return post


def back(steps: int) -> Post:
    """A region that came back so many rounds ago."""
    post = left()
    post.canaries[EAST] = passing()
    post.until(EAST, CLOSED)
    post.step(steps)
    return post


def all_left() -> Post:
    post = left()
    post.canaries[WEST] = failing()
    post.until(WEST, OPEN)
    return post


CANARIES = "{} passed in a row; failback needs 3."
UNKNOWN = "the lag into it is unknown, which blocks failback; it must be known and at most 1.5 s."
BEHIND = "replication into it is {:.1f} s behind; failback needs at most 1.5 s."


@pytest.mark.parametrize(
    ("day", "canaries", "hold", "lag"),
    [
        (
            lambda: answering(1, left()),
            (1, False, CANARIES.format("1 canary")),
            (0.5, False, "open for 0 s; it is held for at least 7 s."),
            (0, True, BEHIND.format(0)),
        ),
        (
            left,
            (0, False, CANARIES.format("0 canaries")),
            (0.0, False, "open for 0 s; it is held for at least 7 s."),
            (None, False, UNKNOWN),
        ),
        (
            behind,
            (20, True, CANARIES.format("20 canaries")),
            (10.0, True, "open for 10 s; it is held for at least 7 s."),
            (9500, False, BEHIND.format(9.5)),
        ),
        (
            tried,
            (15, True, CANARIES.format("15 canaries")),
            (0.5, True, "half-open for 0 s; the latest hold was 7 s."),
            (0, True, BEHIND.format(0)),
        ),
        (
            lambda: back(20),
            (37, True, f"{CANARIES.format('37 canaries')} {IDLE}"),
            (10.0, True, f"closed for 10 s; the latest hold was 7 s. {IDLE}"),
            (0, True, f"{BEHIND.format(0)} {IDLE}"),
        ),
        (
            all_left,
            (0, False, CANARIES.format("0 canaries")),
            (1.0, False, "open for 1 s; it is held for at least 7 s."),
            (
                None,
                True,
                "no other region takes traffic, so there is nothing newer that results could run back from.",
            ),
        ),
        (
            lambda: left(Post(CONFIG, REGIONS[:1])),
            (0, False, CANARIES.format("0 canaries")),
            (0.0, False, "open for 0 s; it is held for at least 7 s."),
            (None, True, "there is no other region to lag behind."),
        ),
    ],
    ids=[
        "it answers again",
        "it was left",
        "held long enough, and behind",
        "being tried again",
        "back",
        "all regions were left",
        "the only region",
    ],
)
def test_what_failback_waits_for_is_told_condition_by_condition(
    day: Callable[[], Post],
    canaries: tuple[int, bool, str],
    hold: tuple[float, bool, str],
    lag: tuple[float | None, bool, str],
) -> None:
    told = zip((3, 7.0, 1500.0), (canaries, hold, lag), strict=True)
    assert read(day(), "failback-canaries", "failback-hold", "failback-lag") == [
        (value, limit, holds, f"us-east-1: {words}") for limit, (value, holds, words) in told
    ]


@pytest.mark.parametrize(
    ("day", "trials", "disputed"),
    [
        (left, (None, False, "no trials, its circuit is open."), False),
        (
            tried,
            (2, False, "2 live trials passed; 5 close the circuit, or 3 canaries (1 passed)."),
            False,
        ),
        (
            tried_by_traffic_alone,
            (
                1,
                False,
                "1 live trial passed; 5 close the circuit, canaries alone cannot: live traffic failed while they "
                "passed.",
            ),
            True,
        ),
        (
            tried_enough_and_behind,
            (
                5,
                True,
                "5 live trials passed; 5 close the circuit, canaries alone cannot: live traffic failed while they "
                "passed.",
            ),
            True,
        ),
        (lambda: back(0), (None, False, "no trials, its circuit is closed."), False),
    ],
    ids=[
        "it was left",
        "being tried again",
        "being tried again by live traffic alone",
        "tried enough, and behind",
        "back",
    ],
)
def test_what_closes_the_circuit_is_told_while_the_region_is_tried(
    day: Callable[[], Post], trials: tuple[int | None, bool, str], disputed: bool
) -> None:
    passed, enough, words = trials
    live = (
        "live traffic fails while canaries pass, so canaries alone close nothing."
        if disputed
        else "live traffic does not contradict the canaries."
    )
    assert read(day(), "trials", "disputed") == [
        (passed, 5, enough, f"us-east-1: {words}"),
        (None, None, disputed, f"us-east-1: {live}"),
    ]


def test_how_often_it_was_left_is_told_beside_what_counts_as_flapping() -> None:
    post = back(0)
    for times, words in ((1, "1 time"), (2, "2 times")):
        assert read(post, "flapping") == [
            (
                times,
                4,
                False,
                f"us-east-1: it went from closed to open {words} within 400 s; from 4 on it is held for 150 s.",
            )
        ]
        left(post)


@pytest.mark.parametrize(
    ("latest", "value", "quick", "words"),
    [
        (canary(12), 12, True, "its latest canary took 12 ms, and may take 200 ms."),
        (canary(900), 900, False, "its latest canary took 900 ms, and may take 200 ms."),
        (failing(), None, False, "its latest canary brought no answer that took at most 200 ms."),
    ],
    ids=["quick again", "still slow", "it does not even answer"],
)
def test_whether_a_region_that_was_too_slow_is_quick_again_is_told(
    latest: Canary, value: int | None, quick: bool, words: str
) -> None:
    day = slowed()
    day.canaries[EAST] = latest
    day.step()
    assert read(day, "failback-pace") == [(value, 200, quick, f"us-east-1: it was too slow; {words}")]
