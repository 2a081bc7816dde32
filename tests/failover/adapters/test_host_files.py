"""A worker's lock ends with it, however it ends; nothing that was left behind passes for a living one's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from failover.adapters.host_files import HostFiles, Published
from failover.core.exchange.reports import HostView, WorkerReport
from failover.core.exchange.totals import Totals, folded
from failover.core.status.types import StatusDocument
from tests.processes import ROOT

NOTHING: StatusDocument = {}  # type: ignore[typeddict-item]  # what people read does not matter here
REPORT = WorkerReport(1.0, 2.0, {}, answered=3)
HOLDER = """
import sys
from pathlib import Path
from failover.adapters.host_files import HostFiles
from failover.core.exchange.reports import WorkerReport
files = HostFiles(Path(sys.argv[1]))
files.hold("7-1")
files.write_report("7-1", WorkerReport(1.0, 2.0, {}, answered=3))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_is_gone_as_soon_as_its_process_is_also_before_anyone_waited_for_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    files = HostFiles(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert files.gone() == frozenset()

        process.send_signal(number)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but still in the process table
        assert files.gone() == {"7-1"}
    assert files.reports() == {"7-1": REPORT}


def test_a_report_without_a_lock_is_that_of_nobody(tmp_path: Path) -> None:
    files = HostFiles(tmp_path)
    files.write_report(f"{os.getpid()}-1", REPORT)  # a number that a process has says nothing

    assert files.gone() == {f"{os.getpid()}-1"}


def test_a_worker_that_was_killed_before_its_first_report_leaves_a_lock_that_is_removed(tmp_path: Path) -> None:
    files = HostFiles(tmp_path)
    files.hold("1-1")
    files.release("1-1")
    (tmp_path / "workers" / "1-1.77.tmp").write_text("{")

    for worker in files.gone():
        files.forget(worker)

    assert list((tmp_path / "workers").iterdir()) == []


def test_looking_at_a_worker_does_not_take_its_lock_away(tmp_path: Path) -> None:
    files, other = HostFiles(tmp_path), HostFiles(tmp_path)
    files.hold("1-1")

    assert [other.gone() for _ in range(3)] == [frozenset()] * 3
    files.release("1-1")
    assert other.gone() == {"1-1"}


def test_who_begins_while_the_monitor_tidies_is_never_taken_for_gone(tmp_path: Path) -> None:
    files, monitor = HostFiles(tmp_path), HostFiles(tmp_path)
    done = threading.Event()

    def tidying() -> None:
        while not done.is_set():
            for worker in monitor.gone():
                monitor.forget(worker)

    thread = threading.Thread(target=tidying)
    thread.start()
    try:
        for number in range(300):
            files.hold(f"1-{number}")
            files.write_report(f"1-{number}", REPORT)
    finally:
        done.set()
        thread.join(30)

    assert len(monitor.reports()) == 300
    for number in range(300):
        files.release(f"1-{number}")
    assert len(monitor.gone()) == 300


def test_a_directory_that_is_gone_holds_nobody(tmp_path: Path) -> None:
    files = HostFiles(tmp_path)
    (tmp_path / "workers").rmdir()

    assert files.gone() == frozenset()


def test_a_monitor_tidies_the_draft_that_one_before_it_was_killed_over(tmp_path: Path) -> None:
    files = HostFiles(tmp_path)
    files.write_totals(Totals())
    (tmp_path / "status.77.tmp").write_text("{")

    files.tidy()

    assert {path.name for path in tmp_path.iterdir()} == {"totals.json", "workers"}


def test_totals_are_kept_and_what_is_none_counts_as_nothing(tmp_path: Path) -> None:
    files = HostFiles(tmp_path)
    assert files.totals() == Totals()
    files.write_totals(folded(Totals(), {"1-1": REPORT}))
    assert files.totals() == folded(Totals(), {"1-1": REPORT})

    (tmp_path / "totals.json").write_text('{"gone": 1}')
    assert files.totals() == Totals()


@pytest.mark.parametrize("at", ["soon", None, [], 10**400], ids=["a word", "none", "a list", "beyond all numbers"])
def test_what_was_published_at_no_time_was_not_published(at: object, tmp_path: Path) -> None:
    HostFiles(tmp_path).publish(HostView(None, {}), NOTHING, at=1.0)
    assert HostFiles(tmp_path).published(now=5.0) == Published(1.0, HostView(None, {}, 4.0), NOTHING)
    content = json.loads((tmp_path / "status.json").read_text())

    (tmp_path / "status.json").write_text(json.dumps(content | {"at": at}))

    assert HostFiles(tmp_path).published(now=5.0) is None


def test_what_was_published_by_a_clock_that_was_set_back_since_is_new(tmp_path: Path) -> None:
    HostFiles(tmp_path).publish(HostView(None, {}), NOTHING, at=5000.0)

    published = HostFiles(tmp_path).published(now=5.0)

    assert published is not None
    assert published.view.age_s == 0.0
