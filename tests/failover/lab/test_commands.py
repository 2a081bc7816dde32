"""``manage.py fault`` and ``manage.py lab``: their output, and the exit code that a script reads."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from failover.lab.faults.kinds import KINDS, Layer
from tests.failover.lab.support import EAST, OwnLab
from tests.processes import manage

pytestmark = pytest.mark.lab


def fault(settings, cloud: OwnLab, *arguments: str) -> str:
    settings.LAB_DIR = cloud.dir
    out = StringIO()
    call_command("fault", *arguments, stdout=out)
    return out.getvalue()


def test_a_fault_is_set_checked_from_outside_listed_and_cleared(cloud: OwnLab, settings):
    output = fault(settings, cloud, EAST, "dns-empty", "--for", "120")
    assert output.startswith("dns-empty in us-east-1 for 120 s. Seen from outside: the nameserver answers NOERROR")
    assert "with 0 addresses for dynamodb.us-east-1.amazonaws.com" in output
    listed = fault(settings, cloud, "--list")
    assert listed.startswith("us-east-1  dns  dns-empty  ends in 1")
    cleared = fault(settings, cloud, "--clear", EAST)
    assert "dns-empty in us-east-1 is over. Seen from outside: the nameserver answers NOERROR with 1 addr" in cleared
    assert fault(settings, cloud, "--list").startswith("Nothing is broken.\nKinds of faults by layer")
    assert fault(settings, cloud, "--clear", EAST) == "Nothing is broken in us-east-1.\n"


def test_the_list_has_a_line_for_every_kind(cloud: OwnLab, settings):
    lines = fault(settings, cloud, "--list").splitlines()[2:]
    assert [line.strip() for line in lines if len(line.split()) == 1] == list(Layer)
    kinds = [line for line in lines if len(line.split()) > 1]
    assert {line.split()[0] for line in kinds} == {kind.name for kind in KINDS}
    assert all(len(line.split()) > 3 and len(line) <= 120 for line in kinds)


def test_the_list_shows_the_milliseconds_of_a_fault_that_has_some(cloud: OwnLab, settings):
    cloud.client.set_fault(EAST, "latency", seconds=60, ms=250)
    assert fault(settings, cloud, "--list").startswith("us-east-1  connection  latency  250 ms  ends")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(("mars", "refuse"), "unknown region 'mars': known are us-east-1, us-west-2", id="a region"),
        pytest.param((EAST, "flood"), "unknown fault 'flood': known are dns-empty", id="a kind"),
        pytest.param((EAST, "refuse", "--ms", "5"), "refuse takes no milliseconds", id="milliseconds it does not use"),
        pytest.param((EAST, "latency", "--ms", "0"), "latency takes 1 to 60000 milliseconds, not 0", id="too few"),
        pytest.param(
            (EAST, "replication-delay", "--ms", "100"),
            "replication-delay takes 500 to 600000 milliseconds, not 100",
            id="less than can be seen",
        ),
        pytest.param(
            (EAST, "freeze", "--keep-connections"),
            "freeze cuts no connections, so there are none to keep",
            id="connections to keep where none are cut",
        ),
        pytest.param((EAST, "tls-hang"), "tls-hang needs a lab with TLS: start it with LAB_TLS=1", id="no TLS"),
        pytest.param(
            (EAST, "refuse", "--for", "0"), "a fault lasts more than 0 and at most 3600 s, not 0", id="no time"
        ),
        pytest.param((EAST,), "say REGION KIND, --list, or --clear [REGION [KIND]]", id="a region and no kind"),
        pytest.param((), "say REGION KIND, --list, or --clear [REGION [KIND]]", id="nothing"),
        pytest.param(("--clear", "mars"), "unknown region 'mars'", id="an unknown region to clear"),
        pytest.param(("--clear", EAST, "flood"), "unknown fault 'flood': known are dns-empty", id="a kind to clear"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(cloud: OwnLab, settings, arguments, line: str):
    settings.LAB_DIR = cloud.dir
    with pytest.raises(CommandError) as refusal:
        call_command("fault", *arguments)
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert cloud.region(EAST)["faults"] == []


def test_a_second_fault_in_a_layer_is_refused_with_exit_code_3_and_the_first_stays(cloud: OwnLab):
    cloud.client.set_fault(EAST, "refuse", seconds=60)
    second = manage("fault", EAST, "blackhole", lab_dir=cloud.dir)
    assert (second.returncode, second.stdout) == (3, "")
    (line,) = second.stderr.splitlines()
    assert "refuse is in force in us-east-1's connection layer for another" in line
    assert [row["kind"] for row in cloud.region(EAST)["faults"]] == ["refuse"]


def test_faults_of_two_layers_are_listed_with_them_and_one_is_cleared_alone(cloud: OwnLab, settings):
    fault(settings, cloud, EAST, "dns-empty")
    hidden = fault(settings, cloud, EAST, "refuse") + fault(settings, cloud, EAST, "http-503")
    assert "Seen from outside: a connection to us-east-1" in hidden
    assert "Not checked: refuse in us-east-1 hides it" in hidden
    listed = fault(settings, cloud, "--list").splitlines()[:3]
    assert [line.split()[:3] for line in listed] == [
        [EAST, "dns", "dns-empty"],
        [EAST, "connection", "refuse"],
        [EAST, "reply", "http-503"],
    ]
    assert fault(settings, cloud, "--clear", EAST, "refuse").startswith("refuse in us-east-1 is over.")
    assert fault(settings, cloud, "--clear", EAST, "refuse") == "refuse is not in force in us-east-1.\n"
    assert [row["kind"] for row in cloud.region(EAST)["faults"]] == ["dns-empty", "http-503"]


def test_without_a_running_lab_the_command_says_how_to_start_one(tmp_path: Path, settings):
    settings.LAB_DIR = tmp_path
    with pytest.raises(CommandError, match=r"^no lab is running in LAB_DIR=.*: start `make demo`$"):
        call_command("fault", EAST, "refuse")


def test_a_second_lab_in_the_same_directory_is_refused_by_the_command(cloud: OwnLab, settings):
    settings.LAB_DIR = cloud.dir
    with pytest.raises(CommandError, match=rf"^a lab \(pid {cloud.process.pid}\) is already running in "):
        call_command("lab")
