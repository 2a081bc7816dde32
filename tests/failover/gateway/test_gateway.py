"""The gateway against the live lab: writing, reading, failing over, and what must never fail over."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from pynamodb.exceptions import PutError, UpdateError

from failover import gateway, wiring
from failover.adapters import control_store, models
from failover.adapters.binding import Connections
from failover.adapters.clients import make_clients
from failover.adapters.control_store import ControlRow
from failover.core.decisions import Decision, latest
from failover.core.events import EventKind
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.signals.breaker import CircuitState
from failover.core.status.types import StatusDocument
from tests.conftest import Lab
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.processes import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

Gateway = wiring.Wired


@pytest.fixture
def gate(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A wiring of the test's own: circuits all closed, nobody's monitor."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "lab")
    with wiring.using(lab.config(tmp_path)) as wired:
        yield wired


@pytest.fixture
def east_is_down(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """us-east-1 refuses connections; us-west-2 is the lab's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "lab")
    endpoints = lab.environment()["FAILOVER_ENDPOINTS"].split(",")
    broken = f"{EAST}=http://127.0.0.1:{free_port()},{endpoints[1]}"
    with wiring.using(lab.config(tmp_path, ENDPOINTS=broken)) as wired:
        yield wired


@pytest.fixture(scope="module", autouse=True)
def _routing_is_left_empty(lab: Lab, wired: Gateway) -> Iterator[None]:
    yield

    def emptied() -> bool:
        left = 0
        for region in (EAST, WEST):
            with gateway.at(region):
                for row in ControlRow.query(control_store.ROUTING, consistent_read=True):
                    row.delete()
                    left += 1
        return left == 0

    wait_until(emptied, within=20, what="no routing decision is left")


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
    return {one.circuit for one in wired.router.report().regions.values()}


def test_what_is_written_is_read_back_where_it_was_written(gate: Gateway, item: str) -> None:
    written = gateway.write(put(item), idempotent=True)
    read = gateway.read(document(item), consistency=gateway.Consistency.STRONG)

    assert (written.value, written.region) == (EAST, EAST)
    assert [(one.region, one.outcome) for one in written.attempts] == [(EAST, gateway.Outcome.OK)]
    assert written.attempts[0].ms > 0
    assert (read.value, read.region, read.given) == (f'"{EAST}"', EAST, gateway.Consistency.STRONG)
    assert not read.degraded


def test_a_write_goes_to_the_next_region_when_the_first_refuses_connections(east_is_down: Gateway, item: str) -> None:
    written = gateway.write(put(item), idempotent=False)  # it was not sent, so even this may go on

    assert written.region == WEST
    assert [(one.region, one.outcome) for one in written.attempts] == [
        (EAST, gateway.Outcome.CONNECT),
        (WEST, gateway.Outcome.OK),
    ]


def test_a_strong_read_that_fails_over_is_degraded_and_says_so(east_is_down: Gateway, item: str) -> None:
    gateway.write(put(item), idempotent=True)

    read = gateway.read(document(item), consistency=gateway.Consistency.STRONG_ELSE_EVENTUAL)

    assert (read.region, read.given, read.degraded) == (WEST, gateway.Consistency.EVENTUAL, True)


def test_where_the_tables_are_strong_everywhere_a_failover_degrades_no_read(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "lab")
    west = lab.environment()["FAILOVER_ENDPOINTS"].split(",")[1]
    endpoints = f"{EAST}=http://127.0.0.1:{free_port()},{west}"
    with wiring.using(lab.config(tmp_path, ENDPOINTS=endpoints, TABLES="MRSC")):
        gateway.write(put(item), idempotent=True)
        read = gateway.read(document(item), consistency=gateway.Consistency.STRONG_ELSE_EVENTUAL)

    assert (read.region, read.given, read.degraded) == (WEST, gateway.Consistency.STRONG, False)


def test_everywhere_answers_by_region(gate: Gateway) -> None:
    assert gateway.everywhere(lambda bound: bound.region, timeout=10) == {EAST: EAST, WEST: WEST}


def test_everywhere_leaves_out_who_does_not_answer(east_is_down: Gateway) -> None:
    found = gateway.everywhere(lambda _: len(list(ControlRow.query("none"))), timeout=10)

    assert found == {WEST: 0}


