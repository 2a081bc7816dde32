"""Faults of different layers in one region at the same time: each is felt, and ends without the others."""

import itertools

import pytest

from failover.lab.faults import verify
from failover.lab.faults.hiding import hidden_by
from failover.lab.faults.kinds import KINDS, Layer
from tests.failover.lab.support import EAST, FAULT_MS, WEST, OwnLab, stamped

pytestmark = pytest.mark.lab

CONNECTION, REPLY, ENGINE = ("refuse", "blackhole", "reset", "latency"), ("hang", "http-503"), ("freeze", "stop")
PAIRS = [
    *itertools.product(CONNECTION, REPLY),
    *itertools.product(CONNECTION, ENGINE),
    *itertools.product(REPLY, ENGINE),
    # The nameserver and replication know nothing of the others: one of each layer beside them.
    *itertools.product(["dns-empty", "replication-pause"], ["refuse", "http-503", "freeze", "stop"]),
    ("dns-empty", "replication-pause"),
]


def is_well(cloud: OwnLab) -> bool:
    """Whether the name, the connection and the reply are as ever."""
    state, kinds = cloud.client.state(), {kind.name: kind for kind in KINDS}
    rows = [{"region": EAST, "kind": name, "layer": kinds[name].layer} for name in ("dns-empty", "http-503")]
    return state["regions"][0]["faults"] == [] and all(verify.is_gone(state, row).holds for row in rows)


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_two_faults_are_felt_unless_one_hides_the_other_and_end_one_after_the_other(
    cloud: OwnLab, pair: tuple[str, str]
):
    kinds = list(pair)
    for kind in kinds:
        before = cloud.client.state()
        fault = cloud.client.set_fault(EAST, kind, seconds=120, ms=FAULT_MS.get(kind))
        finding = verify.took_hold(before, fault)
        assert finding.holds, finding.text
    # The first one ends first, so that each is alone in force once.
    for number, kind in enumerate(kinds, 1):
        (ended,) = cloud.client.clear(EAST, kind)
        state = cloud.client.state()
        gone = verify.is_gone(state, ended)
        assert gone.holds, gone.text
        for row in (row for region in state["regions"] for row in region["faults"]):
            assert row["kind"] == kinds[1]
            if row["kind"] != "stop":  # whose engine is gone from the state
                assert hidden_by(state, row) is None
                still = verify.took_hold(state, row)
                assert still.holds, f"{kind} is over, and {row['kind']} too: {still.text}"
        assert len(cloud.region(EAST)["faults"]) == len(kinds) - number
    assert is_well(cloud)


def test_one_fault_in_every_layer_and_all_are_mended_at_once(cloud: OwnLab):
    for kind in ("dns-empty", "latency", "http-503", "stop", "replication-pause"):
        cloud.client.set_fault(EAST, kind, seconds=120, ms=FAULT_MS.get(kind))
    assert [row["layer"] for row in cloud.region(EAST)["faults"]] == list(Layer)
    assert cloud.region(WEST)["faults"] == []
    assert len(cloud.client.clear()) == len(Layer)
    assert is_well(cloud)


def test_the_outage_of_october_2025_can_be_played(cloud: OwnLab):
    """The record is empty, and replication falls behind at the same time."""
    cloud.client.set_fault(EAST, "dns-empty", seconds=120)
    cloud.client.set_fault(EAST, "replication-pause", seconds=120)
    item = stamped(EAST)
    cloud.replica(EAST).put("survey-votes", item)
    cloud.client.clear(EAST, "dns-empty")
    assert item not in cloud.contents(WEST)
    cloud.client.clear(EAST, "replication-pause")
    cloud.wait_copied(item, WEST)
