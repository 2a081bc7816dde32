"""A demo logs as production does, through an outage. Then its processes are killed, and it starts them again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover.lab.control.client import LabClient
from tests.integration.demo import EAST, PHONES, WEST, Demo, demo_and_process, named
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

ENTRY = re.compile(r'([a-z0-9-]+);desc="([a-z-]+)";dur=([\d.]+)')
FAILED = {"dns", "connect", "tls", "timeout", "server-error", "throttled", "denied"}
DECISIONS = {
    "failover",
    "failback",
    "switched",
    "circuit-opened",
    "circuit-half-open",
    "circuit-closed",
    "routing-pinned",
    "routing-auto",
    "routing-superseded",
    "lag-alarm",
    "lag-cleared",
    "configuration-alarm",
    "configuration-cleared",
}
Line = dict[str, Any]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, subprocess.Popen[str]]]:
    environment = {"LAB_RTT_MS": "0", "SURVEY_LOG_FORMAT": "json", "FAILOVER_HOLD_S": "1"}
    with demo_and_process(tmp_path_factory.mktemp("logs"), **environment) as both:
        yield both


@pytest.fixture(scope="module")
def demo(process: tuple[Demo, subprocess.Popen[str]]) -> Demo:
    return process[0]


def log(demo: Demo, name: str, since: int = 0) -> list[Line]:
    """One process's log from line `since` on. Asserts that each line is a JSON object with the usual fields."""
    texts = (demo.lab_dir / "logs" / f"{name}.out").read_text().splitlines()[since:]
    lines = [json.loads(text) for text in texts]
    assert all({"at", "level", "logger", "pid", "message"} <= line.keys() for line in lines)
    return lines


