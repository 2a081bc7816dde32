"""Hosts on one lab. Each has a web tier and a monitor, and its own run directory, clock and links to the regions."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
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

from failover import gateway
from failover.adapters.host_files import HostFiles
from failover.lab.network.gate import FrontLoop, Gate
from failover.lab.network.manners import Manner
from polls.surveys import reader
from polls.surveys.models import SurveyRow
from polls.surveys.services import survey_create
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.integration.demo import PHONES, WEST, Demo, named
from tests.processes import GUNICORN, ROOT, free_port, manage, manage_environment, running
from tests.waiting import wait_until

WORKERS = 2
HEARTBEAT_S = 0.5
APART_S = 5.0
"""How far the clocks of two hosts differ."""
CLOCKS = ROOT / "tests" / "integration" / "many_hosts" / "other_clock"


@dataclass(frozen=True, eq=False)
class Host:
    """A web tier and a monitor. `environment` holds the variables of every process of this host."""

    lab: Lab
    run_dir: Path
    port: int
    environment: Mapping[str, str]
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

        def status_that_holds() -> dict[str, Any] | None:
            status = self.status()
            return status if holds(status) else None

        return wait_until(status_that_holds, within=60, what=what)

    def requests(self) -> int:
        """Requests in the last two minutes, over all regions, by its dashboard."""
        return sum(region["requests_2m"] for region in self.status()["regions"])

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """The samples of `/metrics`, by name and labels."""
        families = text_string_to_metric_families(PHONES.get(self.url("/metrics")).text)
        samples = (sample for family in families for sample in family.samples)
        return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}

    def metric(self, name: str) -> float | None:
        """A sample without labels; None if there is none."""
        return self.metrics().get((name, frozenset()))

    def attempts(self) -> float:
        """How many attempts its own workers have made."""
        return sum(value for (name, _), value in self.metrics().items() if name == "failover_attempts_total")

    def workers(self) -> dict[str, int]:
        """How many calls each running worker has made, by the worker's name."""
        files = self.files
        gone = files.gone()
        return {name: report.calls for name, report in files.reports().items() if name not in gone}

    def manage(self, *arguments: str) -> None:
        done = manage(*arguments, lab_dir=self.lab.dir, **self.environment)
        assert done.returncode == 0, done.stderr or done.stdout

    def post_ballot(self, code: str, voter: str, answers: dict[str, Any]) -> httpx.Response:
        """A vote whose id this host makes."""
        return PHONES.post(self.url(f"/api/v1/surveys/{code}/ballots"), json={"voter": voter, "answers": answers})

    def await_ready(self) -> None:
        """Waits until every worker and the monitor run."""
        wait_until(
            lambda: len(self.workers()) == self.workers_started and (self.run_dir / "status.json").exists(),
            within=60,
            what="every worker and the monitor run",
        )

    @contextlib.contextmanager
    def cut_off_from(self, region: str) -> Iterator[None]:
        """Within the block only this host cannot reach `region`: its open connections are cut, too."""
        link = self.links[region]
        link.treat(Manner.REFUSE)
        link.cut()
        try:
            yield
        finally:
            link.treat(Manner.SERVE)

    @contextlib.contextmanager
    def monitor(self) -> Iterator[subprocess.Popen[str]]:
        with running("monitor", lab_dir=self.lab.dir, SURVEY_LOG_LEVEL="ERROR", **self.environment) as process:
            yield process

    @contextlib.contextmanager
    def web(self) -> Iterator[subprocess.Popen[bytes]]:
        environment = manage_environment(self.lab.dir, **self.environment)
        with open(self.run_dir / "web.out", "wb") as out:
            process = subprocess.Popen(GUNICORN, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
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
    """A host's own gate before the front of each region."""
    gates: dict[str, Gate] = {}
    try:
        for endpoint in lab.environment()["FAILOVER_ENDPOINTS"].split(","):
            region, _, url = endpoint.partition("=")
            gates[region] = Gate(loop, 0.0)
            gates[region].ready(int(url.rpartition(":")[2]))
        yield gates
    finally:
        for gate in gates.values():
            gate.end()


def stopped_host(
    lab: Lab, run_dir: Path, gates: Mapping[str, Gate], *, accounts: Path, workers: int = WORKERS, ahead_s: float = 0.0
) -> Host:
    """A host that is not started. Its clock is `ahead_s` seconds ahead of the machine's."""
    port = free_port()
    endpoints = (endpoint.partition("=") for endpoint in lab.environment()["FAILOVER_ENDPOINTS"].split(","))
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.lab_settings",
        "DJANGO_SQLITE_PATH": str(accounts),
        "FAILOVER_RUN_DIR": str(run_dir),
        "FAILOVER_HEARTBEAT_S": str(HEARTBEAT_S),
        "FAILOVER_HOLD_S": "1",
        "FAILOVER_ENDPOINTS": ",".join(
            f"{region}={url.rpartition(':')[0]}:{gates[region].port}" for region, _, url in endpoints
        ),
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": str(workers),
    }
    if ahead_s:
        path = os.pathsep.join(filter(None, [str(CLOCKS), os.environ.get("PYTHONPATH")]))
        environment |= {"CLOCK_AHEAD_S": str(ahead_s), "PYTHONPATH": path}
    return Host(lab, run_dir, port, environment, gates, workers)


