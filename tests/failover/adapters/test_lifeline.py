"""A child that holds a lifeline ends when its parent is gone, however it went."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from failover.adapters import lifeline
from tests.processes import ROOT
from tests.waiting import wait_until

CHILD = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from failover.adapters import lifeline
lifeline.hold(lambda: os._exit(0))
print(os.getpid(), flush=True)
threading.Event().wait(120)
"""
PARENT = """
import os, subprocess, sys
alive, kept = os.pipe()
os.set_inheritable(alive, True)
environment = {**os.environ, "SURVEY_LIFELINE_FD": str(alive)}
subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], env=environment, pass_fds=(alive,))
sys.stdin.read()
"""


def gone(pid: int) -> bool:
    """Whether a process has ended; one that is only waiting to be reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT), CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    try:
        child = int(parent.stdout.readline())
        assert not gone(child)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.communicate()

    wait_until(lambda: gone(child), within=10, what="the child ends")


def called(environ: dict[str, str]) -> threading.Event:
    event = threading.Event()
    lifeline.hold(event.set, environ)
    return event


def test_it_holds_as_long_as_the_pipe_does() -> None:
    reading, writing = os.pipe()
    event = called({lifeline.VARIABLE: str(reading)})
    try:
        assert not event.wait(0.2)
    finally:
        os.close(writing)

    assert event.wait(10)
    os.close(reading)


def test_without_the_variable_or_with_nonsense_nothing_happens() -> None:
    for text in (None, "", "x", "-1", "999999", "9" * 40):
        assert not called({} if text is None else {lifeline.VARIABLE: text}).wait(0.05)


def test_a_file_of_ours_that_has_the_number_by_chance_is_no_lifeline(tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.touch()
    with path.open() as handle:
        assert not called({lifeline.VARIABLE: str(handle.fileno())}).wait(0.3)
