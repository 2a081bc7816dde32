"""``manage.py fault`` and ``manage.py lab``: what a person reads, and the exit code that a script reads."""

from pathlib import Path

import pytest

from tests.lab.support import EAST, OwnLab
from tests.processes import manage

pytestmark = pytest.mark.lab


def test_a_fault_is_set_checked_from_outside_listed_and_cleared(cloud: OwnLab):
    done = manage("fault", EAST, "dns-empty", "--for", "120", lab_dir=cloud.dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dns-empty in us-east-1 for 120 s. Seen from outside: the nameserver answers NOERROR")
    assert "with 0 addresses for dynamodb.us-east-1.amazonaws.com" in done.stdout
    listed = manage("fault", "--list", lab_dir=cloud.dir).stdout
    assert listed.startswith("us-east-1  dns-empty  ends in 1")
    cleared = manage("fault", "--clear", EAST, lab_dir=cloud.dir)
    assert cleared.returncode == 0
    assert (
        "dns-empty in us-east-1 is over. Seen from outside: the nameserver answers NOERROR with 1 addr"
        in cleared.stdout
    )
    assert manage("fault", "--list", lab_dir=cloud.dir).stdout == "Nothing is broken.\n"
    assert manage("fault", "--clear", lab_dir=cloud.dir).stdout == "Nothing is broken.\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(("mars", "refuse"), "unknown region 'mars': known are us-east-1, us-west-2", id="a region"),
        pytest.param((EAST, "flood"), "unknown fault 'flood': known are dns-empty", id="a kind"),
        pytest.param((EAST, "refuse", "--ms", "5"), "refuse takes no milliseconds", id="milliseconds it does not use"),
        pytest.param(
            (EAST, "refuse", "--for", "0"), "a fault lasts more than 0 and at most 3600 s, not 0", id="no time"
        ),
        pytest.param((EAST,), "say REGION KIND, --list, or --clear [REGION]", id="a region and no kind"),
        pytest.param((), "say REGION KIND, --list, or --clear [REGION]", id="nothing"),
        pytest.param(("--clear", "mars"), "unknown region 'mars'", id="an unknown region to clear"),
        pytest.param(("--clear", EAST, "refuse"), "--clear takes at most a region", id="a kind to clear"),
    ],
)
def test_what_cannot_be_done_is_one_line_on_stderr_and_changes_nothing(cloud: OwnLab, arguments, line: str):
    done = manage("fault", *arguments, lab_dir=cloud.dir)
    assert (done.returncode, done.stdout) == (1, "")
    (said,) = done.stderr.splitlines()
    assert line in said
    assert cloud.region(EAST)["faults"] == []


def test_a_second_fault_is_refused_and_the_first_stays(cloud: OwnLab):
    cloud.client.set_fault(EAST, "refuse", seconds=60)
    done = manage("fault", EAST, "dns-empty", lab_dir=cloud.dir)
    assert done.returncode == 1
    assert "refuse is in force in us-east-1 for another" in done.stderr
    assert [row["kind"] for row in cloud.region(EAST)["faults"]] == ["refuse"]


def test_without_a_running_lab_the_command_says_how_to_start_one(tmp_path: Path):
    done = manage("fault", EAST, "refuse", lab_dir=tmp_path)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert f"no lab is running in {tmp_path}: start one with make demo or manage.py lab" in said


def test_a_second_lab_in_the_same_directory_is_one_line(cloud: OwnLab):
    done = manage("lab", lab_dir=cloud.dir)
    assert (done.returncode, done.stdout) == (1, "")
    (said,) = done.stderr.splitlines()
    assert f"a lab (pid {cloud.process.pid}) is already running in" in said