class Ledger:
    """Casts votes and collects the failed attempts that their replies report."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._class = secrets.token_hex(4)  # other voters if a test is run again
        self.failed: Counter[tuple[str, str, str]] = Counter()
        self.cast = 0

    def vote(self, votes: int) -> list[httpx.Response]:
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(self._vote, range(self.cast, self.cast + votes)))
        self.cast += votes
        for reply in replies:
            assert reply.status_code == 201, reply.text
            failed = [entry for entry in ENTRY.findall(reply.headers["Server-Timing"]) if entry[1] in FAILED]
            assert ("X-Trace-Id" in reply.headers) == bool(failed)
            self.failed.update((reply.headers["X-Trace-Id"], region, outcome) for region, outcome, _ in failed)
        return replies

    def _vote(self, number: int) -> httpx.Response:
        return self._demo.vote(f"secret-voter-{self._class}-{number:05d}", named(), {"q1": "o1"})


def test_each_decision_and_each_failed_attempt_is_a_line_and_a_healthy_vote_is_not(demo: Demo) -> None:
    ledger = Ledger(demo)
    quiet, begun = len(log(demo, "web")), len(log(demo, "monitor"))

    ledger.vote(40)

    assert len(log(demo, "web")) == quiet

    lab = LabClient(demo.lab_dir)
    lab.set_fault(EAST, "dns-empty", seconds=60)
    try:
        replies = ledger.vote(60)
        demo.await_status(lambda status: status["routing"]["active"] == WEST, within=20, what="us-west-2 serves")
        replies += ledger.vote(20)
    finally:
        lab.clear()

    def home_again() -> bool:
        replies.extend(ledger.vote(2))  # trials by live traffic close a circuit as canaries do
        status = demo.status()
        circuits = {region["circuit"] for region in status["regions"]}
        return bool(status["routing"]["active"] == EAST and circuits == {"closed"})

    wait_until(home_again, within=60, what="us-east-1 serves again", every=0.2)
    demo.output_of("routing", "pin", WEST, "--reason", 'practice"} {"event": "failover"}')
    demo.output_of("routing", "auto", "--reason", "over")
    demo.await_status(lambda status: status["routing"]["active"] == EAST, within=20, what="us-east-1 serves again")

    assert ledger.failed
    lines = [line for line in log(demo, "web", quiet) if line.get("event") == "attempt-failed"]
    assert Counter((line["trace"], line["region"], line["outcome"]) for line in lines) == ledger.failed
    assert len(lines) == len(log(demo, "web", quiet))  # there are no other lines
    for line in lines:
        assert (line["class"], line["outcome"]) in {("A", "dns"), ("A", "connect"), ("B", "server-error")}
        assert line["ms"] >= 0
        assert (line["code"], line["route"]) == (demo.code, "api/v1/surveys/<str:code>/ballots")

    def every_event_is_logged_once() -> bool:
        events = {event["id"]: event["kind"] for event in demo.status()["events"]}
        decided = [line for line in log(demo, "monitor") if line.get("event") in DECISIONS]
        assert len({line["id"] for line in decided}) == len(decided), "logged twice"
        return {line["id"]: line["event"] for line in decided} == events

    wait_until(every_event_is_logged_once, within=20, what="the log has a line for each event, and no other")
    decided = [line["event"] for line in log(demo, "monitor", begun) if line.get("event") in DECISIONS]
    assert {"circuit-opened", "failover", "circuit-half-open", "circuit-closed", "failback"} <= set(decided)
    assert decided.count("routing-pinned") == decided.count("routing-auto") == 1
    failover = next(line for line in log(demo, "monitor", begun) if line.get("event") == "failover")
    assert (failover["from"], failover["to"]) == (EAST, WEST)
    # The first to notice may be a DNS lookup, three votes in one worker, or a canary whose connection the fault cut.
    cut = {"write", "read"}
    assert failover["cause"] in {"dns", "traffic", *cut}
    assert failover["cause"] in cut or "dns" in failover["reason"].lower()

    everything = "".join((demo.lab_dir / "logs" / f"{name}.out").read_text() for name in ("web", "monitor"))
    assert "secret-voter" not in everything
    assert not any(reply.json()["vote_id"] in everything for reply in replies)


def pid_of(demo: Demo, name: str) -> int:
    return int(json.loads((demo.lab_dir / "demo.json").read_text())["pids"][name])


def kill(demo: Demo, name: str) -> None:
    """Kills a process of the demo with SIGKILL and waits until another has taken its place."""
    pid = pid_of(demo, name)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid_of(demo, name) != pid, within=20, what=f"another {name} is started")


def monitor_up(demo: Demo) -> bool:
    return "failover_monitor_up 1.0" in PHONES.get(f"{demo.url}/metrics").text


def remembered(status: Any) -> list[object]:
    """The routing with its time, and for each region how long its circuit holds and how often it was open."""
    rows = {(row["rule"], row["region"]): row for row in status["explain"]}
    holds = [rows["failback-hold", region]["threshold"] for region in (EAST, WEST)]
    return [status["routing"], *holds, *(rows["flapping", region]["value"] for region in (EAST, WEST))]


def test_a_monitor_that_is_killed_is_started_again_and_remembers_what_was_counted(demo: Demo) -> None:
    counted = 'failover_events_total{kind="failover"} '
    before = PHONES.get(f"{demo.url}/metrics").text.partition(counted)[2].split()[0]
    status = demo.status()

    kill(demo, "monitor")

    again = demo.await_status(lambda now: now["generated_at"] > status["generated_at"], within=30, what="a new status")
    assert remembered(again) == remembered(status)
    wait_until(lambda: monitor_up(demo), within=20, what="it publishes")
    assert PHONES.get(f"{demo.url}/metrics").text.partition(counted)[2].split()[0] == before


def test_a_web_tier_that_is_killed_is_started_again_on_its_port(demo: Demo) -> None:
    orphans = {int(path.stem.partition("-")[0]) for path in (demo.lab_dir / "run" / "workers").glob("*.json")}

    kill(demo, "web")

    def answers() -> bool:
        try:
            return PHONES.get(f"{demo.url}/healthz/ready").status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(answers, within=30, what="votes can be cast again")
    assert not [pid for pid in orphans if Path(f"/proc/{pid}/exe").exists()]
    demo.vote("after-the-kill-1", named(), {"q1": "o1"}).raise_for_status()


def test_a_process_that_dies_again_and_again_ends_the_demo(
    process: tuple[Demo, subprocess.Popen[str]],
) -> None:
    demo, running_demo = process

    def killed_until_it_gives_up() -> bool:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(pid_of(demo, "monitor"), signal.SIGKILL)
        return running_demo.poll() is not None

    wait_until(killed_until_it_gives_up, within=60, what="the demo ends", every=0.1)
    lines = running_demo.communicate()[0].splitlines()
    assert running_demo.returncode == 1
    assert lines[0].startswith("ready ")
    assert lines[1] == "the monitor is started again, since it ended by itself: killed by SIGKILL"
    assert lines[2] == "the web is started again, since it ended by itself: killed by SIGKILL"
    assert lines[-1] == "CommandError: the monitor ended by itself: killed by SIGKILL"
    assert len(lines) <= 1 + 5 + 1
    assert not [path for path in (demo.lab_dir / "demo.json", demo.lab_dir / "app.env") if path.exists()]
