"""Start this project's own processes for a test, and end them by pid, also when the test fails."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
OWN = {"FAILOVER_ENDPOINTS", "FAILOVER_RUN_DIR", "DJANGO_SQLITE_PATH"}
"""Variables that the lab's settings override; `tests.lab_settings` takes them from the environment."""
MANAGE = [sys.executable, str(ROOT / "manage.py")]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy" / "gunicorn.conf.py")]
AT_ONCE = 3
"""Commands that run side by side: a command starts on one core while another waits for a region or for a disk."""
CaseT = TypeVar("CaseT")
OutcomeT = TypeVar("OutcomeT")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manage_environment(lab_dir: Path, **extra: str) -> dict[str, str]:
    """This process's environment without its settings for other labs, and with `extra`.

    The lab's own settings override the variables in `OWN`. Where `extra` has one of them, `tests.lab_settings` is used
    instead, which keeps them.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FAILOVER_", "DJANGO_", "AWS_", "SURVEY_"))}
    environment = {**kept, "LAB_DIR": str(lab_dir), "PYTHONUNBUFFERED": "1", **extra}
    if not extra.keys().isdisjoint(OWN):
        environment.setdefault("DJANGO_SETTINGS_MODULE", "tests.lab_settings")
    return environment


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
        if process.stdout is not None and not process.stdout.closed:  # unless the test has read all of it
            process.communicate()


def wait_while_running(process: subprocess.Popen[str], probe: Callable[[], Any], *, within: float, what: str) -> None:
    """`wait_until` for what the process must bring about. A process that ends first fails the test at once."""

    def running_and() -> Any:
        assert process.poll() is None, f"the process ended: {process.communicate()[0]}"
        return probe()

    wait_until(running_and, within=within, what=what)


def manage(*arguments: str, lab_dir: Path, timeout: float = 60, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs `manage.py ARGUMENTS` to its end; returns its exit code and what it printed."""
    return subprocess.run(
        [*MANAGE, *arguments],
        cwd=ROOT,
        env=manage_environment(lab_dir, **extra),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def side_by_side(run: Callable[[CaseT], OutcomeT], cases: Iterable[CaseT]) -> list[OutcomeT]:
    """`run(case)` for each case, a few at once, in threads; the outcomes in the order of the cases.

    For commands that do not depend on each other: starting one takes a second, most of it on a single core.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, cases))


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stops a process (SIGSTOP) until the end of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