def test_everywhere_raises_when_nobody_answers_and_says_why(gate: Gateway) -> None:
    def op(_: gateway.Bound) -> None:
        raise ConnectionResetError

    with pytest.raises(gateway.NoRegionAnswered) as caught:
        gateway.everywhere(op, timeout=10)

    assert {one.region for one in caught.value.attempts} == {EAST, WEST}


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

    told = gate.router.report().regions
    assert caught.value.detail == "UnrecognizedClientException"
    assert told[EAST].failures == told[WEST].failures == {"denied": 4}
    assert (told[EAST].failed, told[EAST].refused_writes) == (0, 0)
    assert circuits(gate) == {CircuitState.CLOSED}


def publish(
    wired: Gateway,
    *,
    states: dict[str, str] | None = None,
    circuits: dict[str, str] | None = None,
    decision: Decision | None = None,
    age_s: float = 0.0,
) -> None:
    """As the monitor would, `age_s` seconds ago."""
    states, circuits = states or {}, circuits or {}
    status = {
        "regions": [
            {"name": name, "state": states.get(name, "healthy"), "circuit": circuits.get(name, "closed")}
            for name in (EAST, WEST)
        ]
    }
    view = HostView(decision, {name: HostCircuit(CircuitState(circuits.get(name, "closed"))) for name in (EAST, WEST)})
    wired.files.publish(view, cast_status(status), at=wired.clock.wall() - age_s)


def cast_status(status: dict[str, object]) -> StatusDocument:
    return status  # type: ignore[return-value]  # only the part that is read here


def decisions_in(region: str) -> list[Decision]:
    with gateway.at(region):
        return control_store.read_decisions()


def decided_since(began: float, region: str) -> list[Decision]:
    """What a region holds by now of what was decided since; not what replication brings from before."""
    return [decision for decision in decisions_in(region) if decision.at >= began]


def route(mode: str, region: str | None = None, *, force: bool = False) -> Decision:
    return gateway.route(mode, region, actor="inés", reason=" a drill ", force=force)  # type: ignore[arg-type]


def test_a_decision_is_in_every_region_and_its_epoch_grows(gate: Gateway) -> None:
    first = route("pinned", WEST)
    second = route("auto")

    assert second.epoch == first.epoch + 1
    assert (first.actor, first.reason, first.forced) == ("inés", "a drill", False)
    for region in (EAST, WEST):
        assert second in decisions_in(region)


def test_a_decision_is_made_while_a_region_is_away(east_is_down: Gateway) -> None:
    decided = route("auto")

    assert decided in decisions_in(WEST)


def test_the_epoch_also_exceeds_that_of_a_decision_which_only_the_monitor_knows(gate: Gateway) -> None:
    far = Decision(mode="auto", region=None, epoch=100_000, id="far", actor="a", reason="r", at=1.0)
    publish(gate, decision=far)

    assert route("auto").epoch == 100_001


def test_a_region_that_returns_with_an_old_epoch_changes_nothing_and_learns_the_new_one(
    gate: Gateway, lab: Lab, tmp_path: Path
) -> None:
    old = route("auto")
    endpoints = lab.environment()["FAILOVER_ENDPOINTS"].split(",")
    broken = f"{EAST}=http://127.0.0.1:{free_port()},{endpoints[1]}"
    with wiring.using(lab.config(tmp_path / "away", ENDPOINTS=broken)):
        new = route("pinned", WEST)

    assert new.epoch == old.epoch + 1
    assert old in decisions_in(EAST), "the region that was away still has its own row of before"

    def learnt() -> bool:
        return latest(decisions_in(EAST))[0] == latest(decisions_in(WEST))[0] == new

    wait_until(learnt, within=20, what="both regions' readers follow the newer epoch")
    assert latest(decisions_in(EAST))[1] == (), "it was followed by a later one, not contradicted"
    assert route("auto").epoch == new.epoch + 1


