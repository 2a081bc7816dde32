"""PynamoDB across regions: one model class, the region taken from a context variable.

PynamoDB caches one connection per model class and ignores later changes of `Meta.region`, so the
classmethod `_get_connection` is overridden to return the connection of the region that is bound.
That is a private name, as are `Model._get_schema` here and `_get_save_args` in models.py. So
PynamoDB is pinned, and `tests/failover/adapters/test_binding.py` fails when an upgrade changes one
of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pynamodb.connection.base import Connection, MetaTable
from pynamodb.connection.table import TableConnection
from pynamodb.exceptions import GetError
from pynamodb.models import Model

from failover.adapters.errors import NothingRead
from failover.core.errors import FailoverError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_region: ContextVar[str | None] = ContextVar("failover_bound_region", default=None)


class RegionNotBound(FailoverError):
    """A model was used outside gateway.read, gateway.write and gateway.at, so its region is
    unknown.
    """


@contextmanager
def bind(region: str) -> Iterator[None]:
    """Within the block, and in this context only, models talk to `region`. The binding is always
    reset, because a leak would reach the thread's next request.
    """
    token = _region.set(region)
    try:
        yield
    finally:
        _region.reset(token)


def bound_region() -> str:
    """The bound region's name. Raises `RegionNotBound`."""
    region = _region.get()
    if region is None:
        raise RegionNotBound("no region is bound: use gateway.read, gateway.write or gateway.at")
    return region


class RegionConnection(Connection):
    """A PynamoDB connection that always uses the client it was given.

    PynamoDB's own connection would make another client, with its own timeouts, retries and
    endpoint, whenever there are no credentials.
    """

    def __init__(self, region: str, client: DynamoDBClient) -> None:
        super().__init__(region=region)
        self._given = client

    @property
    def client(self) -> Any:
        """The region's warm client."""
        return self._given

    def batch_get_item(self, table_name: str, keys: Sequence[Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As PynamoDB's, but a reply that reads none of the keys raises GetError, caused by
        `NothingRead`.

        `Model.batch_get` asks again for the keys that a reply left out, at once and for as long as
        there are any. With this check each request has fewer keys than the one before it, so no
        region can hold a thread with such replies.
        """
        reply: dict[str, Any] = super().batch_get_item(table_name, keys, *args, **kwargs)
        unprocessed = reply.get("UnprocessedKeys", {}).get(table_name, {}).get("Keys", ())
        if unprocessed and len(unprocessed) >= len(keys):
            raise GetError("Failed to batch get items: none was read", NothingRead())
        return reply


class Connections:
    """Table connections by (model, region). All connections to one region share its warm client."""

    def __init__(self, clients: Mapping[str, DynamoDBClient]) -> None:
        self._clients = clients
        self._connections: dict[tuple[type[Model], str], TableConnection] = {}
        self._lock = threading.Lock()

    def of(self, model: type[Model]) -> TableConnection:
        """The connection of `model` in the bound region. Raises `RegionNotBound`, and KeyError for
        a region that is not configured.
        """
        region = bound_region()
        connection = self._connections.get((model, region))
        if connection is None:
            with self._lock:
                connection = self._connections.setdefault((model, region), self._make(model, region))
        return connection

    def close(self) -> None:
        """Closes the pooled sockets of every region."""
        for client in self._clients.values():
            client.close()

    def _make(self, model: type[Model], region: str) -> TableConnection:
        table = TableConnection(model.Meta.table_name, region=region)
        table.connection = RegionConnection(region, self._clients[region])
        table.connection.add_meta_table(MetaTable(table_description(model)))
        return table


def table_description(model: type[Model]) -> dict[str, Any]:
    """The model's table as DynamoDB would describe it: name, key schema, key attributes and global
    secondary indexes.

    The partition key comes first, as CreateTable requires; PynamoDB sorts by name.
    """
    schema = model._get_schema()
    described = {
        "TableName": model.Meta.table_name,
        "KeySchema": _keys(schema["key_schema"]),
        "AttributeDefinitions": [
            {"AttributeName": a["AttributeName"], "AttributeType": a["AttributeType"]}
            for a in schema["attribute_definitions"]
        ],
    }
    indexes = [
        {
            "IndexName": index["index_name"],
            "KeySchema": _keys(index["key_schema"]),
            "Projection": dict(index["projection"]),
        }
        for index in schema["global_secondary_indexes"]
    ]
    return {**described, "GlobalSecondaryIndexes": indexes} if indexes else described


def _keys(schema: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    keys = [{"AttributeName": key["AttributeName"], "KeyType": str(key["KeyType"])} for key in schema]
    return sorted(keys, key=lambda key: key["KeyType"])  # HASH, then RANGE
