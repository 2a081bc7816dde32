"""Reports and views travel as JSON files and come back as they were; whatever else is found there is a ValueError."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failover.core.config import RouterConfig
from failover.core.errors import ErrorClass, Outcome
from failover.core.exchange.reports import (
    HostCircuit,
    HostView,
    RegionReport,
    WorkerReport,
    decision_from_json,
    decision_to_json,
    report_from_json,
    report_to_json,
    view_from_json,
    view_to_json,
)
from failover.core.fakes import answers, fails
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import EAST, WEST, Bench, decision, where

NOTHING = RegionReport()


def test_a_workers_report_survives_the_journey() -> None:
    bench = Bench()
    bench.runner.plays(EAST, *[fails(ErrorClass.NOT_SENT)] * 3)
    bench.runner.plays(WEST, answers(seconds=0.5))
    for _ in range(4):
        bench.router.call(where, idempotent=True)
    report = bench.router.report()
    assert report_from_json(json.loads(json.dumps(report_to_json(report)))) == report


def test_how_many_attempts_ended_in_which_way_survives_the_journey() -> None:
    latency = (3, *NOTHING.latency[1:])
    failures = {"timeout": 4, "denied": 1}
    met = RegionReport(requests=8, ok=3, failed=4, failures=failures, latency=latency)
    report = report_from_json(json.loads(json.dumps(report_to_json(WorkerReport(0.0, 1.0, {EAST: met})))))
    outcomes = (Outcome.OK, Outcome.TIMEOUT, Outcome.DENIED, Outcome.DNS)
    assert [report.regions[EAST].by_outcome(outcome) for outcome in outcomes] == [3, 4, 1, 0]
    assert report.regions == {EAST: met}


def test_for_how_long_a_circuit_is_open_survives_the_journey() -> None:
    bench = Bench()
    bench.runner.plays(EAST, *[fails(ErrorClass.NOT_SENT)] * 3)
    for _ in range(3):
        bench.router.call(where, idempotent=True)
    bench.clock.wait(2.5)
    report = report_from_json(json.loads(json.dumps(report_to_json(bench.router.report()))))
    assert {name: one.open_s for name, one in report.regions.items()} == {EAST: pytest.approx(2.5), WEST: 0.0}


@pytest.mark.parametrize("region", [None, WEST], ids=["auto", "pinned"])
def test_a_hosts_view_and_its_decision_survive_the_journey(region: str | None) -> None:
    made = decision(region, forced=True)
    circuits = {EAST: HostCircuit(CircuitState.OPEN, "no address", ailing=True), WEST: HostCircuit(CircuitState.CLOSED)}
    view = HostView(made, circuits, 1.5)
    assert view_from_json(json.loads(json.dumps(view_to_json(view))), age_s=1.5) == view
    assert decision_from_json(json.loads(json.dumps(decision_to_json(made)))) == made


def test_a_view_without_a_decision_survives_the_journey() -> None:
    view = HostView(None, {}, 0.0)
    assert view_from_json(view_to_json(view), age_s=0.0) == view


GOOD_REPORT: dict[str, Any] = report_to_json(Bench().router.report())


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**GOOD_REPORT, "regions": 5},
        {**GOOD_REPORT, "answered": "many"},
        {**GOOD_REPORT, "regions": {EAST: {}}},
        {**GOOD_REPORT, "regions": {EAST: {**GOOD_REPORT["regions"][EAST], "latency": [1]}}},
        {**GOOD_REPORT, "regions": {EAST: {**GOOD_REPORT["regions"][EAST], "circuit": "ajar"}}},
    ],
)
def test_what_is_not_a_report_is_a_value_error(document: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any sentence will do, the kind is the promise
        report_from_json(document)


@pytest.mark.parametrize(
    "document", [None, "", {}, {"decision": None, "circuits": {EAST: {"state": "ajar", "reason": ""}}}]
)
def test_what_is_not_a_view_is_a_value_error(document: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any sentence will do, the kind is the promise
        view_from_json(document, age_s=0.0)


@pytest.mark.parametrize("document", [None, {}, {**decision_to_json(decision(None)), "mode": "sometimes"}])
def test_what_is_not_a_decision_is_a_value_error(document: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any sentence will do, the kind is the promise
        decision_from_json(document)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("deadline_s", {"deadline_s": 0}),
        ("failures_to_open", {"failures_to_open": -1}),
        ("hold_cap", {"hold_cap": 0.9}),
        ("error_rate", {"error_rate": 1.0}),
        ("flap_hold", {"flap_hold": 0.9}),
        ("lag_stalled", {"lag_stalled": 0.9}),
    ],
)
def test_a_configuration_that_makes_no_sense_cannot_be_made_and_is_named(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{field} .*must"):
        RouterConfig(**wrong)


@pytest.mark.parametrize(
    "bare",
    [
        {"hold_cap": 1},
        {"error_rate": 0.99},
        {"flap_hold": 1},
        {"lag_stalled": 1},
    ],
    ids=["a hold that never doubles", "nearly every request", "flapping is no worse", "no slow"],
)
def test_a_configuration_may_go_to_its_limits(bare: dict[str, Any]) -> None:
    config = RouterConfig(**bare)
    assert {name: getattr(config, name) for name in bare} == bare
