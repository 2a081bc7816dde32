"""Hosts on one lab: each a web tier with a monitor beside it, a run directory, a clock and links to the regions of its
own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from failover.adapters.host_files import HostFiles
from failover.lab.network.gate import FrontLoop, Gate
from failover.lab.network.manners import Manner
from tests.conftest import Lab
from tests.integration.demo import PHONES, Demo, named
from tests.processes import ROOT, free_port, manage, manage_environment, running
from tests.waiting import wait_until

WORKERS = 4
HEARTBEAT_S = 0.5
CLOCKS = ROOT / "tests" / "integration" / "other_clock"


@dataclass(frozen=True, eq=False)
class Host:
    """A web tier and, beside it, a monitor. `told` is what the environment tells every process of this host."""

    lab: Lab
    run_dir: Path
    port: int
    told: Mapping[str, str]
    links: Mapping[str, Gate]
    workers_started: int

    @property
    def files(self) -> HostFiles:
        return HostFiles(self.run_dir)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.run_dir / "status.json").read_text())["status"]
        return document

    def await_status(self, holds: Callable[[dict[str, Any]], bool], *, what: str) -> dict[str, Any]:
        """The first status document of which `holds` is true."""
        found = {}

        def looked() -> bool:
            found.update(self.status())
            return holds(found)

        wait_until(looked, within=60, what=what)
        return found

    def requests(self) -> int:
        """What its dashboard says, over all regions."""
        return sum(one["requests_2m"] for one in self.status()["regions"])

    def figures(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """What `/metrics` says."""
        families = text_string_to_metric_families(PHONES.get(self.url("/metrics")).text)
        return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}

    def figure(self, name: str) -> float | None:
        """One that has no labels, None where it is left out."""
        return self.figures().get((name, frozenset()))

    def attempts(self) -> float:
        """What its own workers tried."""
        return sum(value for (name, _), value in self.figures().items() if name == "failover_attempts_total")

    def workers(self) -> dict[str, int]:
        """The calls of every worker that runs."""
        files = self.files
        gone = files.gone()
        return {name: report.calls for name, report in files.reports().items() if name not in gone}

    def manage(self, *arguments: str) -> None:
        done = manage(*arguments, lab_dir=self.lab.dir, **self.told)
        assert done.returncode == 0, done.stderr or done.stdout

    def post_ballot(self, code: str, voter: str, answers: dict[str, Any]) -> httpx.Response:
        """A vote to which this host gives its name."""
        return PHONES.post(self.url(f"/api/v1/surveys/{code}/ballots"), json={"voter": voter, "answers": answers})

    def await_ready(self) -> None:
        """Every worker and the monitor run."""
        wait_until(
            lambda: len(self.workers()) == self.workers_started and (self.run_dir / "status.json").exists(),
            within=60,
            what="every worker and the monitor run",
        )

    @contextlib.contextmanager
    def cut_off_from(self, region: str) -> Iterator[None]:
        """Within the block this host cannot reach `region`, by open connections neither. Others can."""
        link = self.links[region]
        link.treat(Manner.REFUSE)
        link.cut()
        try:
            yield
        finally:
            link.treat(Manner.SERVE)

    @contextlib.contextmanager
    def monitor(self) -> Iterator[subprocess.Popen[str]]:
        with running("monitor", lab_dir=self.lab.dir, SURVEY_LOG_LEVEL="ERROR", **self.told) as process:
            yield process

    @contextlib.contextmanager
    def web(self) -> Iterator[subprocess.Popen[bytes]]:
        environment = manage_environment(self.lab.dir, **self.told)
        command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy" / "gunicorn.conf.py")]
        with open(self.run_dir / "web.out", "wb") as out:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def links(lab: Lab, loop: FrontLoop) -> Iterator[dict[str, Gate]]:
    """One host's own way to the front of each region."""
    made: dict[str, Gate] = {}
    try:
        for endpoint in lab.environment()["FAILOVER_ENDPOINTS"].split(","):
            region, _, url = endpoint.partition("=")
            made[region] = Gate(loop, 0.0)
            made[region].ready(int(url.rpartition(":")[2]))
        yield made
    finally:
        for gate in made.values():
            gate.end()


