"""One strategy as a WSGI application with the ballot API of ours.

`GET /api/v1/surveys/CODE/` gives the survey, `POST /api/v1/surveys/CODE/ballots` takes a vote. A vote
that cannot be written is a 503, as from any application whose database does not answer.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from failover.adapters import dns
from failover.conf import FailoverConfig
from failover.drills.strategies import deciders
from failover.drills.strategies.catalogue import STRATEGIES, Strategy
from failover.drills.strategies.stores import Table

GLIBC_S = 10.0
"""How long glibc waits for a nameserver that is silent: two attempts of 5 s."""
STEP_S = 0.5
CHECK_S = 4.0
"""How long a health check waits for a connection and a reply, as Route 53's."""
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
FAILURE = (BotoCoreError, ClientError, OSError)


class Application:
    """Serves one survey for one strategy. `survey` is what the students read."""

    def __init__(self, strategy: Strategy, survey: Mapping[str, Any], config: FailoverConfig) -> None:
        self._survey = survey
        session = Session()
        regions = strategy.regions(config.regions)
        clients = {region: stock_client(session, config, region, strategy.client) for region in regions}
        self._tables = {region: Table(strategy, region, client) for region, client in clients.items()}
        first = self._tables[regions[0]]
        probe = Table(strategy, regions[0], stock_client(session, config, regions[0], _CHECK))
        self._decider = deciders.make(
            strategy,
            regions,
            read_flag=_as_os_error(first.read_flag),
            write_flag=_as_os_error(first.write_flag),
            is_healthy=lambda: _answers(probe),
            monotonic=time.monotonic,
        )

    def start(self) -> None:
        """Let the decider do what is due, beside the votes."""

        def run() -> None:
            while True:
                self._decider.step()
                time.sleep(STEP_S)

        threading.Thread(target=run, name="decider", daemon=True).start()

    def __call__(self, request: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        path = f"/api/v1/surveys/{self._survey['code']}/"
        match request["REQUEST_METHOD"], request["PATH_INFO"]:
            case "GET", asked if asked == path:
                status, body = HTTPStatus.OK, dict(self._survey)
            case "POST", asked if asked == f"{path}ballots":
                status, body = self._vote(request)
            case _:
                status, body = HTTPStatus.NOT_FOUND, {"detail": "There is one survey here."}
        data = json.dumps(body).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [data]

    def _vote(self, request: Mapping[str, Any]) -> tuple[HTTPStatus, dict[str, Any]]:
        try:
            ballot = json.loads(request["wsgi.input"].read(int(request.get("CONTENT_LENGTH") or 0)))
            voter, vote_id, answers = str(ballot["voter"]), str(ballot["vote_id"]), dict(ballot["answers"])
        except (ValueError, KeyError, TypeError):
            return HTTPStatus.BAD_REQUEST, {"detail": "This is not a ballot."}
        region, began = self._decider.region(voter), time.monotonic()
        try:
            outcome = self._tables[region].record(voter, vote_id, answers)
        except FAILURE as error:
            self._decider.ended(worked=False)
            return HTTPStatus.SERVICE_UNAVAILABLE, {"detail": f"{region}: {error}", "vote_id": vote_id}
        self._decider.ended(worked=True)
        return HTTPStatus.CREATED, {
            "vote_id": vote_id,
            "code": self._survey["code"],
            "round": 1,
            "region": region,
            "status": outcome,
            "attempts": [{"region": region, "outcome": "ok", "ms": (time.monotonic() - began) * 1000}],
            "recorded_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }


_CHECK: Mapping[str, Any] = {
    "connect_timeout": CHECK_S,
    "read_timeout": CHECK_S,
    "retries": {"total_max_attempts": 1, "mode": "standard"},
}


def stock_client(session: Session, config: FailoverConfig, region: str, settings: Mapping[str, Any]) -> Any:
    """A stock client of one region; `settings` are those that the strategy changes."""
    return session.client(
        "dynamodb",
        region_name=region,
        endpoint_url=config.endpoint(region),
        config=Config(**settings, account_id_endpoint_mode="disabled"),
    )


def _answers(probe: Table) -> bool:
    try:
        probe.read_flag()
    except FAILURE:
        return False
    return True


def _as_os_error(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, with the SDK's errors as OSError."""

    def calling(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except (BotoCoreError, ClientError) as error:
            raise OSError(str(error)) from error

    return calling


def configuration(environ: Mapping[str, str]) -> FailoverConfig:
    """Where the lab's regions are, from the variables that the lab hands to applications."""
    names = ("REGIONS", "ENDPOINTS", "NAMESERVER", "RUN_DIR")
    return FailoverConfig.parse({name: environ[f"FAILOVER_{name}"] for name in names} | {"LOOPBACK_ONLY": "yes"})


def create(environ: Mapping[str, str] = os.environ) -> Application:
    """The application that the environment names: `DRILL_STRATEGY`, and in `DRILL_SURVEY` the survey's
    JSON. The names of the lab's regions are resolved as the host's resolver would: without a limit but
    glibc's, and without a cache.
    """
    config = configuration(environ)
    hosts = [config.host(region) for region in config.regions]
    dns.install(dns.Resolver(hosts, config.nameserver, timeout=GLIBC_S, loopback_only=True))
    strategy, survey = STRATEGIES[environ["DRILL_STRATEGY"]], json.loads(environ["DRILL_SURVEY"])
    application = Application(strategy, survey, config)
    application.start()
    return application
