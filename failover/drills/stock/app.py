"""The page of the single-region application, and where its form goes."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from boto3.session import Session
from django.conf import settings
from django.template import Context, Engine

from failover.adapters import dns
from failover.conf import FailoverConfig
from failover.drills.strategies.app import FAILURE, GLIBC_S, configuration, stock_client
from failover.drills.strategies.catalogue import Strategy
from failover.drills.strategies.stores import Table
from failover.drills.vote_names import name_vote
from failover.lab.control.client import LabClient
from failover.lab.demo.demo import DIRECT, SURVEY
from failover.lab.drill_tables import STOCK

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
COOKIE = "stock_voter"
LONGEST_BODY = 64 * 1024
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Page:
    """The WSGI application. `ours` is our application's port on this machine."""

    def __init__(self, config: FailoverConfig, ours: int) -> None:
        region = config.regions[0]
        strategy = Strategy(STOCK.removeprefix("drill-"), "stock boto3 in one region", is_replicated=False)
        self._table = Table(strategy, region, stock_client(Session(), config, region, strategy.client))
        self._region, self._ours = region, ours
        self._template = Engine(dirs=[str(TEMPLATES)]).get_template("drills/stock.html")
        self._survey: dict[str, Any] | None = None

    def __call__(self, request: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """The form, or what became of a vote."""
        context: dict[str, Any] = {"region": self._region, "took_ms": None, "ours": self._our_address(request)}
        voter = _voter(request)
        status = HTTPStatus.OK
        if request["PATH_INFO"] != "/":
            status, context["problem"] = HTTPStatus.NOT_FOUND, "There is one page here."
        else:
            try:
                survey = context["survey"] = self._read_survey()
                if request["REQUEST_METHOD"] == "POST":
                    began = time.monotonic()
                    try:
                        self._vote(voter, survey, _form(request))
                    finally:
                        context["took_ms"] = (time.monotonic() - began) * 1000
                    context["recorded"] = True
            except FAILURE as error:
                status, context["problem"] = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
        data = self._template.render(Context(context)).encode()
        start_response(
            f"{status.value} {status.phrase}",
            [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(data))),
                ("Cache-Control", "no-store"),
                ("Set-Cookie", f"{COOKIE}={voter}; Path=/; HttpOnly; SameSite=Lax"),
                (
                    "Content-Security-Policy",
                    f"default-src 'none'; style-src {context['ours']}; form-action 'self'; base-uri 'none'; "
                    "frame-ancestors 'none'",
                ),
            ],
        )
        return [data]

    def _our_address(self, request: Mapping[str, Any]) -> str:
        """Our application under the host name by which this page was asked for."""
        host = str(request.get("HTTP_HOST", "")).rpartition(":")[0] or "127.0.0.1"
        is_plain = all(character.isalnum() or character in ".-[]:" for character in host)
        return f"http://{host if is_plain else '127.0.0.1'}:{self._ours}"

    def _read_survey(self) -> dict[str, Any]:
        """The survey as our API gives it, read once. Raises OSError or ValueError."""
        if self._survey is not None:
            return self._survey
        with DIRECT.open(f"http://127.0.0.1:{self._ours}/api/v1/surveys/{SURVEY}/", timeout=10) as reply:
            survey: dict[str, Any] = json.load(reply)
        self._survey = survey
        return survey

    def _vote(self, voter: str, survey: Mapping[str, Any], form: Mapping[str, list[str]]) -> None:
        answers = {
            question["id"]: form[f"q_{question['id']}"]
            for question in survey["questions"]
            if f"q_{question['id']}" in form
        }
        self._table.record(voter, name_vote(int(time.time() * 1000), secrets.randbits), answers)


def _voter(request: Mapping[str, Any]) -> str:
    """The browser's name in its cookie, or a new one."""
    try:
        given = SimpleCookie(request.get("HTTP_COOKIE", ""))[COOKIE].value
    except (KeyError, CookieError):
        given = ""
    return given if given.isalnum() and len(given) == 32 else secrets.token_hex(16)


def _form(request: Mapping[str, Any]) -> dict[str, list[str]]:
    length = min(int(request.get("CONTENT_LENGTH") or 0), LONGEST_BODY)
    return parse_qs(request["wsgi.input"].read(length).decode("utf-8", "replace"), max_num_fields=500)


def create(environ: Mapping[str, str] = os.environ) -> Page:
    """The application of the environment: `STOCK_OURS` is our application's port, `LAB_DIR` the lab."""
    if not settings.configured:
        settings.configure(USE_I18N=False)  # for the template alone
    config = configuration(environ)
    hosts = [config.host(region) for region in config.regions]
    dns.install(dns.Resolver(hosts, config.nameserver, timeout=GLIBC_S, loopback_only=True))
    LabClient(Path(environ["LAB_DIR"])).add_table(STOCK)
    return Page(config, int(environ["STOCK_OURS"]))
