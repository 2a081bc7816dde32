"""LAB_DIR on a disk that is full or read-only: reading works, votes are taken, and a failed save is reported."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.disks import fill, fill_file, make_room, mounted, small_disk
from tests.integration.demo import PHONES, READY_S, Demo, demo_and_process, demo_in, named
from tests.processes import manage, running, side_by_side
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

READING = [
    (("survey", "list"), "DEMO20"),
    (("survey", "export", "DEMO20"), '"questions"'),
    (("survey", "export", "DEMO20", "--ballots"), "voter-unsaved"),
    (("survey", "audit", "DEMO20"), "equal"),
    (("regions",), "us-east-1"),
    (("regions", "--json"), '"regions"'),
    (("fault", "--list"), "Kinds of faults"),
    (("check",), "no issues"),
]


@pytest.fixture(scope="module")
def full_and_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, subprocess.Popen[str]]]:
    """A demo with a saved vote of its first run and an unsaved one of its second run, in which its disk ran full."""
    with small_disk(tmp_path_factory.mktemp("full") / "disk") as disk:
        with demo_in(disk / "lab", LAB_RTT_MS="0") as demo:
            assert demo.vote("voter-saved", named(), {"q1": "o1"}).status_code == 201
            demo.store()
        with demo_and_process(disk / "lab", LAB_RTT_MS="0") as (demo, process):
            assert demo.vote("voter-unsaved", named(), {"q1": "o1"}).status_code == 201
            demo.store()
            fill(disk)
            yield demo, process


@pytest.fixture(scope="module")
def full(full_and_process: tuple[Demo, subprocess.Popen[str]]) -> Demo:
    """The same demo, for tests that leave it running."""
    return full_and_process[0]


def assert_reading_works(lab_dir: Path) -> None:
    """Every command that only reads succeeds in `lab_dir` and prints what it should."""
    finished = side_by_side(lambda case: manage(*case[0], lab_dir=lab_dir), READING)
    for (command, shown), done in zip(READING, finished, strict=True):
        assert done.returncode == 0, (command, done.stderr)
        assert shown in done.stdout, command
        assert "Traceback" not in done.stderr, (command, done.stderr)


def test_commands_that_only_read_work_on_a_full_disk(full: Demo):
    assert_reading_works(full.lab_dir)


def test_commands_that_only_read_work_on_a_read_only_disk(full: Demo, tmp_path: Path):
    with mounted(tmp_path / "same", "--bind", "-o", "ro", str(full.lab_dir)) as same:
        with pytest.raises(OSError, match="Read-only"):
            (same / "anything").touch()
        assert_reading_works(same)


def test_web_workers_that_start_on_a_full_disk_serve_pages_and_take_votes(full: Demo):
    web = json.loads((full.lab_dir / "demo.json").read_text())["pids"]["web"]
    os.killpg(web, signal.SIGKILL)

    def answers() -> bool:
        try:
            return PHONES.get(f"{full.url}/s/DEMO20/").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers, within=READY_S, what="the web tier is back")
    assert full.vote("voter-behind", named(), {"q1": "o2"}).status_code == 201


def test_check_needs_no_lab_and_no_disk_that_can_be_written(tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk:
        (disk / "lab").mkdir()
        fill(disk)
        done = manage("check", lab_dir=disk / "lab")
        refused = manage("demo", lab_dir=disk / "lab", DEMO_PASSWORD="a-password-of-ours")

    assert done.returncode == 0, done.stderr
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert f"LAB_DIR={disk / 'lab'}: cannot be used: " in line


def test_a_lab_alone_says_that_its_disk_is_nearly_full(tmp_path: Path):
    with (
        small_disk(tmp_path / "disk") as disk,
        running("lab", lab_dir=disk / "lab", LAB_RTT_MS="0") as process,
    ):
        assert process.stdout is not None
        line = next(line for line in process.stdout if "MB left" in line)
    assert f"the disk of LAB_DIR={disk / 'lab'} has " in line


def test_a_sign_in_on_a_full_disk_is_refused_with_what_does_not_work(full: Demo):
    with httpx.Client(base_url=full.url, trust_env=False, timeout=30) as browser:
        browser.get("/admin/login/")
        secret = {"csrfmiddlewaretoken": next(v for k, v in browser.cookies.items() if k.startswith("csrf"))}
        password = (full.lab_dir / "demo-password").read_text().strip()
        reply = browser.post("/admin/login/", data={**secret, "username": "instructor", "password": password})

    assert reply.status_code == 503
    assert "Votes and results are not affected" in reply.text


def test_a_stop_on_a_full_disk_says_that_nothing_was_saved_and_keeps_what_was(
    full_and_process: tuple[Demo, subprocess.Popen[str]],
):
    """The last test of this demo, which it ends."""
    demo, process = full_and_process
    fill(demo.lab_dir.parent)
    fill_file(demo.lab_dir / "logs" / "lab.out")
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=120)[0]

    assert process.returncode == 1
    last = output.strip().splitlines()[-1]
    assert f"the votes could not be saved in LAB_DIR={demo.lab_dir}: is the disk full?" in last
    assert "Traceback" not in output
    make_room(demo.lab_dir.parent)
    with demo_in(demo.lab_dir, LAB_RTT_MS="0") as again:
        assert {ballot.voter for ballot in again.rows("us-west-2")} == {"voter-saved"}
