"""One worker's dealings with one region: who is let through, and what is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from failover.core.breaker import CircuitState
from failover.core.config import RouterConfig
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.interfaces import Success
from failover.core.lanes import Lane, Ticket
from tests.core.support import CONFIG

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
WELL = Success("a value")


def failed(detail: str = "") -> Failure:
    return Failure(ErrorClass.NOT_SENT, Outcome.DNS, detail, RuntimeError())


def admitted(lane: Lane, host: CircuitState | None = None, now: float = 0.0) -> Ticket:
    ticket = lane.admit(host, now)
    assert ticket is not None
    return ticket


def hedged(lane: Lane) -> Ticket:
    ticket = lane.rival(None, 0.0)
    assert ticket is not None
    lane.hedged()
    return ticket


def own_half_open() -> Lane:
    """A lane whose own circuit opened at second 0 and is half-open by second `hold_s`."""
    lane = Lane(CONFIG)
    for _ in range(CONFIG.failures_to_open):
        lane.settle(admitted(lane), failed("no address"), 0.0)
    assert lane.state(None, CONFIG.hold_s) is HALF_OPEN
    return lane


@pytest.mark.parametrize(
    "leave",
    [admitted, lambda lane: admitted(lane, HALF_OPEN), Lane.last_resort, hedged],
    ids=["an ordinary call", "a trial", "a last resort", "a hedge"],
)
def test_whoever_is_under_way_takes_one_place_of_the_share_and_gives_it_back(leave: Callable[[Lane], Ticket]) -> None:
    lane = Lane(RouterConfig(share=1))
    for _ in range(3):
        one = leave(lane)
        assert not one.crowded
        other = admitted(lane)
        assert other.crowded
        lane.settle(one, None, 0.0)
        lane.settle(other, None, 0.0)


def test_a_trial_keeps_its_place_until_it_has_ended_itself() -> None:
    lane = Lane(CONFIG)
    trial = admitted(lane, HALF_OPEN)
    lane.settle(lane.last_resort(), WELL, 0.0)
    assert lane.admit(HALF_OPEN, 0.0) is None
    lane.settle(trial, WELL, 0.0)
    assert admitted(lane, HALF_OPEN).trial


def test_trials_may_take_their_time_to_close_a_circuit() -> None:
    lane = own_half_open()
    for number in range(1, CONFIG.trials_to_close + 1):
        now = number * 10 * CONFIG.hold_s
        assert lane.state(None, now) is HALF_OPEN
        lane.settle(admitted(lane, None, now), WELL, now)
    assert lane.circuit.state is CLOSED


def test_a_host_that_says_open_counts_more_than_an_own_half_open_circuit() -> None:
    lane = own_half_open()
    assert [lane.state(host, CONFIG.hold_s) for host in (OPEN, HALF_OPEN, CLOSED)] == [OPEN, HALF_OPEN, HALF_OPEN]
    assert lane.admit(OPEN, CONFIG.hold_s) is None


def test_the_times_of_answers_are_summed_up_and_those_of_failures_are_not() -> None:
    lane = Lane(CONFIG)
    assert lane.report().latency_ms == 0.0
    lane.count(WELL, 5.0)
    lane.count(failed(), 100.0)
    lane.count(WELL, 7.5)
    assert lane.report().latency_ms == 12.5


@pytest.mark.parametrize(("detail", "words"), [("", ": dns"), ("no address", ": dns (no address)")])
def test_what_opened_a_circuit_last_is_told_until_something_else_does(detail: str, words: str) -> None:
    lane = Lane(CONFIG)
    for _ in range(CONFIG.failures_to_open):
        lane.settle(admitted(lane), failed(detail), 0.0)
    now = CONFIG.hold_s
    for _ in range(CONFIG.trials_to_close):
        lane.settle(admitted(lane, None, now), WELL, now)
    lane.settle(admitted(lane, None, now), failed("of no weight"), now)
    report = lane.report()
    assert report.circuit is CLOSED
    assert report.last_reason.endswith(words)
