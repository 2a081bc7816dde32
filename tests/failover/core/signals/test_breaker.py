"""A circuit's transitions, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.signals.breaker import (
    Circuit,
    CircuitState,
    closed,
    half_opened,
    on_failure,
    on_success,
    opened,
    worse,
)
from tests.simulation.support import CONFIG

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def open_at(now: float, circuit: Circuit | None = None) -> Circuit:
    return opened(circuit or Circuit(), config=CONFIG, now=now, reason="why")


def relapsed(times: int, *, every: float) -> Circuit:
    """A circuit that has just opened for the `times`th time since second 0, having been closed in between."""
    circuit = Circuit()
    for number in range(times):
        circuit = open_at(number * every, circuit)
        if number < times - 1:
            circuit = closed(half_opened(circuit, now=number * every), now=number * every)
    return circuit


def test_every_transition_begins_a_turn_that_there_never_was() -> None:
    circuit, turns = Circuit(), [0]
    for now in range(4):
        shut = open_at(now, circuit)
        tried = half_opened(shut, now=now)
        circuit = closed(tried, now=now)
        turns += [shut.turns, tried.turns, circuit.turns]
    assert turns == list(range(13))


def test_an_open_circuit_that_is_opened_again_stays_as_it_is() -> None:
    circuit = open_at(1.0)
    assert open_at(2.0, circuit) is circuit


@pytest.mark.parametrize(
    ("openings", "every", "wait_s"),
    [
        (CONFIG.flap_openings, 100.0, CONFIG.flap_hold_s),
        (CONFIG.flap_openings - 1, 100.0, CONFIG.hold_s),
        (CONFIG.flap_openings, CONFIG.flap_window_s / (CONFIG.flap_openings - 1), CONFIG.hold_s),
    ],
    ids=["within the window", "one fewer", "the first is exactly a window ago"],
)
def test_flapping_is_so_many_openings_within_the_window(openings: int, every: float, wait_s: float) -> None:
    circuit = relapsed(openings, every=every)
    assert circuit.wait_s == wait_s
    assert ("held longer" in circuit.reason) == (wait_s == CONFIG.flap_hold_s)


def test_openings_from_half_open_are_no_relapses() -> None:
    circuit = Circuit()
    for now in range(20):
        circuit = half_opened(open_at(now, circuit), now=now)
    assert circuit.relapses == (0,)


def test_failures_that_are_no_trial_neither_open_half_open_nor_add_a_reason() -> None:
    circuit = half_opened(open_at(0.0), now=5.0)
    for now in range(6, 12):
        circuit = on_failure(circuit, config=CONFIG, now=now, reason="late")
    assert (circuit.state, circuit.since) == (HALF_OPEN, 5.0)


def test_only_trials_close_half_open() -> None:
    circuit = half_opened(open_at(0.0), now=5.0)
    for now in range(6, 12):
        circuit = on_success(circuit, config=CONFIG, now=now)
    assert circuit.state is HALF_OPEN
    for now in range(CONFIG.trials_to_close):
        assert circuit.state is HALF_OPEN
        circuit = on_success(circuit, config=CONFIG, now=20 + now, trial=True)
    assert (circuit.state, circuit.failures) == (CLOSED, 0)


def test_trials_of_an_earlier_half_open_do_not_count_in_the_next() -> None:
    circuit = half_opened(open_at(0.0), now=5.0)
    for _ in range(CONFIG.trials_to_close - 1):
        circuit = on_success(circuit, config=CONFIG, now=6.0, trial=True)
    circuit = half_opened(on_failure(circuit, config=CONFIG, now=7.0, reason="again", trial=True), now=20.0)
    assert on_success(circuit, config=CONFIG, now=21.0, trial=True).state is HALF_OPEN


@pytest.mark.parametrize(
    ("one", "other", "worst"), [(CLOSED, HALF_OPEN, HALF_OPEN), (OPEN, HALF_OPEN, OPEN), (CLOSED, OPEN, OPEN)]
)
def test_the_worse_of_two_lets_less_through(one: CircuitState, other: CircuitState, worst: CircuitState) -> None:
    assert worse(one, other) is worse(other, one) is worst


def test_a_circuit_that_closes_begins_afresh_but_for_its_wait() -> None:
    circuit = replace(half_opened(open_at(1.0), now=6.0), failures=2)
    shut = closed(circuit, now=9.0)
    assert (shut.state, shut.since, shut.failures, shut.reason) == (CLOSED, 9.0, 0, "")
    assert shut.wait_s == CONFIG.hold_s


def test_the_row_of_failures_that_opened_a_circuit_is_over_when_it_is_tried_again() -> None:
    assert half_opened(replace(open_at(1.0), failures=3), now=6.0).failures == 0


def test_a_passed_trial_ends_the_row_of_failures_also_when_it_does_not_close_the_circuit() -> None:
    circuit = replace(half_opened(open_at(1.0), now=6.0), failures=2)
    passed = on_success(circuit, config=CONFIG, now=7.0, trial=True)
    assert (passed.state, passed.failures) == (HALF_OPEN, 0)


def test_a_trial_that_ends_after_its_half_open_says_nothing_about_what_came_then() -> None:
    for circuit in (Circuit(), open_at(1.0)):
        for now in range(2, 6):
            circuit = on_success(circuit, config=CONFIG, now=now, trial=True)
            assert circuit.trials_passed == 0
    assert circuit.state is OPEN


def test_however_long_a_circuit_is_half_open_its_wait_doubles_when_its_trial_fails() -> None:
    circuit = half_opened(open_at(0.0), now=CONFIG.hold_s)
    late = CONFIG.hold_s + 2 * CONFIG.hold_cap_s
    assert on_failure(circuit, config=CONFIG, now=late, reason="no", trial=True).wait_s == 2 * CONFIG.hold_s


def test_an_opening_that_is_exactly_a_window_ago_counts_no_more() -> None:
    circuit = open_at(0.0)
    assert [circuit.flaps(CONFIG.flap_window_s - second, CONFIG) for second in (1, 0)] == [1, 0]
