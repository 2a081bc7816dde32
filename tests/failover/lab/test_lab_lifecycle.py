"""How a lab ends and starts again: by a signal, with its parent, killed, and on a full disk."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from failover.lab.faults import outside, verify
from tests.failover.lab.support import EAST, TABLES, WEST, OwnLab, lives, own_lab, stamped
from tests.processes import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def warned(lab: OwnLab, *arguments: str) -> str:
    """What ``manage.py fault ARGUMENTS`` writes to its standard error."""
    errors = StringIO()
    with override_settings(LAB_DIR=lab.dir):
        call_command("fault", *arguments, stdout=StringIO(), stderr=errors)
    return errors.getvalue()


def test_a_lab_ends_with_its_parent_and_the_next_has_its_data_but_no_fault_and_ends_by_ctrl_c(tmp_path: Path):
    with own_lab(tmp_path / "lab") as lab:
        lab.client.set_fault(WEST, "replication-pause", seconds=3000)
        items = [stamped(region) for region in (EAST, WEST)]
        for item in items:
            lab.replica(item["updated_in"]["S"]).put("survey-votes", item)
        assert lab.contents(EAST) != lab.contents(WEST)
        lab.client.set_fault(EAST, "freeze", seconds=3000)
        state, pids = lab.client.state(), lab.engine_pids()
    assert lab.process.returncode == 0
    assert not any(lives(pid) for pid in pids)
    assert outside.connects(outside.region_of(state, WEST)["front"]["port"]) == "refused"
    with own_lab(tmp_path / "lab") as lab:
        assert lab.contents(EAST) == lab.contents(WEST)
        assert len(lab.contents(EAST)) == len(items)
        assert [row["faults"] for row in lab.client.state()["regions"]] == [[], []]
        for region in (EAST, WEST):
            assert verify.is_gone(lab.client.state(), {"kind": "freeze", "layer": "engine", "region": region}).holds
        pids, state = lab.engine_pids(), lab.client.state()
        os.kill(pids[0], signal.SIGSTOP)  # a frozen engine has to end too
        lab.process.send_signal(signal.SIGINT)
        assert lab.process.wait(25) == 0
        assert not any(lives(pid) for pid in pids)
        assert not [name for name in ("app.env", "control.json", "control.token") if (lab.dir / name).exists()]
        assert outside.connects(outside.region_of(state, EAST)["front"]["port"]) == "refused"


def test_a_lab_killed_with_9_leaves_its_data_to_the_next_and_no_engine_though_it_is_frozen(tmp_path: Path):
    with own_lab(tmp_path / "lab") as lab:
        item = stamped(EAST)
        lab.replica(EAST).put("survey-votes", item)
        lab.client.set_fault(EAST, "freeze", seconds=3000)
        pids = lab.engine_pids()
        lab.process.kill()
        lab.process.wait(5)
    with own_lab(tmp_path / "lab") as lab:
        assert not any(lives(pid) for pid in pids), "it serves beside an engine of the first"
        assert lab.contents(EAST) == lab.contents(WEST) == [item]
        for region in (EAST, WEST):
            lab.client.set_fault(region, "freeze", seconds=3000)
        pids = lab.engine_pids()
        lab.process.kill()
        wait_until(lambda: not any(lives(pid) for pid in pids), within=20, what="the frozen engines are gone")
        assert (lab.dir / "app.env").exists(), "a killed lab cannot tidy up; the next one has to"


def test_a_region_that_could_not_save_is_said_at_the_end_and_keeps_its_last_snapshot(tmp_path: Path):
    regions = (EAST, WEST)
    # What a full disk does to the engine's save: the file beside the snapshot cannot be written.
    obstacles = [tmp_path / "engines" / region / "data" / "dynamodb.json.tmp" for region in regions]
    with own_lab(tmp_path) as lab:
        kept, lost = stamped(EAST), stamped(EAST)
        lab.replica(EAST).put("survey-votes", kept)
        lab.wait_copied(kept, WEST)
        for region in regions:
            assert warned(lab, region, "stop") == ""  # it saves
        lab.client.clear()
        for obstacle in obstacles:
            obstacle.mkdir()
        lab.replica(EAST).put("survey-votes", lost)
        lab.wait_copied(lost, WEST)
        assert "us-east-1 could not save its tables" in warned(lab, EAST, "stop")
        lab.client.clear()
        assert lost in lab.contents(EAST), "the other region has it"
        lab.process.send_signal(signal.SIGTERM)
        output = lab.process.communicate(timeout=60)[0]
    assert lab.process.returncode == 1
    assert f"lab: the tables of {EAST} and {WEST} could not be saved in {tmp_path}: is the disk full?" in output
    for obstacle in obstacles:
        obstacle.rmdir()
    with own_lab(tmp_path) as lab:
        for region in regions:
            assert kept in lab.contents(region)
            assert lost not in lab.contents(region)


def test_an_engine_that_is_not_installed_is_one_line_and_leaves_nothing_behind(tmp_path: Path):
    specs = tmp_path / "tables.json"
    specs.write_text(json.dumps([vars(spec) for spec in TABLES]))
    lab = subprocess.run(
        [sys.executable, "-m", "failover.lab", "--lab-dir", str(tmp_path / "lab"), "--specs", str(specs)],
        cwd=ROOT,
        env={**os.environ, "LAB_MINISTACK": str(tmp_path / "nowhere")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (lab.returncode, lab.stdout) == (1, "")
    (line,) = lab.stderr.splitlines()
    assert "the engine ministack is not installed" in line
    assert not (tmp_path / "lab" / "app.env").exists()