class Class:
    """Voters, each of whom votes once, on a connection of their own."""

    def __init__(self) -> None:
        self.cast = 0

    def vote(self, host: Host, votes: int) -> Counter[str]:
        """Casts so many votes, several at once. Returns how many of them each region recorded."""
        web = Demo(host.run_dir, host.url(""))
        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda number: self._vote(web, number), range(self.cast, self.cast + votes)))
        self.cast += votes
        assert {reply.status_code for reply in replies} == {201}, replies[0].text
        return Counter(reply.json()["region"] for reply in replies)

    def vote_until_every_worker_took_some(self, host: Host) -> Counter[str]:
        """Casts votes until each worker took one. Returns how many of them each region recorded."""
        before, recorded = host.workers(), Counter[str]()
        assert len(before) == host.workers_started

        def all_voted() -> bool:
            recorded.update(self.vote(host, 8 * host.workers_started))
            now = host.workers()
            return all(now[name] > calls for name, calls in before.items())

        wait_until(all_voted, within=20, what="every worker took a vote")
        return recorded

    def await_votes_in(self, region: str, host: Host) -> None:
        """Casts votes, all of which must be acknowledged, until `region` records them."""
        wait_until(lambda: set(self.vote(host, 2)) == {region}, within=60, what=f"votes are recorded by {region}")

    def _vote(self, web: Demo, number: int) -> httpx.Response:
        return web.vote(f"hosts-{os.getpid()}-{number:06d}", named(), {"q1": "o1"})


def ahead_of_us_s(status: dict[str, Any]) -> float:
    """How far, in seconds, the clock of a status document's writer is ahead of this process's clock."""
    return datetime.fromisoformat(status["generated_at"]).timestamp() - time.time()


def settled(status: dict[str, Any], region: str, at_most_s: float) -> bool:
    """Whether `region` serves, no alarm or fault is shown, and each lag and age is below `at_most_s` seconds."""
    ages_ms = [row["age_ms"] for row in status["regions"]] + [line["lag_ms"] for line in status["replication"]]
    return (
        status["routing"]["active"] == region
        and all(alarm["state"] == "ok" for alarm in status["alarms"])
        and all((row["state"], row["circuit"]) == ("healthy", "closed") for row in status["regions"])
        and all(ms is not None and ms < at_most_s * 1000 for ms in ages_ms)
    )


class Instructor:
    """A browser that is signed in on every host, since it signed in on one: the hosts share their secret key."""

    def __init__(self, browser: httpx.Client, host: Host, name: str, password: str) -> None:
        self._browser = browser
        self.get(host, "/admin/login/")
        self.post(host, "/admin/login/", username=name, password=password)

    def get(self, host: Host, path: str) -> httpx.Response:
        return self._browser.get(host.url(path))

    def post(self, host: Host, path: str, **fields: str) -> None:
        """Sends a form, which must be answered with a redirect."""
        cookies = self._browser.cookies
        (fields["csrfmiddlewaretoken"],) = (cookies[name] for name in cookies if name.startswith("csrftoken_"))
        reply = self._browser.post(host.url(path), data=fields)
        assert reply.status_code == 302, (path, reply.status_code, reply.text)


def new_survey() -> Survey:
    """A survey with one question. This process makes it, and waits until both regions have it."""
    raw = {"title": "Split", "questions": [{"text": "Which?", "kind": "single", "options": ["one", "two"]}]}
    survey = survey_create(definition=reader.parse(raw))

    def copied() -> bool:
        with gateway.at(WEST):
            return bool(list(SurveyRow.query(survey.code)))

    wait_until(copied, within=20, what="the survey is copied")
    return survey
