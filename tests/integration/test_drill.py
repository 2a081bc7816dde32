"""Drills in a real demo: the outage that one command plays, the evidence that it leaves, its end by force; and
the single-region application beside it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from failover.lab.control.client import LabClient
from failover.lab.files import DRILL_LOCK, DirLock
from tests.integration.demo import Demo, demo_in
from tests.processes import ROOT, manage_environment
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
BROWSER = httpx.Client(trust_env=False, timeout=30)

DRILL = """
title = "A short night"
claim = "A name does not resolve for a while."
question = "Who keeps taking votes?"
steady = "Every vote is acknowledged."
limits = "It is short."
rollback = "manage.py fault --clear"
seconds = 9
strategies = ["single-region", "router"]

[students]
rate = 15
students = 60
tries = 2

[[timeline]]
at = 2
do = "fault"
region = "first"
kind = "dns-empty"
text = "the name is gone"

[[timeline]]
at = 2.5
do = "fault"
region = "first"
kind = "replication-delay"
ms = 500
text = "replication falls behind"

[[timeline]]
at = 6.5
do = "clear"
text = "all is mended"

[[hypothesis]]
text = "our application fails no vote"
measure = "failed"
most = 0

[[hypothesis]]
text = "and loses none"
measure = "lost"
most = 0

[[hypothesis]]
strategy = "single-region"
text = "a single region fails the votes of the outage"
measure = "failed"
least = 0.2
share = true
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    lab_dir = tmp_path_factory.mktemp("drill")
    # Each drill opens a circuit, and each opening is held longer than the one before.
    with demo_in(lab_dir, LAB_RTT_MS="20", FAILOVER_HOLD_S="1") as demo:
        (lab_dir / "short.toml").write_text(DRILL)
        yield demo
    assert processes_of_stock(demo) == [], "it ends with the demo"


def drill(demo: Demo, *arguments: str) -> subprocess.Popen[str]:
    """`manage.py drill` with the short drill, in the background."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "drill", str(demo.lab_dir / "short.toml"), *arguments],
        cwd=ROOT,
        env=manage_environment(demo.lab_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def faults(demo: Demo) -> list[str]:
    return [fault["kind"] for row in LabClient(demo.lab_dir).state()["regions"] for fault in row["faults"]]


def processes_of_drills(demo: Demo) -> list[str]:
    """What a drill started and has not ended."""
    commands = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if "failover.drills" in command and str(demo.lab_dir) in command + str(process.environ()):
                commands.append(command)
        except psutil.Error:
            continue
    return commands


def test_a_drill_counts_every_vote_of_two_strategies_and_leaves_evidence(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "evidence"
    process = drill(demo, "--out", str(out), "--seed", "1")
    output, _ = process.communicate(timeout=170)
    assert process.returncode == 0, output
    report = json.loads((out / "report.json").read_text())
    runs = {run["strategy"]: run for run in report["runs"]}
    ours, stock = runs["router"], runs["single-region"]
    assert (ours["votes"]["failed"], ours["votes"]["lost"], ours["votes"]["duplicated"]) == (0, 0, 0)
    assert stock["votes"]["failed"] > 0.2 * stock["votes"]["attempted"]
    assert ours["votes"]["attempted"] == stock["votes"]["attempted"]
    assert sum(ours["regions"].values()) == ours["votes"]["acknowledged"]
    assert min(ours["regions"].values()) > 0, "the failover is real: votes arrived through it"
    assert ours["clocks_agree"]
    assert [row["held"] for run in report["runs"] for row in run["hypothesis"]] == [True] * 3
    assert "Seen from outside" in str(ours["timeline"])
    assert f"last digest {report['digest']}" in output
    assert "lines agree with the report" in demo.output_of("drill", "verify", str(out), report["digest"])
    altered = (out / "ledger.jsonl").read_text().replace("acknowledged", "acknowledges", 1)
    (out / "ledger.jsonl").write_text(altered)
    done = demo.manage("drill", "verify", str(out))
    assert (done.returncode, "was altered" in done.stderr) == (1, True)
    assert faults(demo) == []
    assert processes_of_drills(demo) == []
    assert LabClient(demo.lab_dir).state()["drill_tables"] == []
    again = demo.manage("drill", str(demo.lab_dir / "short.toml"), "--out", str(out))
    assert (again.returncode, "written over" in again.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_drill_that_ends_in_the_middle_leaves_nothing_broken_and_nothing_running(
    demo: Demo, number: signal.Signals
) -> None:
    demo.mend()
    process = drill(demo)
    try:
        wait_until(lambda: faults(demo), within=90, what="the drill has broken something")
        os.kill(process.pid, number)
        wait_until(lambda: not faults(demo), within=30, what="the faults are gone")
        wait_until(lambda: not processes_of_drills(demo), within=30, what="no process of the drill is left")
        wait_until(lambda: LabClient(demo.lab_dir).state()["drill_tables"] == [], within=30, what="its tables are gone")
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        print(process.communicate()[0])  # noqa: T201  (pytest shows it when the test fails)
    if number is signal.SIGINT:
        assert process.returncode == 2, output
        assert "everything that was broken is mended" in output


def test_a_drill_does_not_begin_where_something_is_broken(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would measure another outage than its own."""
    from failover.drills.exports import ExportFailed
    from failover.drills.play import preflight

    lab, lines = LabClient(demo.lab_dir), []
    demo.fault("us-west-2", "latency", "--ms", "1", "--for", "60")
    with pytest.raises(ExportFailed, match="broken already: latency in us-west-2"):
        preflight.await_steady(lab, say=lines.append, within_s=0.5)
    assert lines == ["waiting for the steady state: broken already: latency in us-west-2"]
    demo.mend()
    preflight.await_steady(lab, say=lines.append)
    demo.output_of("routing", "pin", "us-west-2", "--reason", "a test")
    wait_until(lambda: "pinned to us-west-2" in preflight.not_steady(lab), within=20, what="the pin is seen")
    demo.mend()