def stopped_host(
    lab: Lab, run_dir: Path, ways: Mapping[str, Gate], *, accounts: Path, workers: int = WORKERS, ahead_s: float = 0.0
) -> Host:
    """A host that is not started yet. Its clock is `ahead_s` ahead of the machine's."""
    port = free_port()
    endpoints = (one.partition("=") for one in lab.environment()["FAILOVER_ENDPOINTS"].split(","))
    told = {
        "DJANGO_SETTINGS_MODULE": "tests.lab_settings",
        "DJANGO_SQLITE_PATH": str(accounts),
        "FAILOVER_RUN_DIR": str(run_dir),
        "FAILOVER_HEARTBEAT_S": str(HEARTBEAT_S),
        "FAILOVER_HOLD_S": "1",
        "FAILOVER_ENDPOINTS": ",".join(
            f"{region}={url.rpartition(':')[0]}:{ways[region].port}" for region, _, url in endpoints
        ),
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": str(workers),
    }
    if ahead_s:
        path = os.pathsep.join(filter(None, [str(CLOCKS), os.environ.get("PYTHONPATH")]))
        told |= {"CLOCK_AHEAD_S": str(ahead_s), "PYTHONPATH": path}
    return Host(lab, run_dir, port, told, ways, workers)


class Class:
    """Voters who each vote once, on a connection of their own."""

    def __init__(self) -> None:
        self.cast = 0

    def vote(self, host: Host, votes: int) -> Counter[str]:
        """So many votes at once; which region recorded how many."""
        web = Demo(host.run_dir, host.url(""))
        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda number: self._one(web, number), range(self.cast, self.cast + votes)))
        self.cast += votes
        assert {reply.status_code for reply in replies} == {201}, replies[0].text
        return Counter(reply.json()["region"] for reply in replies)

    def vote_until_every_worker_took_some(self, host: Host) -> Counter[str]:
        """At least a vote in each worker; where all of them were recorded."""
        before, recorded = host.workers(), Counter[str]()
        assert len(before) == host.workers_started

        def all_voted() -> bool:
            recorded.update(self.vote(host, 8 * host.workers_started))
            now = host.workers()
            return all(now[name] > calls for name, calls in before.items())

        wait_until(all_voted, within=20, what="every worker took a vote")
        return recorded

    def await_votes_in(self, region: str, host: Host) -> None:
        """Votes until that region records them; every one of them is acknowledged."""
        wait_until(lambda: set(self.vote(host, 2)) == {region}, within=60, what=f"votes are recorded by {region}")

    def _one(self, web: Demo, number: int) -> httpx.Response:
        return web.vote(f"hosts-{os.getpid()}-{number:06d}", named(), {"q1": "o1"})


def ahead_of_us_s(status: dict[str, Any]) -> float:
    """How far the clock that a status document was written by is ahead of this process's."""
    return datetime.fromisoformat(status["generated_at"]).timestamp() - time.time()


def settled(status: dict[str, Any], region: str, at_most_s: float) -> bool:
    """Whether `region` serves, nothing is shown to be wrong, and no lag or age is longer than `at_most_s`."""
    figures = [one["age_ms"] for one in status["regions"]] + [line["lag_ms"] for line in status["replication"]]
    return (
        status["routing"]["active"] == region
        and all(one["state"] == "ok" for one in status["alarms"])
        and all((one["state"], one["circuit"]) == ("healthy", "closed") for one in status["regions"])
        and all(ms is not None and ms < at_most_s * 1000 for ms in figures)
    )


class Instructor:
    """A browser of somebody who logs in on one host, and so is known on all: their secret is the same."""

    def __init__(self, browser: httpx.Client, host: Host, name: str, password: str) -> None:
        self._browser = browser
        self.get(host, "/admin/login/")
        self.post(host, "/admin/login/", username=name, password=password)

    def get(self, host: Host, path: str) -> httpx.Response:
        return self._browser.get(host.url(path))

    def post(self, host: Host, path: str, **fields: str) -> None:
        """Sends a form, which must be accepted."""
        cookies = self._browser.cookies
        (fields["csrfmiddlewaretoken"],) = (cookies[name] for name in cookies if name.startswith("csrftoken_"))
        reply = self._browser.post(host.url(path), data=fields)
        assert reply.status_code == 302, (path, reply.status_code, reply.text)
