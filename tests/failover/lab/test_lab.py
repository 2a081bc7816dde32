"""The lab as a process: its files, its regions, its replication, its end."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.failover.lab.support import EAST, TABLES, WEST, OwnLab, lives, own_lab, stamped
from tests.processes import ROOT
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
    wait_until(lambda: cloud.link(EAST, WEST)["backlog"] == 0, within=20, what="nothing is left to copy")
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
    found = {int(row[1].split(":")[1], 16): row[1].split(":")[0] for row in rows if row[3] == "0A"}
    assert {found[port] for port in ports} == {"0100007F"}


def test_a_second_lab_in_the_same_directory_is_refused_in_one_line(cloud: OwnLab):
    command = [
        sys.executable,
        "-m",
        "failover.lab",
        "--lab-dir",
        str(cloud.dir),
        "--specs",
        str(cloud.dir / "tables.json"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert f"a lab (pid {cloud.process.pid}) is already running in {cloud.dir}" in line
    assert cloud.client.state()["pid"] == cloud.process.pid


def test_an_engine_killed_with_9_starts_empty_and_gets_everything_from_its_peer(tmp_path: Path):
    with own_lab(tmp_path / "lab", LAB_RTT_MS="0") as lab:
        items = [stamped(region) for region in (EAST, WEST) for _ in range(10)]
        for item in items:
            lab.replica(item["updated_in"]["S"]).put("survey-votes", item)
        for item in items:
            lab.wait_copied(item, WEST if item["updated_in"]["S"] == EAST else EAST)
        regional = stamped(EAST)
        lab.replica(EAST).put("survey-tallies", regional)
        pid = lab.region(EAST)["engine"]["pid"]
        os.kill(pid, signal.SIGKILL)
        lab.wait_running(EAST, incarnation=2)
        assert lab.contents(EAST, "survey-tallies") == [], "it did not start empty"
        assert lab.contents(EAST) == lab.contents(WEST)
        assert len(lab.contents(EAST)) == len(items)
        control = json.loads((lab.dir / "control.json").read_text())
        assert control["engines"][EAST] == {name: lab.region(EAST)["engine"][name] for name in ("pid", "port")}
        after = stamped(EAST)
        lab.replica(EAST).put("survey-votes", after)
        lab.wait_copied(after, WEST)


def test_a_restarted_lab_keeps_its_data_and_makes_the_regions_equal(tmp_path: Path):
    with own_lab(tmp_path / "lab") as lab:
        lab.client.set_fault(EAST, "replication-pause")
        items = [stamped(region) for region in (EAST, WEST)]
        for item in items:
            lab.replica(item["updated_in"]["S"]).put("survey-votes", item)
        assert lab.contents(EAST) != lab.contents(WEST)
    with own_lab(tmp_path / "lab") as lab:
        assert lab.contents(EAST) == lab.contents(WEST)
        assert len(lab.contents(EAST)) == len(items)
        assert all(row["faults"] == [] for row in lab.client.state()["regions"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_the_lab_its_engines_and_its_files(tmp_path: Path, number: signal.Signals):
    with own_lab(tmp_path / "lab") as lab:
        pids, state = lab.engine_pids(), lab.client.state()
        os.kill(pids[0], signal.SIGSTOP)  # a frozen engine has to end too
        lab.process.send_signal(number)
        assert lab.process.wait(25) == 0
        assert not any(lives(pid) for pid in pids)
        assert not [name for name in ("app.env", "control.json", "control.token") if (lab.dir / name).exists()]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", state["regions"][0]["front"]["port"])) != 0


def test_a_lab_killed_with_9_leaves_no_engine_behind_and_its_data_to_the_next(tmp_path: Path):
    with own_lab(tmp_path / "lab") as lab:
        item = stamped(EAST)
        lab.replica(EAST).put("survey-votes", item)
        pids = lab.engine_pids()
        lab.process.kill()
        wait_until(lambda: not any(lives(pid) for pid in pids), within=20, what="the engines are gone")
        assert (lab.dir / "app.env").exists(), "a killed lab cannot tidy up; the next one has to"
    with own_lab(tmp_path / "lab") as lab:
        assert lab.contents(EAST) == lab.contents(WEST) == [item]


def test_an_engine_that_a_killed_lab_left_frozen_is_gone_before_the_next_one_serves(tmp_path: Path):
    with own_lab(tmp_path / "lab") as lab:
        pid = lab.engine_pids()[0]
        os.kill(pid, signal.SIGSTOP)
        lab.process.kill()
        lab.process.wait(5)
        with own_lab(tmp_path / "lab") as second:
            assert not lives(pid)
            assert second.client.state()["pid"] != lab.process.pid


def test_the_lab_ends_with_the_parent_that_holds_its_lifeline(tmp_path: Path):
    with own_lab(tmp_path / "lab") as lab:
        pids = lab.engine_pids()
    assert lab.process.returncode == 0
    assert not any(lives(pid) for pid in pids)


def test_an_engine_that_is_not_installed_is_one_line_and_leaves_nothing_behind(tmp_path: Path):
    specs = tmp_path / "tables.json"
    specs.write_text(json.dumps([vars(spec) for spec in TABLES]))
    done = subprocess.run(
        [sys.executable, "-m", "failover.lab", "--lab-dir", str(tmp_path / "lab"), "--specs", str(specs)],
        cwd=ROOT,
        env={**os.environ, "LAB_MINISTACK": str(tmp_path / "nowhere")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "the engine ministack is not installed" in line
    assert not (tmp_path / "lab" / "app.env").exists()


def test_a_region_that_could_not_save_is_said_at_the_end_and_keeps_its_last_snapshot(tmp_path: Path):
    with own_lab(tmp_path) as first:
        kept = stamped(EAST)
        first.replica(EAST).put("survey-votes", kept)
        first.wait_copied(kept, WEST)
    assert first.process.returncode == 0
    # What a full disk does to the engine's save: the file beside the snapshot cannot be written.
    for region in (EAST, WEST):
        (tmp_path / "engines" / region / "data" / "dynamodb.json.tmp").mkdir()
    with own_lab(tmp_path) as second:
        lost = stamped(EAST)
        second.replica(EAST).put("survey-votes", lost)
        second.process.send_signal(signal.SIGTERM)
        said = second.process.communicate(timeout=60)[0]
    assert second.process.returncode == 1
    assert f"lab: the tables of {EAST} and {WEST} could not be saved in {tmp_path}: is the disk full?" in said
    for region in (EAST, WEST):
        (tmp_path / "engines" / region / "data" / "dynamodb.json.tmp").rmdir()
    with own_lab(tmp_path) as third:
        for region in (EAST, WEST):
            assert kept in third.contents(region)
            assert lost not in third.contents(region)
