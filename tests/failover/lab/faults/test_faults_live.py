"""Every fault of the lab, felt from outside with real means, and gone when it is over."""

import socket

import pytest

from failover.lab.errors import LayerTaken
from failover.lab.faults import outside, verify
from failover.lab.faults.kinds import KINDS, FaultKind
from tests.failover.lab.network.fronts import is_cut
from tests.failover.lab.support import (
    EAST,
    WEST,
    OwnLab,
    key,
    lives,
    seen_while_it_lasts_only,
    stamped,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def front(cloud: OwnLab, region: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", cloud.region(region)["front"]["port"]), timeout=5)


def answers(client: socket.socket) -> bool:
    """Whether a connection that is already open still reaches an engine."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
    return client.recv(12).startswith(b"HTTP/1.1")


PLAIN = [kind for kind in KINDS if not kind.needs_tls]
CUTTING = [kind.name for kind in PLAIN if kind.cuts]
ONE_OF_EACH_CLASS = [kind.name for kind in {type(kind): kind for kind in PLAIN if kind.name != "stop"}.values()]
"""A stop takes longer and has a test of its own. Kinds of one class are mended in the same way."""


def test_every_kind_of_the_contract_is_there_and_can_be_checked():
    named = """dns-empty dns-nxdomain dns-servfail dns-silent refuse blackhole hang drip reset latency http-503 throttle
        deny overload lost-reply freeze stop replication-pause replication-delay tls-hang tls-reset
        tls-wrong-certificate"""
    assert {kind.name for kind in KINDS} == set(named.split()) == set(verify.CHECKS)


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.name)
def test_every_kind_is_seen_from_outside_while_it_lasts_and_not_before_or_after(cloud: OwnLab, kind: FaultKind):
    seen_while_it_lasts_only(cloud, kind)


@pytest.mark.parametrize("kind", CUTTING)
def test_open_connections_are_cut_and_counted(cloud: OwnLab, kind: str):
    with front(cloud, EAST) as client:
        assert answers(client)
        fault = cloud.client.set_fault(EAST, kind, seconds=60)
        assert fault["cut"] >= 1
        while not is_cut(client):
            pass  # the rest of the reply, then the end


@pytest.mark.parametrize("kind", CUTTING)
def test_open_connections_live_on_when_they_are_to_be_kept(cloud: OwnLab, kind: str):
    with front(cloud, EAST) as client:
        # Connected is not accepted: what still waits in the listener's queue ends with the
        # listener.
        wait_until(lambda: cloud.region(EAST)["front"]["connections"], within=20, what="the front has the connection")
        fault = cloud.client.set_fault(EAST, kind, seconds=60, keep_connections=True)
        assert fault["cut"] == 0
        assert answers(client)


def test_what_was_cut_and_what_was_kept_is_told(cloud: OwnLab):
    fault = cloud.client.set_fault(EAST, "refuse", seconds=60)
    for cut, kept, words in ((0, False, ""), (1, False, "; 1 open connection was cut"), (0, True, "; open conn")):
        text = verify.took_hold(cloud.client.state(), fault | {"cut": cut, "keep_connections": kept}).text
        assert text.partition("is refused")[2].startswith(words)
        assert bool(text.partition("is refused")[2]) is bool(words)


def test_a_fault_in_one_region_is_not_felt_in_the_other(cloud: OwnLab):
    for kind in ("dns-empty", "refuse", "stop"):
        cloud.client.set_fault(EAST, kind, seconds=60)
        state = cloud.client.state()
        assert outside.ask_nameserver(state, f"dynamodb.{WEST}.amazonaws.com") == ("NOERROR", ["127.0.0.1"])
        assert outside.connects(outside.region_of(state, WEST)["front"]["port"]) == "accepted"
        cloud.client.clear()


@pytest.mark.parametrize("kind", ONE_OF_EACH_CLASS)
def test_every_fault_ends_by_itself_and_everything_works_again(cloud: OwnLab, kind: str):
    before = cloud.client.state()
    fault = cloud.client.set_fault(EAST, kind, seconds=0.2)
    wait_until(lambda: cloud.region(EAST)["faults"] == [], within=20, what="the fault is over")
    gone = verify.is_gone(before, fault)
    assert gone.holds, gone.text


def test_a_stop_ends_by_itself_and_the_region_is_back_with_its_data(cloud: OwnLab):
    item = stamped(EAST)
    # Not replicated: only its own disk can bring it back.
    cloud.replica(EAST).put("survey-tallies", item)
    incarnation = cloud.region(EAST)["engine"]["incarnation"]
    cloud.client.set_fault(EAST, "stop", seconds=0.3)
    cloud.wait_running(EAST, incarnation=incarnation + 1)
    assert cloud.replica(EAST).get("survey-tallies", key(item)) == item


def test_what_was_sent_to_a_frozen_region_is_done_when_it_goes_on(cloud: OwnLab):
    item = stamped(EAST)
    cloud.client.set_fault(EAST, "freeze", seconds=60)
    with socket.create_connection(("127.0.0.1", cloud.region(EAST)["front"]["port"])) as client:
        outcome = outside.ask_on(client, "PutItem", {"TableName": "survey-votes", "Item": item}, 0.3)
    assert outcome.end == "silence"
    cloud.client.clear(EAST)
    wait_until(
        lambda: cloud.replica(EAST).get("survey-votes", key(item)) == item, within=20, what="the zombie is there"
    )


def test_a_pause_holds_both_directions_counts_its_backlog_and_drains(cloud: OwnLab):
    items = {EAST: stamped(EAST), WEST: stamped(WEST)}
    cloud.client.set_fault(EAST, "replication-pause", seconds=120)
    for region, item in items.items():
        cloud.replica(region).put("survey-votes", item)
    for source, target in ((EAST, WEST), (WEST, EAST)):
        wait_until(
            lambda s=source, t=target: cloud.link(s, t)["backlog"] == 1, within=20, what="the backlog is one item"
        )
        assert cloud.link(source, target)["paused"]
        assert cloud.replica(target).get("survey-votes", key(items[source])) is None
    cloud.client.clear()
    cloud.wait_copied(items[EAST], WEST)
    cloud.wait_copied(items[WEST], EAST)


def test_a_region_that_was_stopped_gets_what_it_missed_before_its_front_opens(cloud: OwnLab):
    cloud.client.set_fault(EAST, "stop", seconds=120)
    missed = [stamped(WEST) for _ in range(20)]
    for item in missed:
        cloud.replica(WEST).put("survey-votes", item)
    cloud.client.clear(EAST)
    assert cloud.region(EAST)["front"]["open"]
    assert cloud.contents(EAST) == cloud.contents(WEST)
    assert all(item in cloud.contents(EAST) for item in missed)


def test_both_regions_stopped_and_started_one_after_the_other_end_equal(cloud: OwnLab):
    for region in (EAST, WEST):
        cloud.replica(region).put("survey-votes", stamped(region))
    cloud.client.set_fault(EAST, "stop", seconds=120)
    cloud.client.set_fault(WEST, "stop", seconds=120)
    cloud.client.clear(WEST)
    assert cloud.region(WEST)["front"]["open"], "a peer that is down must not be waited for"
    alone = stamped(WEST)
    cloud.replica(WEST).put("survey-votes", alone)
    cloud.client.clear(EAST)
    assert cloud.contents(EAST) == cloud.contents(WEST)
    assert alone in cloud.contents(EAST)


def test_a_region_that_restarts_during_a_pause_waits_with_its_front_until_it_may_compare(cloud: OwnLab):
    item = stamped(WEST)
    cloud.client.set_fault(WEST, "replication-pause", seconds=120)
    cloud.replica(WEST).put("survey-votes", item)
    incarnation = cloud.region(EAST)["engine"]["incarnation"]
    cloud.client.set_fault(EAST, "stop", seconds=0.2)
    wait_until(lambda: cloud.region(EAST)["state"] == "resyncing", within=20, what="the engine is back and waits")
    assert not cloud.region(EAST)["front"]["open"]
    assert cloud.client.clear(WEST)
    cloud.wait_running(EAST, incarnation=incarnation + 1)
    assert cloud.replica(EAST).get("survey-votes", key(item)) == item


def test_the_engine_of_a_stopped_region_is_a_process_that_has_ended(cloud: OwnLab):
    pid = cloud.region(EAST)["engine"]["pid"]
    cloud.client.set_fault(EAST, "stop", seconds=60)
    assert not lives(pid)
    assert cloud.region(EAST)["engine"]["pid"] is None
    with pytest.raises(LayerTaken, match="stop is in force in us-east-1's engine layer"):
        cloud.client.set_fault(EAST, "freeze")