def test_of_two_decisions_at_the_same_moment_one_holds_and_the_other_is_told_and_logged(gate: Gateway) -> None:
    both = {region: threading.Barrier(2) for region in (EAST, WEST)}
    read = gateway.read_decisions

    def at_the_same_moment(*, strong: bool = False) -> list[Decision]:
        both[gateway.bound_region()].wait(30)  # both have written before either looks again
        known = read(strong=strong)
        both[gateway.bound_region()].wait(30)  # neither writes before both have read
        return known

    ended: dict[str, Decision | gateway.RoutingSuperseded] = {}

    def decide(actor: str) -> None:
        try:
            ended[actor] = gateway.route("auto", None, actor=actor, reason=f"{actor}'s reason")
        except gateway.RoutingSuperseded as lost:
            ended[actor] = lost

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "read_decisions", at_the_same_moment)
        patch.setattr(gateway, "ROUTING_TIMEOUT_S", 30.0)
        threads = [threading.Thread(target=decide, args=(actor,)) for actor in ("inés", "otto")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    (holds,) = (one for one in ended.values() if isinstance(one, Decision))
    (lost,) = (one for one in ended.values() if not isinstance(one, Decision))
    winner, loser = sorted(ended, key=lambda actor: ended[actor] is lost)
    assert str(lost) == f"{winner} decided at the same moment, and that holds: auto ({winner}'s reason)"
    with gateway.at(EAST):
        assert latest(control_store.read_decisions())[0] == holds
        told = [event for event in control_store.read_events(50) if event.kind is EventKind.ROUTING_SUPERSEDED]
    assert [event.actor for event in told if event.reason.endswith("'s reason")] == [loser]


def test_an_old_decision_in_a_region_that_was_not_asked_is_followed_by_the_new_one(gate: Gateway) -> None:
    known = latest(decisions_in(WEST))[0]
    old = Decision(
        "pinned", EAST, 200 + (known.epoch if known else 0), "old", "ben", "yesterday", gate.clock.wall() - 60
    )
    read, hidden = gateway.read_decisions, [True] * 2

    def not_yet_seen(*, strong: bool = False) -> list[Decision]:
        return [] if hidden and hidden.pop() else read(strong=strong)

    with gateway.at(WEST):
        control_store.write_decision(old)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "read_decisions", not_yet_seen)
        decided = route("auto")

    assert decided.epoch == old.epoch + 1
    for region in (EAST, WEST):
        assert latest(decisions_in(region))[0] == decided


def test_a_region_whose_circuit_is_open_gets_the_decision_too(gate: Gateway) -> None:
    publish(gate, circuits={EAST: "open"})
    gate.follower.step()
    assert gate.router.order() == (WEST,)

    decided = route("auto")

    with gateway.at(EAST):
        own = ControlRow.get(control_store.ROUTING, f"decision#{EAST}", consistent_read=True)
    assert json.loads(own.document)["id"] == decided.id


def test_a_pin_to_an_unreachable_region_is_refused_and_nothing_is_written(gate: Gateway) -> None:
    publish(gate, states={WEST: "unreachable"})
    began = gateway.clock.wall()

    with pytest.raises(gateway.RoutingRefused, match="us-west-2 is unreachable"):
        route("pinned", WEST)

    assert "us-west-2 is unreachable" in (gateway.refuse_pin(WEST) or "")
    assert gateway.refuse_pin(EAST) is None
    assert decided_since(began, EAST) == []


@pytest.mark.parametrize("age_s", [3 * 3600, -600], ids=["of a monitor that died", "of before the clock was set back"])
def test_an_old_word_refuses_no_pin_to_a_region_that_answers_now(gate: Gateway, age_s: float) -> None:
    publish(gate, states={WEST: "unreachable"}, circuits={WEST: "open"}, age_s=age_s)

    assert gateway.refuse_pin(WEST) is None
    assert not route("pinned", WEST, force=True).forced
    assert route("pinned", WEST).region == WEST


def test_a_pin_within_the_seconds_before_the_monitor_has_seen_a_fault_is_refused_too(east_is_down: Gateway) -> None:
    publish(east_is_down)
    began = gateway.clock.wall()

    with pytest.raises(gateway.RoutingRefused, match="us-east-1 does not answer now"):
        route("pinned", EAST)

    assert decided_since(began, WEST) == []
    assert route("pinned", EAST, force=True).forced


