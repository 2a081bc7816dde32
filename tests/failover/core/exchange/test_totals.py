"""A host's totals never go back: a worker's counters are kept when it is gone, and counted once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.counters import RegionCounters
from failover.core.errors import ErrorClass, Outcome
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.exchange.reports import WorkerReport
from failover.core.exchange.totals import (
    NAMES_KEPT,
    HostCounters,
    Totals,
    counted,
    folded,
    totals_from_json,
    totals_to_json,
    with_canary,
    with_event,
)
from failover.core.fakes import answers, fails
from failover.core.signals.health import Canary, Layer
from tests.simulation.support import EAST, WEST, Bench, where


def worked(calls: int) -> WorkerReport:
    """A real worker's report: its first call fails over, the others are answered at once."""
    bench = Bench()
    bench.runner.plays(EAST, fails(ErrorClass.NOT_SENT), answers(seconds=0.5))
    for _ in range(calls):
        bench.router.call(where, idempotent=True)
    return bench.router.report()


ONE, TWO = worked(3), worked(5)


def test_living_and_gone_workers_add_up_field_by_field() -> None:
    totals = folded(Totals(), {"a": ONE})

    sum_ = counted(totals, {"b": TWO})

    assert (sum_.calls, sum_.answered, sum_.failed_over) == (8, 8, 2)
    east, west = sum_.regions[EAST], sum_.regions[WEST]
    assert (east.requests, east.ok, east.failed) == (8, 6, 2)
    assert east.by_outcome(Outcome.DNS) + east.by_outcome(Outcome.CONNECT) == 2
    assert (sum(east.latency), sum(west.latency)) == (6, 2)
    assert east.latency_ms == pytest.approx(ONE.regions[EAST].latency_ms + TWO.regions[EAST].latency_ms)
    assert east.latency_ms >= 1000  # two of its answers took half a second each


def test_workers_that_met_nothing_add_nothing() -> None:
    idle = Bench(EAST).router.report()

    sum_ = counted(folded(Totals(), {"a": idle}), {"b": idle})

    assert sum_ == HostCounters({EAST: RegionCounters()})


def test_a_report_that_outlived_its_worker_is_not_counted_twice() -> None:
    totals = folded(Totals(), {"a": ONE})

    assert counted(totals, {"a": ONE}).calls == 3
    assert folded(totals, {"a": ONE}) == totals


def test_what_a_reader_sees_is_the_same_before_during_and_after_a_worker_is_folded() -> None:
    """It reads the reports first, then the totals; the monitor writes the totals first, then removes the report."""
    before, after = Totals(), folded(Totals(), {"a": ONE})

    seen = [counted(before, {"a": ONE}), counted(after, {"a": ONE}), counted(after, {})]

    assert {one.calls for one in seen} == {3}


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_no_order_of_calls_and_deaths_makes_a_total_go_back(steps: list[tuple[int, bool]]) -> None:
    totals, alive, made, last = Totals(), dict.fromkeys(range(4), 0), 0, 0
    generation = dict.fromkeys(range(4), 0)

    def report(calls: int) -> WorkerReport:
        return WorkerReport(0.0, 0.0, {}, answered=calls)

    for slot, dies in steps:
        if dies:
            totals = folded(totals, {f"{slot}-{generation[slot]}": report(alive[slot])})
            generation[slot] += 1
            alive[slot] = 0
        else:
            alive[slot] += 1
            made += 1
        now = counted(totals, {f"{one}-{generation[one]}": report(calls) for one, calls in alive.items()}).calls
        assert now >= last
        last = now
    assert last in (0, made)


def test_the_names_of_the_gone_are_bounded_and_the_latest_stay() -> None:
    totals = Totals()
    for number in range(NAMES_KEPT + 10):
        totals = folded(totals, {str(number): ONE})

    assert len(totals.names) == NAMES_KEPT
    assert totals.names[-1] == str(NAMES_KEPT + 9)
    assert totals.gone.calls == 3 * (NAMES_KEPT + 10)


def test_a_canary_is_counted_by_layer_and_what_it_did_not_reach_is_not() -> None:
    broken = Canary(dns=Layer(True, 1.0), connect=Layer(False, 2.0, "refused", ErrorClass.NOT_SENT))
    totals = with_canary(with_canary(Totals(), EAST, broken), EAST, broken)

    assert dict(totals.canaries) == {(EAST, "dns", "passed"): 2, (EAST, "connect", "failed"): 2}


def test_events_are_counted_by_what_they_say() -> None:
    event = Event("1", 1.0, EventKind.FAILOVER, EAST, WEST, AUTOMATIC, "why", WEST)
    totals = with_event(with_event(Totals(), event, "dns"), event, "slow")

    assert dict(totals.events) == {("failover", WEST, EAST, WEST, "dns"): 1, ("failover", WEST, EAST, WEST, "slow"): 1}


def test_whatever_is_counted_next_what_was_counted_before_stays() -> None:
    event = Event("1", 1.0, EventKind.FAILOVER, EAST, WEST, AUTOMATIC, "why", WEST)
    before = full()

    after = with_canary(with_event(folded(before, {"b": TWO}), event, "slow"), WEST, Canary(dns=Layer(True)))

    assert (after.names, after.gone.calls) == (("a", "b"), 8)
    assert after.canaries == {**before.canaries, (WEST, "dns", "passed"): 1}
    assert after.events == {**before.events, ("failover", WEST, EAST, WEST, "slow"): 1}


def full() -> Totals:
    event = Event("1", 1.0, EventKind.FAILOVER, EAST, WEST, AUTOMATIC, "why", WEST)
    return with_event(with_canary(folded(Totals(), {"a": ONE}), EAST, Canary(dns=Layer(True))), event, "dns")


def test_totals_survive_the_journey() -> None:
    assert totals_from_json(json.loads(json.dumps(totals_to_json(full())))) == full()
    assert totals_from_json(json.loads(json.dumps(totals_to_json(Totals())))) == Totals()


GOOD: dict[str, Any] = totals_to_json(full())


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**GOOD, "calls": None},
        {**GOOD, "regions": None},
        {**GOOD, "regions": {EAST: {}}},
        {**GOOD, "names": 3},
        {**GOOD, "canaries": [[EAST, "dns", 1]]},
        {**GOOD, "events": [[EAST, "many"]]},
        {**GOOD, "events": [[]]},
        {**GOOD, "canaries": 7},
    ],
)
def test_what_is_no_total_is_one_kind_of_error(document: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        totals_from_json(document)
