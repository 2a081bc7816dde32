"""A lab that runs: its files, its ports, its replication, and an engine that crashes."""

import json
import os
import signal
import stat
from pathlib import Path

import pytest

from tests.failover.lab.support import EAST, WEST, OwnLab, stamped
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def test_a_write_arrives_in_the_other_region_either_way(cloud: OwnLab):
    for source, target in ((EAST, WEST), (WEST, EAST)):
        item = stamped(source)
        cloud.replica(source).put("survey-votes", item)
        cloud.wait_copied(item, target)


def test_a_copy_is_not_copied_back(cloud: OwnLab):
    before = cloud.link(EAST, WEST), cloud.link(WEST, EAST)
    items = [stamped(EAST) for _ in range(5)]
    for item in items:
        cloud.replica(EAST).put("survey-votes", item)
    for item in items:
        cloud.wait_copied(item, WEST)
    wait_until(
        lambda: cloud.link(WEST, EAST)["read"] == before[1]["read"] + 5,
        within=20,
        what="the copies are seen in the stream",
    )
    there, back = cloud.link(EAST, WEST), cloud.link(WEST, EAST)
    assert there["applied"] == before[0]["applied"] + 5
    assert (back["applied"], back["refused"]) == (before[1]["applied"], before[1]["refused"])


def test_a_regional_table_stays_regional(cloud: OwnLab):
    here, marker = stamped(EAST), stamped(EAST)
    cloud.replica(EAST).put("survey-tallies", here)
    cloud.replica(EAST).put("survey-votes", marker)
    cloud.wait_copied(marker, WEST)
    assert here not in cloud.contents(WEST, "survey-tallies")


def test_the_lag_is_shown_for_each_direction(cloud: OwnLab):
    item = stamped(EAST)
    cloud.replica(EAST).put("survey-votes", item)
    cloud.wait_copied(item, WEST)
    wait_until(lambda: cloud.link(EAST, WEST)["backlog"] == 0, within=20, what="nothing remains to copy")
    assert 0 < cloud.link(EAST, WEST)["last_lag_ms"] < 10_000


def test_the_application_is_told_its_regions_endpoints_and_nameserver(cloud: OwnLab):
    lines = dict(line.split("=", 1) for line in (cloud.dir / "app.env").read_text().splitlines())
    state = cloud.client.state()
    endpoints = ",".join(
        f"{row['name']}=http://dynamodb.{row['name']}.amazonaws.com:{row['front']['port']}" for row in state["regions"]
    )
    assert lines == {
        "FAILOVER_REGIONS": f"{EAST},{WEST}",
        "FAILOVER_ENDPOINTS": endpoints,
        "FAILOVER_NAMESERVER": f"127.0.0.1:{state['nameserver']['port']}",
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    }


def test_control_json_names_the_lab_and_its_engines(cloud: OwnLab):
    control = json.loads((cloud.dir / "control.json").read_text())
    assert control["pid"] == cloud.process.pid
    assert sorted(engine["pid"] for engine in control["engines"].values()) == sorted(cloud.engine_pids())


def test_the_token_is_readable_by_its_owner_alone(cloud: OwnLab):
    assert stat.S_IMODE((cloud.dir / "control.token").stat().st_mode) == 0o600


def test_everything_listens_on_loopback_alone(cloud: OwnLab):
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("the kernel's list of sockets is Linux's")
    state = cloud.client.state()
    ports = {state["nameserver"]["port"], int(cloud.client.url.rsplit(":", 1)[1])}
    ports |= {row[part]["port"] for row in state["regions"] for part in ("engine", "front")}
    rows = [line.split() for line in listening.read_text().splitlines()[1:]]
    addresses = {int(row[1].split(":")[1], 16): row[1].split(":")[0] for row in rows if row[3] == "0A"}
    assert {addresses[port] for port in ports} == {"0100007F"}


def test_an_engine_killed_with_9_starts_empty_and_gets_everything_from_its_peer(cloud: OwnLab):
    items = [stamped(region) for region in (EAST, WEST) for _ in range(10)]
    for item in items:
        cloud.replica(item["updated_in"]["S"]).put("survey-votes", item)
    for item in items:
        cloud.wait_copied(item, WEST if item["updated_in"]["S"] == EAST else EAST)
    # Not replicated: only this engine has it.
    cloud.replica(EAST).put("survey-tallies", stamped(EAST))
    engine = cloud.region(EAST)["engine"]
    os.kill(engine["pid"], signal.SIGKILL)
    cloud.wait_running(EAST, incarnation=engine["incarnation"] + 1)
    assert cloud.contents(EAST, "survey-tallies") == [], "it did not start empty"
    assert cloud.contents(EAST) == cloud.contents(WEST)
    assert all(item in cloud.contents(EAST) for item in items)
    control = json.loads((cloud.dir / "control.json").read_text())
    assert control["engines"][EAST] == {name: cloud.region(EAST)["engine"][name] for name in ("pid", "port")}
    after = stamped(EAST)
    cloud.replica(EAST).put("survey-votes", after)
    cloud.wait_copied(after, WEST)
