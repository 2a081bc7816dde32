"""Setting the routing through the gateway, against the live lab."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover import gateway, wiring
from failover.adapters import control_store
from failover.adapters.control_store import ControlRow
from failover.core.decisions import Decision, latest
from failover.core.events import EventKind
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.signals.breaker import CircuitState
from failover.core.status.types import StatusDocument
from failover.gateway import decide
from tests.conftest import Lab
from tests.failover.adapters.faulty import EAST, WEST
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

Gateway = wiring.Wired


@pytest.fixture(scope="module", autouse=True)
def _routing_is_left_empty(lab: Lab, wired: Gateway) -> Iterator[None]:
    yield

    def emptied() -> bool:
        rows = 0
        for region in (EAST, WEST):
            with gateway.at(region):
                for row in ControlRow.query(control_store.ROUTING, consistent_read=True):
                    row.delete()
                    rows += 1
        return rows == 0

    wait_until(emptied, within=20, what="no routing decision is left")


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
    return gateway.route(mode, region, actor="inés", reason=" a drill ", force=force)


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
    gate: Gateway, lab: Lab, tmp_path: Path, endpoints_without_east: str
) -> None:
    old = route("auto")
    with wiring.using(lab.config(tmp_path / "away", ENDPOINTS=endpoints_without_east)):
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
    read = decide.read_decisions

    def at_the_same_moment(*, strong: bool = False) -> list[Decision]:
        both[gateway.bound_region()].wait(30)  # both have written before either looks again
        known = read(strong=strong)
        both[gateway.bound_region()].wait(30)  # neither writes before both have read
        return known

    ended: dict[str, Decision | gateway.RoutingSuperseded] = {}

    def set_routing(actor: str) -> None:
        try:
            ended[actor] = gateway.route("auto", None, actor=actor, reason=f"{actor}'s reason")
        except gateway.RoutingSuperseded as lost:
            ended[actor] = lost

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "read_decisions", at_the_same_moment)
        patch.setattr(decide, "ROUTING_TIMEOUT_S", 30.0)
        threads = [threading.Thread(target=set_routing, args=(actor,)) for actor in ("inés", "otto")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    (holds,) = (end for end in ended.values() if isinstance(end, Decision))
    (lost,) = (end for end in ended.values() if not isinstance(end, Decision))
    winner, loser = sorted(ended, key=lambda actor: ended[actor] is lost)
    assert str(lost) == f"{winner} decided at the same moment, and that holds: auto ({winner}'s reason)"
    with gateway.at(EAST):
        assert latest(control_store.read_decisions())[0] == holds
        logged = [event for event in control_store.read_events(50) if event.kind is EventKind.ROUTING_SUPERSEDED]
    assert [event.actor for event in logged if event.reason.endswith("'s reason")] == [loser]


def test_an_old_decision_in_a_region_that_was_not_asked_is_followed_by_the_new_one(gate: Gateway) -> None:
    known = latest(decisions_in(WEST))[0]
    old = Decision(
        "pinned", EAST, 200 + (known.epoch if known else 0), "old", "ben", "yesterday", gate.clock.wall() - 60
    )
    read, hidden = decide.read_decisions, [True] * 2

    def not_yet_seen(*, strong: bool = False) -> list[Decision]:
        return [] if hidden and hidden.pop() else read(strong=strong)

    with gateway.at(WEST):
        control_store.write_decision(old)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "read_decisions", not_yet_seen)
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
        gateway.route(mode, region, actor="a", reason=reason)

    assert decided_since(began, EAST) == []


def test_with_no_region_reachable_routing_cannot_be_set(no_region_answers: Gateway) -> None:
    with pytest.raises(gateway.NoRegionAnswered):
        route("auto")
