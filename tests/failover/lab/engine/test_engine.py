"""An engine on its leash, and the engine that an earlier lab may have left behind."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.lab.config import EngineKind, LabConfig
from failover.lab.engine.engine import LEASH, Engine
from failover.lab.engine.leash import UNSAVED
from failover.lab.engine.leftover import clear_leftover
from failover.lab.engine.programs import refuse_another_engine
from failover.lab.errors import LabError
from tests.failover.lab.support import lives
from tests.waiting import wait_until

# Holds the lock as an engine does, says its pid, and lives on until it gets a signal.
HOLDER = """
import fcntl, os, signal, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def hold(folder: Path, processes: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLDER, str(folder / "engine.lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    processes.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    (folder / "engine.pid").write_text(str(process.pid))
    return process


def leash(folder: Path, program: str, processes: list[subprocess.Popen[bytes]]) -> tuple[subprocess.Popen[bytes], int]:
    arguments = [str(folder), str(folder / "log"), "0.5", str(folder / "snapshot")]
    command = [sys.executable, "-I", str(LEASH), *arguments, sys.executable, "-c", program]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    processes.append(process)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_a_leftover_engine_that_holds_the_lock_is_stopped(tmp_path: Path, processes):
    leftover = hold(tmp_path, processes)
    clear_leftover(tmp_path, stopping=threading.Event())
    assert leftover.wait(5) != 0


def test_a_pid_in_an_old_file_is_not_signalled_when_nobody_holds_the_lock(tmp_path: Path, processes):
    (tmp_path / "elsewhere").mkdir()
    stranger = hold(tmp_path / "elsewhere", processes)
    (tmp_path / "engine.pid").write_text(str(stranger.pid))
    clear_leftover(tmp_path, stopping=threading.Event())
    assert stranger.poll() is None


def test_an_engine_ends_when_the_other_end_of_its_leash_is_let_go(tmp_path: Path, processes):
    process, pid = leash(tmp_path, "import signal; signal.pause()", processes)
    assert lives(pid)
    process.communicate(timeout=10)
    assert not lives(pid)
    assert not (tmp_path / "running").exists(), "an orderly end was taken for a crash"


@pytest.mark.parametrize(("saves", "code"), [(True, 0), (False, UNSAVED)])
def test_an_engine_that_ended_without_saving_is_told_apart_and_its_last_snapshot_is_kept(
    saves: bool, code: int, tmp_path: Path, processes
):
    (tmp_path / "snapshot").write_text("old")
    write = f"open('{tmp_path}/new', 'w').write('new'); os.replace('{tmp_path}/new', '{tmp_path}/snapshot')"
    on_term = f"{write if saves else 'None'}; sys.exit(0)"
    program = f"import os, signal, sys\ndef end(*_):\n    {on_term}\nsignal.signal(signal.SIGTERM, end)\n"
    process, _pid = leash(tmp_path, f"{program}open('{tmp_path}/up', 'w').close()\nsignal.pause()", processes)
    wait_until((tmp_path / "up").exists, within=20, what="the engine runs")
    process.communicate(timeout=30)
    assert process.returncode == code
    assert (tmp_path / "snapshot").read_text() == ("new" if saves else "old")
    assert not (tmp_path / "running").exists(), "the next start would throw the snapshot away"


def test_an_engine_that_ignores_sigterm_is_killed_at_the_deadline_and_its_data_is_not_trusted(tmp_path, processes):
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('{tmp_path / 'deaf'}', 'w').close()"
    process, pid = leash(tmp_path, f"{deaf}\nwhile True: signal.pause()", processes)
    wait_until((tmp_path / "deaf").exists, within=20, what="the engine ignores SIGTERM")
    process.communicate(timeout=10)
    assert not lives(pid)
    assert (tmp_path / "running").exists()


def test_the_leash_of_an_engine_that_dies_by_itself_ends_and_its_data_is_not_trusted(tmp_path: Path, processes):
    process, pid = leash(tmp_path, "import signal; signal.pause()", processes)
    os.kill(pid, 9)
    assert process.wait(10) != 0
    assert (tmp_path / "running").exists()
    assert not (tmp_path / "engine.pid").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_an_engine_dies_with_a_killed_leash(tmp_path: Path, processes):
    process, pid = leash(tmp_path, "import signal; signal.pause()", processes)
    process.kill()
    wait_until(lambda: not lives(pid), within=20, what="the engine is gone")


def test_two_engines_cannot_run_in_one_folder(tmp_path: Path, processes):
    leash(tmp_path, "import signal; signal.pause()", processes)
    second = subprocess.run(
        [sys.executable, "-I", str(LEASH), str(tmp_path), str(tmp_path / "log"), "1", "", "true"],
        input=b"",
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert (second.returncode, second.stdout) == (75, b"")


def engine_of(tmp_path: Path, program: Path) -> Engine:
    config = LabConfig(tmp_path, ministack=program)
    return Engine(config, "us-east-1", on_crash=lambda _incarnation: None, stopping=threading.Event())


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\necho 'ModuleNotFoundError: hypercorn' >&2\nexit 1\n", "ModuleNotFoundError: hypercorn"),
        ("#!/nonexistent/bin/python\n", "could not be started: No such file or directory"),
    ],
    ids=["a program that dies at its imports", "a console script of a checkout that was moved"],
)
def test_an_engine_that_cannot_start_says_why_and_costs_no_data(script: str, words: str, tmp_path: Path):
    program = tmp_path / "ministack"
    program.write_text(script)
    program.chmod(0o755)
    data = tmp_path / "engines" / "us-east-1" / "data"
    data.mkdir(parents=True)
    (data / "tables.json").write_text("{}")

    for _attempt in range(2):
        with pytest.raises(LabError, match=words):
            engine_of(tmp_path, program).start()

    assert (data / "tables.json").exists(), "the next start would have found nothing"
    assert words in (tmp_path / "logs" / "engine-us-east-1.log").read_text()


def test_the_engine_runs_through_its_environments_own_python(tmp_path: Path):
    command = LabConfig(tmp_path).find_ministack()

    assert command[1:] == ["-I", "-m", "ministack"]


@pytest.mark.parametrize(
    ("file", "kept", "other"),
    [("state.json", "ministack", "dynamodb-local"), ("shared.db", "dynamodb-local", "ministack")],
)
def test_another_engine_on_the_same_directory_is_refused_and_the_votes_are_named(
    file: str, kept: str, other: str, tmp_path: Path
):
    data = tmp_path / "engines" / "us-east-1" / "data"
    data.mkdir(parents=True)
    (data / file).write_text("")
    with pytest.raises(LabError, match=f"keeps the votes of ENGINE={kept}"):
        refuse_another_engine(LabConfig(tmp_path, engine=EngineKind(other)))

    refuse_another_engine(LabConfig(tmp_path, engine=EngineKind(kept)))
    with pytest.raises(LabError, match=f"keeps the votes of ENGINE={kept}"):
        refuse_another_engine(LabConfig(tmp_path, engine=EngineKind(other)))
    assert (data / file).exists()