def test_a_pin_to_a_region_with_an_open_circuit_is_refused(gate: Gateway) -> None:
    publish(gate, circuits={WEST: "open"})

    with pytest.raises(gateway.RoutingRefused, match="circuit is open"):
        route("pinned", WEST)


def test_a_force_overrides_the_rule_and_is_recorded(gate: Gateway) -> None:
    publish(gate, states={WEST: "unreachable"})

    decided = route("pinned", WEST, force=True)

    assert decided.forced
    assert decided in decisions_in(EAST)


def test_a_force_that_was_not_needed_is_not_recorded_as_one(gate: Gateway) -> None:
    publish(gate)

    assert not route("pinned", WEST, force=True).forced


def test_no_force_pins_a_region_that_does_not_exist(gate: Gateway) -> None:
    with pytest.raises(gateway.RoutingRefused, match="not one of the configured"):
        route("pinned", "eu-north-1", force=True)


@pytest.mark.parametrize(
    ("mode", "region", "reason"),
    [("pinned", None, "r"), ("auto", EAST, "r"), ("other", None, "r"), ("auto", None, ""), ("auto", None, "  ")],
)
def test_a_routing_that_makes_no_sense_is_refused_before_anything_is_written(
    gate: Gateway, mode: str, region: str | None, reason: str
) -> None:
    began = gateway.clock.wall()

    with pytest.raises(ValueError, match=r"\w"):
        gateway.route(mode, region, actor="a", reason=reason)  # type: ignore[arg-type]

    assert decided_since(began, EAST) == []


def test_with_no_region_reachable_routing_cannot_be_set(tmp_path: Path, lab: Lab) -> None:
    dead = ",".join(f"{region}=http://127.0.0.1:{free_port()}" for region in (EAST, WEST))
    with wiring.using(lab.config(tmp_path, ENDPOINTS=dead)), pytest.raises(gateway.NoRegionAnswered):
        route("auto")


def test_readiness_names_the_region_that_answered_and_the_headers_agree(gate: Gateway, client: Client) -> None:
    response = client.get("/healthz/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "region": EAST}
    assert response["X-Served-Region"] == EAST
    assert response["Server-Timing"].startswith(f'{EAST};desc="ok";dur=')


def test_readiness_survives_the_loss_of_one_region_and_shows_the_detour(east_is_down: Gateway, client: Client) -> None:
    response = client.get("/healthz/ready")

    assert (response.status_code, response.json()["region"]) == (200, WEST)
    assert response["X-Served-Region"] == WEST
    first, second = response["Server-Timing"].split(", ")
    assert first.startswith(f'{EAST};desc="connect";dur=')
    assert second.startswith(f'{WEST};desc="ok";dur=')


def test_no_region_at_all_is_not_ready_and_says_why_but_alive(tmp_path: Path, lab: Lab, client: Client) -> None:
    dead = ",".join(f"{region}=http://127.0.0.1:{free_port()}" for region in (EAST, WEST))
    with wiring.using(lab.config(tmp_path, ENDPOINTS=dead)):
        ready, live = client.get("/healthz/ready"), client.get("/healthz/live")

    assert ready.status_code == 503
    told = ready.json()
    assert told["status"] == "unavailable"
    assert "no region answered" in told["reason"]
    assert [(one["region"], one["outcome"], one["detail"]) for one in told["attempts"]] == [
        (EAST, "connect", "the connection was refused"),
        (WEST, "connect", "the connection was refused"),
    ]
    assert "X-Served-Region" not in ready
    assert live.status_code == 200
    assert live.json() == {"status": "alive"}
    assert "no-store" in ready["Cache-Control"]


def test_health_is_only_read(client: Client) -> None:
    assert client.post("/healthz/live").status_code == 405
    assert client.head("/healthz/live").status_code == 200


def test_a_wiring_that_ends_gives_the_one_before_back(gate: Gateway, lab: Lab, tmp_path: Path, item: str) -> None:
    with wiring.using(lab.config(tmp_path / "another")) as other:
        assert wiring.current() is other
    assert wiring.current() is gate
    assert gateway.write(put(item), idempotent=True).region == EAST
