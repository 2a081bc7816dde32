"""How a region that was left for being slow comes back."""

from __future__ import annotations

import pytest

from failover.core.events import EventKind
from failover.core.signals.breaker import CircuitState
from tests.failover.core.signals.days import canary, slowed
from tests.simulation.support import CONFIG, EAST

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def test_what_a_region_does_while_it_is_left_does_not_become_usual() -> None:
    day = slowed()
    day.canaries[EAST] = canary(900)
    day.lives(600, 900)
    assert day.state(EAST) is OPEN
    assert day.watch.facts(day.now)[EAST].slowness.pace.usual_p99_ms == pytest.approx(10, abs=1)


def test_a_region_that_was_too_slow_stays_open_while_its_canaries_are_slow() -> None:
    day = slowed()
    day.canaries[EAST] = canary(900)
    day.step(600)
    assert day.state(EAST) is OPEN
    assert not day.row("disputed")["met"], "no traffic says so any more"
    assert day.watch.status(day.now, day.wall, [])["regions"][0]["state"] == "degraded"
    assert not day.row("failback-pace")["met"]
    assert "waits for quick answers" in day.watch.status(day.now, day.wall, [])["summary"]


def test_a_slow_trial_sends_a_region_that_was_too_slow_back_and_quick_ones_close_it() -> None:
    day = slowed()
    day.until(EAST, HALF_OPEN)
    day.answer(EAST, 900, 3, trial=True)
    (opened,) = day.step()
    assert (opened.kind, opened.reason) == (
        EventKind.CIRCUIT_OPENED,
        "3 live trials took longer than 200 ms; held for at least 10 s",
    )
    day.until(EAST, HALF_OPEN)
    day.step(10)
    assert day.state(EAST) is HALF_OPEN, "its canaries were quick all the time: they alone close nothing"
    day.answer(EAST, 9, 3, trial=True)
    day.step()
    assert day.state(EAST) is CLOSED
    assert day.row("failback-pace")["text"].endswith("it was not left for being slow.")


def test_slow_canaries_do_not_close_a_region_that_was_too_slow_however_long_there_is_no_traffic() -> None:
    day = slowed()
    day.until(EAST, HALF_OPEN)
    day.canaries[EAST] = canary(900)
    day.step(2 * 130)
    assert day.state(EAST) is HALF_OPEN
    day.canaries[EAST] = canary(1)
    day.step()
    assert day.state(EAST) is CLOSED


def test_one_slow_trial_among_quick_ones_neither_opens_nor_closes() -> None:
    day = slowed()
    day.until(EAST, HALF_OPEN)
    day.answer(EAST, 9, 2, trial=True)
    day.answer(EAST, 900, 1, trial=True)
    day.step(10)
    assert day.state(EAST) is HALF_OPEN
    day.answer(EAST, 9, 1, trial=True)
    day.step()
    assert day.state(EAST) is CLOSED


def test_stragglers_that_answer_late_while_a_slow_region_is_left_do_not_keep_it_away() -> None:
    day = slowed()
    began = day.now
    day.canaries[EAST] = canary(900)
    day.step(200)
    day.answer(EAST, 900)
    day.canaries[EAST] = canary(8)
    day.until(EAST, CLOSED)
    assert day.now - began < CONFIG.error_window_s + 5


def test_one_slow_trial_is_enough_that_canaries_alone_do_not_close_the_circuit() -> None:
    day = slowed()
    day.canaries[EAST] = canary(900)
    day.step(2 * round(CONFIG.error_window_s) + 1)
    day.canaries[EAST] = canary(8)
    day.until(EAST, HALF_OPEN)
    day.answer(EAST, 900, 1, trial=True)
    day.step(20)
    assert day.state(EAST) is HALF_OPEN


@pytest.mark.parametrize(("ms", "state"), [(200, CLOSED), (250, OPEN)], ids=["just quick enough", "just too slow"])
def test_trials_in_a_region_that_was_slow_are_held_against_the_limit_that_it_broke(
    ms: float, state: CircuitState
) -> None:
    day = slowed()
    day.canaries[EAST] = canary(8)
    day.until(EAST, HALF_OPEN)
    for _ in range(CONFIG.trials_to_close):
        day.answer(EAST, ms, 1, trial=True)
    day.step()
    assert day.state(EAST) is state
    if state is OPEN:
        assert "3 live trials took longer than 200 ms" in day.events[-1].reason
