"""One worker's dealings with one region: who is let through, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from failover.core.counters import LATENCY_BOUNDS_MS
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.ports import Success
from failover.core.routing.region_slots import RegionSlot, Ticket
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import CONFIG

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
WELL = Success("a value")


def failed(detail: str = "") -> Failure:
    return Failure(ErrorClass.NOT_SENT, Outcome.DNS, detail, RuntimeError())


def failed_by(error_class: ErrorClass) -> Failure:
    return Failure(error_class, Outcome.SERVER_ERROR, "", RuntimeError())


def admitted(slot: RegionSlot, host: CircuitState | None = None, now: float = 0.0) -> Ticket:
    ticket = slot.admit(host, now)
    assert ticket is not None
    return ticket


def own_half_open() -> RegionSlot:
    """A slot whose own circuit opened at second 0 and is half-open by second `hold_s`."""
    slot = RegionSlot(CONFIG)
    for _ in range(CONFIG.failures_to_open):
        slot.settle(admitted(slot), failed("no address"), 0.0)
    assert slot.state(None, CONFIG.hold_s) is HALF_OPEN
    return slot


@pytest.mark.parametrize(
    "leave",
    [admitted, lambda slot: admitted(slot, HALF_OPEN), lambda slot: slot.last_resort(0.0)],
    ids=["an ordinary call", "a trial", "a last resort"],
)
def test_whoever_is_under_way_takes_one_place_of_the_share_and_gives_it_back(
    leave: Callable[[RegionSlot], Ticket],
) -> None:
    slot = RegionSlot(replace(CONFIG, share=1))
    for _ in range(3):
        one = leave(slot)
        assert one.patience_s == float("inf")
        other = admitted(slot)
        assert other.patience_s == CONFIG.congested_s
        slot.settle(one, None, 0.0)
        slot.settle(other, None, 0.0)


def test_how_long_who_comes_to_a_crowd_waits_follows_what_answers_take_there_up_to_three_quarters_of_an_attempt() -> (
    None
):
    slot = RegionSlot(replace(CONFIG, share=1, attempt_timeout_s=2.0, congested_s=0.3, slow_factor=3.0))
    admitted(slot)

    def patience_after(*answers_ms: float) -> float:
        for ms in answers_ms:
            slot.count(WELL, ms)
        congested = admitted(slot)
        slot.settle(congested, None, 0.0)
        return congested.patience_s

    assert patience_after() == 0.3, "nothing is known"
    assert patience_after(10.0) == 0.3, "quick answers leave a margin"
    assert patience_after(*[200.0] * 200) == pytest.approx(0.6, abs=0.01)
    assert patience_after(*[5000.0] * 200) == 1.5


def test_one_late_answer_moves_what_is_usual_by_a_twentieth_and_the_first_one_says_it_alone() -> None:
    slot = RegionSlot(replace(CONFIG, share=1, attempt_timeout_s=4.0, congested_s=0.3, slow_factor=3.0))
    admitted(slot)
    for ms, patience_s in ((200.0, 0.6), (1000.0, 0.72), (240.0, 0.72)):
        slot.count(WELL, ms)
        congested = admitted(slot)
        assert congested.patience_s == pytest.approx(patience_s)
        slot.settle(congested, None, 0.0)


def test_of_a_crowd_that_nobody_answers_no_more_is_made() -> None:
    slot = RegionSlot(replace(CONFIG, share=1, congested_s=0.25))
    first = admitted(slot, now=100.0)
    congested = [admitted(slot, now=now) for now in (100.0, 100.125, 100.25, 101.0)]
    assert [one.patience_s for one in congested] == [0.25, 0.25, 0.0, 0.0]
    slot.settle(congested.pop(), failed_by(ErrorClass.UNKNOWN), 101.0)
    assert admitted(slot, now=101.0).patience_s == 0.0, "who was cut off is no sign of life"
    for number, alive in enumerate((WELL, failed_by(ErrorClass.REFUSED), failed_by(ErrorClass.CALLER))):
        slot.settle(congested.pop(), alive, 102.0 + number)
        assert admitted(slot, now=102.2 + number).patience_s == 0.25
    assert first.patience_s == float("inf")


def test_who_failed_there_in_a_row_takes_places_of_the_crowd_but_never_the_last_one() -> None:
    slot = RegionSlot(replace(CONFIG, share=3, failures_to_open=5))
    for failures, places in enumerate((3, 2, 1, 1, 1)):
        calls = [admitted(slot) for _ in range(4)]
        assert sum(one.patience_s == float("inf") for one in calls) == places, f"after {failures} failures"
        for one in calls[1:]:
            slot.settle(one, None, 0.0)
        slot.settle(calls[0], failed_by(ErrorClass.UNKNOWN), 0.0)
    assert slot.circuit.state is OPEN


def test_who_comes_to_a_crowd_judges_the_circuit_as_it_is_by_then() -> None:
    slot, now = own_half_open(), CONFIG.hold_s
    for _ in range(CONFIG.trials_to_close):
        slot.settle(admitted(slot, None, now), WELL, now)
    for _ in range(CONFIG.share):
        admitted(slot, None, now)
    congested = admitted(slot, None, now)
    assert congested.patience_s == CONFIG.congested_s
    assert not congested.trial
    slot.settle(congested, failed(), now)
    assert slot.report(0.0).consecutive_failures == 1


def test_a_region_that_nobody_asked_for_long_has_not_been_quiet() -> None:
    slot = RegionSlot(replace(CONFIG, share=1, congested_s=0.3))
    slot.settle(admitted(slot, now=100.0), WELL, 100.0)
    admitted(slot, now=200.0)
    assert admitted(slot, now=200.1).patience_s == 0.3


def test_a_trial_waits_for_a_whole_attempt_whoever_waits_there() -> None:
    slot = RegionSlot(replace(CONFIG, share=1))
    for _ in range(3):
        slot.last_resort(0.0)
    assert admitted(slot, HALF_OPEN, 9.0).patience_s == float("inf")


def test_a_trial_keeps_its_place_until_it_has_ended_itself() -> None:
    slot = RegionSlot(CONFIG)
    trial = admitted(slot, HALF_OPEN)
    slot.settle(slot.last_resort(0.0), WELL, 0.0)
    assert slot.admit(HALF_OPEN, 0.0) is None
    slot.settle(trial, WELL, 0.0)
    assert admitted(slot, HALF_OPEN).trial


def test_trials_may_take_their_time_to_close_a_circuit() -> None:
    slot = own_half_open()
    for number in range(1, CONFIG.trials_to_close + 1):
        now = number * 10 * CONFIG.hold_s
        assert slot.state(None, now) is HALF_OPEN
        slot.settle(admitted(slot, None, now), WELL, now)
    assert slot.circuit.state is CLOSED


def test_a_host_that_says_open_counts_more_than_an_own_half_open_circuit() -> None:
    slot = own_half_open()
    assert [slot.state(host, CONFIG.hold_s) for host in (OPEN, HALF_OPEN, CLOSED)] == [OPEN, HALF_OPEN, HALF_OPEN]
    assert slot.admit(OPEN, CONFIG.hold_s) is None


def test_the_times_of_answers_are_summed_up_and_those_of_failures_are_not() -> None:
    slot = RegionSlot(CONFIG)
    assert slot.report(0.0).latency_ms == 0.0
    slot.count(WELL, 5.0)
    slot.count(failed(), 100.0)
    slot.count(WELL, 7.5)
    assert slot.report(0.0).latency_ms == 12.5


@pytest.mark.parametrize(("detail", "words"), [("", ": dns"), ("no address", ": dns (no address)")])
def test_what_opened_a_circuit_last_is_told_until_something_else_does(detail: str, words: str) -> None:
    slot = RegionSlot(CONFIG)
    assert slot.report(0.0).last_reason == ""
    for _ in range(CONFIG.failures_to_open):
        slot.settle(admitted(slot), failed(detail), 0.0)
    now = CONFIG.hold_s
    for _ in range(CONFIG.trials_to_close):
        slot.settle(admitted(slot, None, now), WELL, now)
    slot.settle(admitted(slot, None, now), failed("of no weight"), now)
    report = slot.report(0.0)
    assert report.circuit is CLOSED
    assert report.last_reason.endswith(words)


def test_the_error_rate_is_that_of_calls_which_may_wait_for_a_whole_attempt() -> None:
    slot = RegionSlot(replace(CONFIG, share=1))
    slot.count(WELL, 5.0)
    slot.count(WELL, 5.0, shortened=True)
    slot.count(failed(), 5.0, shortened=True)
    slot.count(replace(failed_by(ErrorClass.UNKNOWN), shortened=True), 300.0, shortened=True)
    report = slot.report(0.0)
    assert (report.requests, report.ok, report.failed) == (4, 2, 1)
    assert (report.unweighed, report.unweighed_failed) == (3, 1)


def test_who_waits_for_a_moment_takes_no_place_of_those_who_wait_for_a_whole_attempt() -> None:
    slot = RegionSlot(replace(CONFIG, share=1))
    first, shortened = admitted(slot), admitted(slot)
    assert (first.shortened, shortened.shortened) == (False, True)
    slot.settle(first, WELL, 0.0)
    assert not admitted(slot).shortened, "though another call is under way"


def test_what_opened_a_flapping_circuit_is_handed_on_without_what_is_said_of_its_hold() -> None:
    slot = RegionSlot(replace(CONFIG, failures_to_open=1, flap_openings=1))
    slot.settle(admitted(slot), failed("no address"), 0.0)
    assert slot.circuit.reason.endswith("so it is held longer")
    assert slot.report(0.0).last_reason == "1 failures in a row: dns (no address)"


@pytest.mark.parametrize("ms", [0.0, 1.0, 1.1, 3000.0, 3000.1])
def test_a_time_belongs_to_the_first_bucket_whose_bound_is_not_below_it(ms: float) -> None:
    slot = RegionSlot(CONFIG)
    slot.count(WELL, ms)
    latency = slot.report(0.0).latency
    bucket = latency.index(1)
    assert sum(latency) == 1
    assert bucket == len(LATENCY_BOUNDS_MS) or ms <= LATENCY_BOUNDS_MS[bucket]
    assert bucket == 0 or ms > LATENCY_BOUNDS_MS[bucket - 1]
