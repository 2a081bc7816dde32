"""The failure of a pooled connection counts at once, and is taken back when a newer connection is answered soon."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.config import RouterConfig
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.exchange.reports import RegionReport
from failover.core.ports import Success
from failover.core.routing.region_slots import RegionSlot, Ticket
from failover.core.signals.breaker import CircuitState
from failover.core.signals.error_rate import over_threshold

CONFIG = RouterConfig(share=16)
"""Held for longer than what is soon, and no attempt is shortened."""
WELL = Success("a value")
FRESH = Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, "no reply in time", TimeoutError())
POOLED = replace(FRESH, pooled=True)
TURN_S = CONFIG.contradict_s


def admitted(slot: RegionSlot, now: float) -> Ticket:
    return slot.admit(None, now) or slot.last_resort(now)


def meets(slot: RegionSlot, result: Success[str] | Failure, now: float) -> None:
    """One call from its beginning to its end."""
    ticket = admitted(slot, now)
    slot.count(result, 1.0, shortened=ticket.shortened)
    slot.settle(ticket, result, now)


def rate(report: RegionReport) -> float:
    return report.error_rate


def failures(number: int, result: Failure = POOLED, at: float = 100.0) -> tuple[RegionSlot, list[Ticket]]:
    """A slot where so many calls failed at once; and tickets of as many that began before that and still wait."""
    slot = RegionSlot(CONFIG)
    tickets = [admitted(slot, at) for _ in range(number)]
    waiting = [admitted(slot, at) for _ in range(number)]
    for ticket in tickets:
        slot.count(result, 1000.0, shortened=ticket.shortened)
        slot.settle(ticket, result, at)
    return slot, waiting


def test_it_counts_at_once_as_any_failure_does() -> None:
    (pooled, _), (fresh, _) = failures(3), failures(3, FRESH)

    assert pooled.circuit == fresh.circuit
    assert pooled.circuit.state is CircuitState.OPEN
    assert rate(pooled.report(100.0)) == rate(fresh.report(100.0)) == 1.0


@pytest.mark.parametrize(
    ("result", "after_s", "is_newer", "taken_back"),
    [
        pytest.param(POOLED, 0.1, True, True, id="a newer answer, soon"),
        pytest.param(POOLED, TURN_S, True, True, id="as late as may be"),
        pytest.param(POOLED, TURN_S + 0.1, True, False, id="too late"),
        pytest.param(POOLED, 0.1, False, False, id="of a call that began before: over a connection that may be as old"),
        pytest.param(FRESH, 0.1, True, False, id="of a new connection that failed"),
    ],
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_an_answer_takes_back(
    number: int, result: Failure, after_s: float, is_newer: bool, taken_back: bool
) -> None:
    slot, waiting = failures(number, result)
    now = 100.0 + after_s
    ticket = admitted(slot, now) if is_newer else waiting[0]
    slot.count(WELL, 1.0)
    slot.settle(ticket, WELL, now)

    report = slot.report(now)
    assert (rate(report) == 0.0) is taken_back
    assert report.failed == number, "what was counted stays counted: counters never go back"
    if number == CONFIG.failures_to_open:
        assert (slot.circuit.state is CircuitState.CLOSED) is taken_back
        assert report.retracted == taken_back
        assert report.openings == 1


def test_an_opening_that_was_taken_back_is_no_opening_for_the_next_hold() -> None:
    slot, _ = failures(3)
    meets(slot, WELL, 100.5)
    before = slot.circuit
    for _ in range(3):
        meets(slot, FRESH, 101.0)

    assert (before.state, before.openings, before.relapses) == (CircuitState.CLOSED, 0, ())
    assert (slot.circuit.state, slot.circuit.wait_s) == (CircuitState.OPEN, CONFIG.hold_s)
    assert slot.report(101.0).openings == 2


def test_what_began_before_an_opening_was_taken_back_decides_nothing_after_it() -> None:
    slot, waiting = failures(3)
    meets(slot, WELL, 100.5)
    for ticket in waiting:
        slot.settle(ticket, POOLED, 100.6)

    assert slot.circuit.state is CircuitState.CLOSED


def test_a_new_connection_that_fails_confirms_the_pooled_ones() -> None:
    slot, _ = failures(2)
    meets(slot, FRESH, 100.1)
    assert slot.circuit.state is CircuitState.OPEN

    meets(slot, WELL, 100.2)

    assert slot.circuit.state is CircuitState.OPEN
    assert rate(slot.report(100.2)) == 3 / 4


def test_a_half_open_trial_that_fails_is_never_taken_back() -> None:
    slot, _ = failures(3, FRESH)
    later = 100.0 + CONFIG.hold_s
    trial = admitted(slot, later)
    assert trial.trial
    slot.settle(trial, POOLED, later)

    meets(slot, WELL, later + 0.1)

    assert slot.circuit.state is CircuitState.OPEN


def opens(slot: RegionSlot, results: object, calls: int, every_s: float) -> bool:
    """Whether the circuit opens, by failures in a row or by the error rate of two minutes, within so many calls."""
    seen, now = [], 100.0
    for result, _ in zip(results, range(calls), strict=False):
        meets(slot, result, now)
        seen.append((now, slot.report(now)))
        if slot.circuit.state is not CircuitState.CLOSED:
            return True
        old = next((report for at, report in seen if now - at <= CONFIG.error_window_s), None)
        assert old is not None
        first = RegionReport() if old is seen[0][1] else old
        if over_threshold(seen[-1][1] - first, CONFIG):
            return True
        now += every_s
    return False


@pytest.mark.parametrize("every_s", [0.01, 0.1, 1.0, 2.0])
def test_a_region_that_hangs_each_pooled_call_and_answers_each_new_connection_is_found_out(every_s: float) -> None:
    assert opens(RegionSlot(CONFIG), cycle([POOLED, WELL]), 300, every_s)


@given(st.lists(st.booleans(), min_size=300, max_size=300), st.sampled_from([0.05, 0.5, 1.5]))
def test_whichever_half_of_its_calls_a_region_hangs_it_is_found_out(first: list[bool], every_s: float) -> None:
    # Of each two calls one hangs; after a hang the pool is empty, so a hang right after one is of a new connection.
    plan = [hangs for one in first for hangs in (one, not one)]
    results = [WELL if not hangs else FRESH if plan[at - 1] else POOLED for at, hangs in enumerate(plan)]

    assert opens(RegionSlot(CONFIG), results, len(results), every_s)


def test_a_pool_that_dies_once_in_two_minutes_never_opens_a_circuit_of_single_calls() -> None:
    calls = ([POOLED] + [WELL] * 130) * 5

    assert not opens(RegionSlot(CONFIG), calls, len(calls), 1.0)
