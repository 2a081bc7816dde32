"""The gateway against the live lab: writing, reading, failing over, and what must never fail over."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from pynamodb.exceptions import PutError, UpdateError

from failover import gateway, wiring
from failover.adapters import models
from failover.adapters.binding import Connections
from failover.adapters.clients import make_clients
from failover.adapters.control_store import ControlRow
from failover.core.signals.breaker import CircuitState
from tests.conftest import Lab
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST

pytestmark = pytest.mark.lab

Gateway = wiring.Wired


def put(item: str) -> Callable[[gateway.Bound], str]:
    def op(bound: gateway.Bound) -> str:
        ControlRow("test", item, document=json.dumps(bound.region)).put()
        return bound.region

    return op


def document(item: str) -> Callable[[gateway.Bound], str]:
    return lambda bound: str(ControlRow.get("test", item, consistent_read=bound.strong).document)


@pytest.fixture
def item() -> str:
    return f"gateway-{uuid.uuid4().hex}"


def circuits(wired: Gateway) -> set[CircuitState]:
    return {region.circuit for region in wired.router.report().regions.values()}


def test_what_is_written_is_read_back_where_it_was_written(gate: Gateway, item: str) -> None:
    written = gateway.write(put(item), idempotent=True)
    read = gateway.read(document(item), consistency=gateway.Consistency.STRONG)

    assert (written.value, written.region) == (EAST, EAST)
    assert [(attempt.region, attempt.outcome) for attempt in written.attempts] == [(EAST, gateway.Outcome.OK)]
    assert written.attempts[0].ms > 0
    assert (read.value, read.region, read.given) == (f'"{EAST}"', EAST, gateway.Consistency.STRONG)
    assert not read.degraded


def test_a_write_goes_to_the_next_region_when_the_first_refuses_connections(east_is_down: Gateway, item: str) -> None:
    written = gateway.write(put(item), idempotent=False)  # it was not sent, so even this may go on

    assert written.region == WEST
    assert [(attempt.region, attempt.outcome) for attempt in written.attempts] == [
        (EAST, gateway.Outcome.CONNECT),
        (WEST, gateway.Outcome.OK),
    ]


def test_a_strong_read_that_fails_over_is_degraded_and_says_so(east_is_down: Gateway, item: str) -> None:
    gateway.write(put(item), idempotent=True)

    read = gateway.read(document(item), consistency=gateway.Consistency.STRONG_ELSE_EVENTUAL)

    assert (read.region, read.given, read.degraded) == (WEST, gateway.Consistency.EVENTUAL, True)


def test_where_the_tables_are_strong_everywhere_a_failover_degrades_no_read(
    lab: Lab, tmp_path: Path, endpoints_without_east: str, item: str
) -> None:
    with wiring.using(lab.config(tmp_path, ENDPOINTS=endpoints_without_east, TABLES="MRSC")):
        gateway.write(put(item), idempotent=True)
        read = gateway.read(document(item), consistency=gateway.Consistency.STRONG_ELSE_EVENTUAL)

    assert (read.region, read.given, read.degraded) == (WEST, gateway.Consistency.STRONG, False)


def test_everywhere_answers_by_region(gate: Gateway) -> None:
    assert gateway.everywhere(lambda bound: bound.region, timeout=10) == {EAST: EAST, WEST: WEST}


def test_everywhere_leaves_out_a_region_that_does_not_answer(east_is_down: Gateway) -> None:
    counts = gateway.everywhere(lambda _: len(list(ControlRow.query("none"))), timeout=10)

    assert counts == {WEST: 0}


def test_everywhere_raises_when_no_region_answers_and_says_why(gate: Gateway) -> None:
    def op(_: gateway.Bound) -> None:
        raise ConnectionResetError

    with pytest.raises(gateway.NoRegionAnswered) as caught:
        gateway.everywhere(op, timeout=10)

    assert {attempt.region for attempt in caught.value.attempts} == {EAST, WEST}


def test_everywhere_raises_the_databases_refusal_when_that_is_all_there_is(gate: Gateway) -> None:
    def op(_: gateway.Bound) -> None:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        gateway.everywhere(op, timeout=10)


def test_at_binds_one_region_for_the_block(gate: Gateway, item: str) -> None:
    with gateway.at(WEST) as bound:
        assert gateway.bound_region() == bound.region == WEST
        put(item)(bound)
    with pytest.raises(gateway.RegionNotBound):
        gateway.bound_region()

    with gateway.at(WEST):
        assert ControlRow.get("test", item, consistent_read=True).updated_in == WEST


def test_an_unknown_region_is_named_with_those_that_there_are(gate: Gateway) -> None:
    with pytest.raises(ValueError, match="eu-north-1 is not one of us-east-1, us-west-2"), gateway.at("eu-north-1"):
        pass


def test_the_regions_come_by_priority(gate: Gateway) -> None:
    assert gateway.regions() == (EAST, WEST)


def test_without_a_monitor_there_is_no_status(gate: Gateway) -> None:
    assert gateway.status() is None


def conditional(_: gateway.Bound) -> None:
    ControlRow("test", "x", document="{}", updated_at=1, updated_in=EAST).save(ControlRow.kind == "never")


def invalid(_: gateway.Bound) -> None:
    ControlRow("test", "x", document="x" * 500_000).put()


def missing_table(_: gateway.Bound) -> None:
    table = ControlRow._get_connection()
    list(table.connection.query("no-such-table", "k")["Items"])


def missing_item(_: gateway.Bound) -> None:
    ControlRow.get("test", "not there")


def a_mistake_of_ours(_: gateway.Bound) -> None:
    raise KeyError("a mistake")


@pytest.mark.parametrize("op", [conditional, invalid, missing_item, a_mistake_of_ours])
@pytest.mark.parametrize("idempotent", [True, False])
def test_the_callers_own_business_is_raised_as_it_came_without_failover_and_opens_nothing(
    gate: Gateway, op: Callable[[gateway.Bound], None], idempotent: bool
) -> None:
    regions_tried: list[str] = []

    def noting(bound: gateway.Bound) -> None:
        regions_tried.append(bound.region)
        op(bound)

    for _ in range(5):
        with pytest.raises((PutError, UpdateError, ControlRow.DoesNotExist, KeyError)):
            gateway.write(noting, idempotent=idempotent)

    assert set(regions_tried) == {EAST}
    assert len(regions_tried) == 5
    assert circuits(gate) == {CircuitState.CLOSED}


def test_a_table_that_is_missing_everywhere_condemns_no_region(gate: Gateway) -> None:
    class Lost(gateway.RegionalModel):
        class Meta:
            table_name = "no-such-table"

        kind = ControlRow.kind.__class__(hash_key=True)

    try:
        for _ in range(4):
            with pytest.raises(gateway.RefusedEverywhere) as caught:
                gateway.read(lambda _: list(Lost.query("k")))
    finally:
        del models._models["no-such-table"]

    assert caught.value.detail == "ResourceNotFoundException"
    assert circuits(gate) == {CircuitState.CLOSED}


def test_credentials_that_every_region_refuses_condemn_none_of_them(gate: Gateway, tmp_path: Path) -> None:
    # The lab's engines take any credentials, so a server stands in that refuses them as DynamoDB does.
    with faulty.server(faulty.says(faulty.refusal("UnrecognizedClientException"))) as port:
        clients = make_clients(faulty.make_config(tmp_path, {EAST: port, WEST: port}))
        models.use_connections(Connections(clients))
        for _ in range(4):
            with pytest.raises(gateway.RefusedEverywhere) as caught:
                gateway.write(put("x"), idempotent=True)
        models.use_connections(Connections(gate.clients))

    reports = gate.router.report().regions
    assert caught.value.detail == "UnrecognizedClientException"
    assert reports[EAST].failures == reports[WEST].failures == {"denied": 4}
    assert (reports[EAST].failed, reports[EAST].refused_writes) == (0, 0)
    assert circuits(gate) == {CircuitState.CLOSED}


def test_a_wiring_that_ends_gives_the_one_before_back(gate: Gateway, lab: Lab, tmp_path: Path, item: str) -> None:
    with wiring.using(lab.config(tmp_path / "another")) as other:
        assert wiring.current() is other
    assert wiring.current() is gate
    assert gateway.write(put(item), idempotent=True).region == EAST
