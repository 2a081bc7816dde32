"""Starts this project's own processes for a test, and ends them by pid, also when the test fails."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
OWN = {"FAILOVER_ENDPOINTS", "FAILOVER_RUN_DIR", "DJANGO_SQLITE_PATH"}
"""Variables that count for the lab only under `tests.lab_settings`."""
MANAGE = [sys.executable, str(ROOT / "manage.py")]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manage_environment(lab_dir: Path, **extra: str) -> dict[str, str]:
    """This process's environment, without what it knows of other labs. What `tests.lab_settings` names is the test's
    word, where it gives one.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FAILOVER_", "DJANGO_", "AWS_", "SURVEY_"))}
    told = {**kept, "LAB_DIR": str(lab_dir), "PYTHONUNBUFFERED": "1", **extra}
    if not extra.keys().isdisjoint(OWN):
        told.setdefault("DJANGO_SETTINGS_MODULE", "tests.lab_settings")
    return told


@contextlib.contextmanager
def running(*arguments: str, lab_dir: Path, **extra: str) -> Iterator[subprocess.Popen[str]]:
    """`manage.py ARGUMENTS` in the background; SIGTERM at the end, SIGKILL if that takes longer than 20 s."""
    process = subprocess.Popen(
        [*MANAGE, *arguments],
        cwd=ROOT,
        env=manage_environment(lab_dir, **extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
        if process.stdout is not None and not process.stdout.closed:  # the test may have read it to its end
            process.communicate()


def wait_while_running(process: subprocess.Popen[str], probe: Callable[[], Any], *, within: float, what: str) -> None:
    """`wait_until` for something that the process is to bring about; a process that ended fails the test at once."""

    def running_and() -> Any:
        assert process.poll() is None, f"the process ended: {process.communicate()[0]}"
        return probe()

    wait_until(running_and, within=within, what=what)


def manage(*arguments: str, lab_dir: Path, timeout: float = 60, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs `manage.py ARGUMENTS` to its end and returns what it printed."""
    return subprocess.run(
        [*MANAGE, *arguments],
        cwd=ROOT,
        env=manage_environment(lab_dir, **extra),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process stands still until the block is over, however it ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
