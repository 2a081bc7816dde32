"""A whole demo for tests: `manage.py demo` on free ports, in its own directory, and what a person does with it."""

import contextlib
import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from failover.drills import exports
from failover.drills.checker import check
from failover.drills.ledger import Ledger
from failover.drills.verdict import Ballot, Store, Verdict
from failover.drills.vote_names import name_vote
from failover.lab.control.client import LabClient
from tests.faults import fault
from tests.processes import free_port, manage, manage_environment, running, wait_while_running
from tests.waiting import wait_until

EAST, WEST = "us-east-1", "us-west-2"
READY_S = 90.0
QUIET_S = 90.0
# Makes a new connection for every request. Making a client for each would cost a tenth of a second of CPU.
PHONES = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass(frozen=True)
class Demo:
    """A running demo, found through its directory."""

    lab_dir: Path
    url: str
    code: str = "DEMO20"

    def warm_up(self) -> None:
        """A few requests at once, so that no vote is the first request of a web worker, which takes longer."""
        with ThreadPoolExecutor(16) as pool:
            page = f"{self.url}/api/v1/surveys/{self.code}/"
            replies = pool.map(lambda _number: PHONES.get(page), range(64))
            assert {reply.status_code for reply in replies} == {200}

    def manage(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs a management command against this demo."""
        return manage(*arguments, lab_dir=self.lab_dir, timeout=timeout)

    def output_of(self, *arguments: str) -> str:
        """Runs a management command, which must succeed, and returns what it printed."""
        done = self.manage(*arguments)
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout

    def fault(self, *arguments: str) -> None:
        """`manage.py fault ...` in this demo."""
        fault(self.lab_dir, *arguments)

    def vote(self, voter: str, vote_id: str, answers: dict[str, Any]) -> httpx.Response:
        """Sends one vote, once, on a connection of its own."""
        body = {"voter": voter, "vote_id": vote_id, "answers": answers}
        return PHONES.post(f"{self.url}/api/v1/surveys/{self.code}/ballots", json=body)

    def status(self) -> dict[str, Any]:
        """The status document as the monitor publishes it: what `regions --json` prints, without a process."""
        document: dict[str, Any] = json.loads((self.lab_dir / "run" / "status.json").read_text())["status"]
        return document

    def await_status(self, holds: Any, *, within: float, what: str) -> dict[str, Any]:
        """The first status document of which `holds` is true."""

        def status_that_holds() -> dict[str, Any] | None:
            status = self.status()
            return status if holds(status) else None

        return wait_until(status_that_holds, within=within, what=what)

    def mend(self) -> None:
        """Clears every fault, follows the rules again, and waits until they lead back to the first region."""
        LabClient(self.lab_dir).clear()
        if self.status()["routing"]["mode"] != "auto":
            self.output_of("routing", "auto", "--reason", "the test is over")

        def home(status: dict[str, Any]) -> bool:
            circuits = {row["circuit"] for row in status["regions"]}
            if status["routing"]["active"] == EAST and circuits == {"closed"}:
                return True
            # Canaries alone do not close a circuit while live traffic fails.
            self.vote(f"mender-{time.time_ns()}", named(), {"q1": "o1"})
            return False

        self.await_status(home, within=QUIET_S, what="every circuit is closed and us-east-1 serves")

    def engine_pid(self, region: str) -> int:
        """The pid of a region's engine."""
        return int(json.loads((self.lab_dir / "control.json").read_text())["engines"][region]["pid"])

    def rows(self, region: str) -> tuple[Ballot, ...]:
        """Every ballot row of one region's replica."""
        return exports.replica(self.code, region, env=manage_environment(self.lab_dir))

    def replicas(self) -> Mapping[str, tuple[Ballot, ...]]:
        """The ballot rows of each region's replica, as they are now."""
        return exports.store(self.code, env=manage_environment(self.lab_dir)).raw

    def store(self, *, within: float = 60.0) -> Store:
        """The ballots once both replicas are equal."""
        return exports.converged(self.code, (EAST, WEST), within_s=within, env=manage_environment(self.lab_dir))

    def verdict(self, ledger: Ledger) -> Verdict:
        """The outcome of every vote of a ledger, once the regions have converged."""
        return check(ledger, self.store())


@contextlib.contextmanager
def demo_and_process(lab_dir: Path, **environment: str) -> Iterator[tuple[Demo, subprocess.Popen[str]]]:
    """Starts a demo and ends it, with every process that it started."""
    port = free_port()
    variables = {"PORT": str(port), "WORKERS": "2", **environment}
    with running("demo", lab_dir=lab_dir, **variables) as process:
        wait_while_running(process, (lab_dir / "demo.json").exists, within=READY_S, what="the demo is ready")
        demo = Demo(lab_dir, f"http://127.0.0.1:{port}")
        demo.warm_up()
        yield demo, process


@contextlib.contextmanager
def demo_in(lab_dir: Path, **environment: str) -> Iterator[Demo]:
    """Starts a demo and ends it, for a test that needs nothing of its process."""
    with demo_and_process(lab_dir, **environment) as (demo, _process):
        yield demo


def named(above: str | None = None) -> str:
    """A new vote id, above `above`, the voter's last one."""
    return name_vote(time.time_ns() // 1_000_000, random.getrandbits, above=above)


class Students:
    """Runs `manage.py students` beside a test until it is stopped. Its ledger can be read at any time."""

    def __init__(self, demo: Demo, name: str, *, rate: float = 40) -> None:
        self._path = demo.lab_dir / "students" / f"{name}.jsonl"
        arguments = ("--rate", f"{rate:g}", "--for", "600", "--seed", "1", "--ledger", str(self._path))
        self._running = running("students", demo.code, *arguments, lab_dir=demo.lab_dir)

    def __enter__(self) -> "Students":
        self._process = self._running.__enter__()
        wait_until(lambda: self._path.exists() and self.acknowledged(), within=20, what="the first vote")
        return self

    def __exit__(self, *error: Any) -> None:
        self._running.__exit__(*error)

    def ledger(self) -> Ledger:
        """The ledger so far."""
        return Ledger.read(self._path)

    def acknowledged(self) -> int:
        """How many votes are acknowledged so far."""
        return self._path.read_text().count('{"line":"acknowledged"')

    def await_votes(self, more: int) -> None:
        """Waits until so many more votes are acknowledged."""
        target = self.acknowledged() + more
        wait_until(lambda: self.acknowledged() >= target, within=30, what=f"{more} more votes")

    def stop(self) -> Ledger:
        """Lets no student begin another vote, waits for those under way, and returns the whole ledger."""
        self._process.send_signal(signal.SIGINT)
        output, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, output
        return self.ledger()


def assert_no_vote_failed(ledger: Ledger) -> None:
    """Every vote was acknowledged at its first try."""
    assert [attempt for attempt in ledger.tries if attempt.failed] == []
    assert ledger.refused == ()
    assert {receipt.vote_id for receipt in ledger.receipts} == set(ledger.votes)
