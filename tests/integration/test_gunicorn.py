"""gunicorn with the production settings and no region in reach: its log is JSON, its metrics need the token."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy_check import production_environment
from tests.integration.webserver import serving
from tests.processes import GUNICORN, ROOT, free_port, side_by_side
from tests.waiting import wait_until

WEB = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass(frozen=True)
class Web:
    url: str
    stderr: Path
    run_dir: Path

    def lines(self) -> list[dict[str, Any]]:
        """Every line of its log so far, each a JSON object."""
        return [json.loads(line) for line in self.stderr.read_text().splitlines()]

    def worker(self) -> int | None:
        """The process id of the newest worker that has reported."""
        names = sorted(path.stem for path in (self.run_dir / "workers").glob("*.json"))
        return int(max(names, key=lambda name: int(name.partition("-")[2])).partition("-")[0]) if names else None


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    run_dir = tmp_path_factory.mktemp("production")
    nowhere = f"http://127.0.0.1:{free_port()}"
    variables = {
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "FAILOVER_ENDPOINTS": f"us-east-1={nowhere},us-west-2={nowhere}",
        "SURVEY_METRICS_TOKEN": "correct-horse",
        "SURVEY_TRUSTED_PROXIES": "127.0.0.1",
        "FORWARDED_ALLOW_IPS": "*",
    }
    with serving(run_dir, arguments=(), **variables) as server:
        web = Web(f"http://127.0.0.1:{server.port}", server.stderr, run_dir)
        yield web
    assert server.process.returncode == 0
    web.lines()  # the last lines are JSON, too


def test_a_request_that_no_region_could_answer_is_a_line_for_each_attempt_and_one_for_the_reply(web: Web) -> None:
    before = len(web.lines())

    reply = WEB.get(f"{web.url}/healthz/ready")

    assert reply.status_code == 503
    lines = web.lines()[before:]
    assert [line["event"] for line in lines] == ["attempt-failed", "attempt-failed", "request-failed"]
    assert {line["region"] for line in lines[:2]} == {"us-east-1", "us-west-2"}
    assert {line["trace"] for line in lines[:2]} == {reply.headers["X-Trace-Id"]}
    assert (lines[2]["status"], lines[2]["route"]) == (503, "healthz/ready")


def test_a_page_that_is_not_found_is_not_logged(web: Web) -> None:
    before = len(web.lines())

    reply = WEB.get(f"{web.url}/api/v1/surveys/x/", headers={"X-Forwarded-Proto": "https"})

    assert reply.status_code == 404
    assert len(web.lines()) == before


def test_the_scheme_is_believed_of_the_proxy_that_the_settings_name_and_of_nobody_else(web: Web) -> None:
    stranger = httpx.Client(trust_env=False, timeout=30, transport=httpx.HTTPTransport(local_address="127.0.0.2"))
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Ssl": "on"}
    with stranger:
        replies = [
            sender.get(f"{web.url}/api/v1/surveys/x/", headers=headers)
            for sender, headers in ((WEB, forwarded), (WEB, {}), (stranger, forwarded), (stranger, {}))
        ]
    assert [reply.status_code for reply in replies] == [404, 301, 301, 301]


def test_its_metrics_need_the_token_over_plain_http_too(web: Web) -> None:
    assert WEB.get(f"{web.url}/metrics").status_code == 401

    reply = WEB.get(f"{web.url}/metrics", headers={"Authorization": "Bearer correct-horse"})

    assert reply.status_code == 200
    assert "failover_workers 1.0" in reply.text


def test_gunicorns_own_message_about_a_killed_worker_is_json_too(web: Web) -> None:
    pid = web.worker()
    assert pid is not None

    os.kill(pid, signal.SIGKILL)

    wait_until(lambda: web.worker() not in (pid, None), within=30, what="another worker reports")
    lines = [line for line in web.lines() if line["logger"] == "gunicorn.error"]
    assert any(str(pid) in line["message"] for line in lines)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /s/ABC234/link/MARKER/ HTTP/9.9\r\n\r\n",
        b"GET /MARKER HTTP/1.1\r\nMARKER\r\n\r\n",
        b"MARKER\r\n\r\n",
        b"GET /" + b"MARKER" * 2000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["version", "header", "noise", "length"],
)
def test_a_request_that_is_not_http_is_refused_and_logged_without_text_and_sender(web: Web, sent: bytes) -> None:
    before = len(web.lines())
    port = httpx.URL(web.url).port
    assert port is not None

    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(sent)
        assert client.recv(100).startswith(b"HTTP/1.1 4")

    wait_until(lambda: len(web.lines()) > before, within=10, what="a line says so")
    logged = json.dumps(web.lines()[before:])
    assert "a request was refused" in logged
    assert "MARKER" not in logged
    assert "127.0.0.1" not in logged


def test_a_setting_that_is_wrong_is_one_clear_line_before_any_worker_starts(tmp_path: Path) -> None:
    mistakes = {"SURVEY_LOG_FORMAT": "yaml", "DJANGO_SSL_REDIRECT": "ture", "WORKERS": "many"}

    def run(mistake: tuple[str, str]) -> subprocess.CompletedProcess[str]:
        variables = {**production_environment(str(tmp_path)), "BIND": f"127.0.0.1:{free_port()}", **dict([mistake])}
        return subprocess.run(
            GUNICORN, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False
        )

    for (variable, value), done in zip(mistakes.items(), side_by_side(run, mistakes.items()), strict=True):
        (line,) = [line for line in done.stderr.splitlines() if line]
        assert done.returncode == 1
        assert line.startswith(f"configuration error: {variable}={value}")
