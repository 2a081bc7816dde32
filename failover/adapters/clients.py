"""One warm botocore client a region, made once: the first costs about 150 ms, and creation is not thread-safe.

One attempt a call (`total_max_attempts`, because `max_attempts: 1` means two), a transport of our own that keeps as
many connections as there are threads and ends every exchange on time (transport.py), a check of every reply
(replies.py), and a fixed user agent, which botocore would else put together anew for every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from failover.adapters.clock import SystemClock
from failover.adapters.replies import CheckedParsers
from failover.adapters.transport import Transport
from failover.conf import FailoverConfig

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient

USER_AGENT = "surveyapp"
SPARE = 1.2
"""An attempt is given so many times what may be waited for within it: what ends on its own time limit says more than a
cut does.
"""


def reach_s(config: FailoverConfig) -> float:
    """The seconds for a region's name and a connection to it, both together.

    They end well within the region's share of the deadline: of an attempt that is cut nobody knows whether it was sent.
    """
    return min(config.connect_timeout_s, config.deadline_s / len(config.regions) / SPARE)


def read_s(config: FailoverConfig) -> float:
    """The seconds for a whole reply. They too end within the region's share: a timeout tells whether the connection was
    a pooled one, and with every region's pool dead there is time left for a new connection.
    """
    return min(config.read_timeout_s, config.deadline_s / len(config.regions) / SPARE)


def make_client(
    config: FailoverConfig, region: str, *, connections: int | None = None, session: Session | None = None
) -> DynamoDBClient:
    """A botocore client for one region. Credentials come from the environment or the host's role, as botocore
    finds them.
    """
    session = session or _session(config)
    session.register_component("response_parser_factory", CheckedParsers())
    client: Any = session.create_client(  # its stub knows neither the services nor what transport.py replaces
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
    client._endpoint.http_session = Transport(
        config.endpoint(region),
        connect_timeout=reach_s(config),
        read_timeout=read_s(config),
        size=connections or 2 * config.threads,
        clock=SystemClock(),
        loopback_only=config.loopback_only,
    )
    return cast("DynamoDBClient", client)


def make_clients(config: FailoverConfig, *, connections: int | None = None) -> Mapping[str, DynamoDBClient]:
    """A client for every configured region, of one session: botocore reads its data and finds credentials once."""
    session = _session(config)
    return {region: make_client(config, region, connections=connections, session=session) for region in config.regions}


def own_session() -> Session:
    """A session that reads botocore's own data and nothing below `~/.aws/models`, where a person may have put other
    endpoints. Which files and variables it takes its settings from is the environment's business.
    """
    session = botocore.session.Session()
    built_in = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", built_in)
    return session


def _session(config: FailoverConfig) -> Session:
    return own_session() if config.loopback_only else botocore.session.get_session()
