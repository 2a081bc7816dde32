"""One warm boto3 client per region, made once: the first costs about 150 ms, and making one is not
thread-safe.

A client makes one attempt per call (`total_max_attempts`, because `max_attempts: 1` means two). Its
transport is our own: it keeps as many connections as there are threads and ends every exchange on
time (transport.py). Every reply is checked (replies.py). The user agent is fixed, because botocore
would otherwise build it anew for each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.loaders import Loader

from failover.adapters.clock import SystemClock
from failover.adapters.replies import CheckedParsers
from failover.adapters.transport import Transport
from failover.conf import FailoverConfig

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

USER_AGENT = "surveyapp"
SPARE = 1.2
"""An attempt may last so many times as long as a connection or a reply within it: an exchange that
ends on its own time limit says more about its cause than an attempt that is cut off.
"""


def reach_s(config: FailoverConfig) -> float:
    """The seconds for a region's name and a connection to it, both together.

    They end well within the region's share of the deadline: after an attempt was cut off it is
    unknown whether the request was sent.
    """
    return min(config.connect_timeout_s, config.deadline_s / len(config.regions) / SPARE)


def read_s(config: FailoverConfig) -> float:
    """The seconds for a whole reply. They too end within the region's share: then a timeout tells
    whether the connection was a pooled one, and with every region's pool dead there is time for a
    new connection.
    """
    return min(config.read_timeout_s, config.deadline_s / len(config.regions) / SPARE)


def make_client(
    config: FailoverConfig, region: str, *, connections: int | None = None, session: Session | None = None
) -> DynamoDBClient:
    """A client for one region. Credentials come from the environment or the host's role, as the SDK
    finds them.
    """
    session = session or make_session(config)
    client = session.client(
        "dynamodb",
        region_name=region,
        endpoint_url=config.endpoint(region),
        config=Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            parameter_validation=False,
            user_agent=USER_AGENT,
            account_id_endpoint_mode="disabled",
        ),
    )
    client._endpoint.http_session = Transport(  # type: ignore[attr-defined]  # a private name: see transport.py
        config.endpoint(region),
        connect_timeout=reach_s(config),
        read_timeout=read_s(config),
        size=connections or 2 * config.threads,
        clock=SystemClock(),
        loopback_only=config.loopback_only,
    )
    return client


def make_clients(config: FailoverConfig, *, connections: int | None = None) -> Mapping[str, DynamoDBClient]:
    """A client for every configured region, of one session: the SDK reads its data and finds
    credentials once.
    """
    session = make_session(config)
    return {region: make_client(config, region, connections=connections, session=session) for region in config.regions}


def make_session(config: FailoverConfig) -> Session:
    """The session of this process's clients. It checks every reply."""
    sdk_session = own_session() if config.loopback_only else botocore.session.Session()
    sdk_session.register_component("response_parser_factory", CheckedParsers())
    return Session(botocore_session=sdk_session)


def own_session() -> botocore.session.Session:
    """A botocore session that reads botocore's own data and nothing below `~/.aws/models`, where a
    person may have put other endpoints. The environment says which files and variables it takes its
    settings from.
    """
    session = botocore.session.Session()
    built_in = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", built_in)
    return session