def test_a_second_drill_at_the_same_time_is_one_line(demo: Demo, tmp_path: Path) -> None:
    first = DirLock(demo.lab_dir, DRILL_LOCK, "drill")
    first.take()
    try:
        process = drill(demo, "--out", str(tmp_path / "second"))
        output, _ = process.communicate(timeout=60)
    finally:
        first.release()
    assert (process.returncode, "a drill (pid" in output) == (2, True), output
    assert not (tmp_path / "second").exists()
    assert faults(demo) == []


# The single-region application at /stock/.


def processes_of_stock(demo: Demo) -> list[int]:
    pids = []
    for process in psutil.process_iter():
        try:
            if "failover.drills.stock" in " ".join(process.cmdline()) and str(demo.lab_dir) in str(process.environ()):
                pids.append(process.pid)
        except psutil.Error:
            continue
    return pids


def address(demo: Demo) -> str:
    """Where `/stock/` sends a browser, once it does."""

    def sent() -> str | None:
        reply = BROWSER.get(f"{demo.url}/stock/")
        assert reply.status_code in (200, 302)
        if reply.status_code == 200:
            assert '<a href="/stock/">' in reply.text
            return None
        return reply.headers["Location"]

    return wait_until(sent, within=60, what="the single-region application has started")


def test_it_is_started_by_its_first_use_and_not_before(demo: Demo) -> None:
    assert json.loads((demo.lab_dir / "demo.json").read_text())["stock"] is None
    assert processes_of_stock(demo) == []
    page = BROWSER.get(address(demo))
    assert page.status_code == 200
    assert "Have you deployed anything to a cloud before?" in page.text
    assert len(processes_of_stock(demo)) == 2, "gunicorn and its one worker"


def test_its_page_loads_our_style_sheets_and_nothing_else(demo: Demo) -> None:
    page = BROWSER.get(address(demo))
    assert f"style-src {demo.url}" in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert len(sheets) == 3
    assert {BROWSER.get(sheet).status_code for sheet in sheets} == {200}
    assert "<script" not in page.text


def test_it_goes_dark_with_its_region_while_ours_takes_votes(demo: Demo) -> None:
    url, vote = address(demo), {"q_q1": "o1"}
    assert "Your vote is recorded" in BROWSER.post(url, data=vote).text
    LabClient(demo.lab_dir).set_fault("us-east-1", "dns-empty", seconds=60)
    try:
        dark = BROWSER.post(url, data=vote)
        assert (dark.status_code, "Your vote could not be recorded" in dark.text) == (503, True)
        ours = httpx.post(
            f"{demo.url}/api/v1/surveys/DEMO20/ballots",
            json={"voter": "student-0001", "answers": {"q1": "o1"}},
            trust_env=False,
            timeout=30,
        )
        assert (ours.status_code, ours.json()["region"]) == (201, "us-west-2")
    finally:
        LabClient(demo.lab_dir).clear()
    assert "Your vote is recorded" in BROWSER.post(url, data=vote).text


@pytest.mark.parametrize(
    ("path", "host", "status"), [("x", None, 404), ("", "evil.example:80", 200), ("", '"><script>:1', 200)]
)
def test_what_it_is_sent_does_not_become_markup(demo: Demo, path: str, host: str | None, status: int) -> None:
    headers = {"Host": host, "Cookie": "stock_voter=<b>"} if host else {}
    page = BROWSER.get(f"{address(demo)}{path}", headers=headers)
    assert page.status_code in (status, 400)
    assert "<script" not in page.text
    assert "<b>" not in page.text


def test_its_end_does_not_end_the_demo_and_its_next_use_starts_it_again(demo: Demo) -> None:
    before = address(demo)
    for pid in processes_of_stock(demo):
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: json.loads((demo.lab_dir / "demo.json").read_text())["stock"] is None,
        within=30,
        what="the demo has noticed",
    )
    assert BROWSER.get(f"{demo.url}/healthz/ready").status_code == 200
    assert BROWSER.get(address(demo)).status_code == 200
    assert before
