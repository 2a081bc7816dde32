"""Reads and writes an engine's tables for the lab itself.

Uses boto3 at the engine's port, with one attempt per call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from failover.adapters.clients import own_session
from failover.lab.errors import CursorLost, LabError, ReplicaDown
from failover.lab.replication.link import Cursor, Page, ReplicatedTable
from failover.lab.replication.rules import CONDITION, Item, Key, Stamp, key_of, stamp_of
from failover.lab.tables import TableSpec, key_attributes, key_names

ACCESS_KEY = "lab"
LOST = frozenset({"ExpiredIteratorException", "TrimmedDataAccessException", "ResourceNotFoundException"})
"""Error codes of a stream iterator that is too old or belongs to an earlier incarnation."""
CONFIG = Config(
    connect_timeout=1,
    read_timeout=5,
    retries={"total_max_attempts": 1, "mode": "standard"},
    parameter_validation=False,
    user_agent="surveyapp-lab",
    account_id_endpoint_mode="disabled",
)
_session: Any = Session(botocore_session=own_session())  # its stub has a type for each service, not for any
_session_lock = threading.Lock()


def client(service: str, region: str, port: int) -> Any:
    """A client for an engine on loopback.

    The SDK generates clients at run time, so they have no type.
    """
    with _session_lock:  # creating clients is not thread-safe in botocore
        return _session.client(
            service,
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=ACCESS_KEY,
            config=CONFIG,
        )


class EngineReplica:
    """The tables of one incarnation of an engine.

    Threads may share it, as they may share botocore's clients.
    """

    def __init__(self, region: str, incarnation: int, port: int) -> None:
        self.region = region
        self.incarnation = incarnation
        self.port = port
        self._db = client("dynamodb", region, port)
        self._streams = client("dynamodbstreams", region, port)

    def create_tables(self, tables: tuple[TableSpec, ...]) -> None:
        """Create the tables that are missing; replicated ones get a stream of new images.

        Raises LabError when a table that was kept has another key.
        """
        stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}
        for table in tables:
            try:
                self._call(self._db.create_table, **table.create | (stream if table.replicated else {}))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceInUseException":
                    raise LabError(f"{self.region}: table {table.name} cannot be created: {error}") from error
                if self.key_names(table.name) != key_names(table):
                    raise LabError(
                        f"{self.region}: the kept table {table.name} has another key than this version: make clean"
                    ) from error
                self._add_indexes(table)
                continue
            if table.ttl_attribute:
                ttl = {"Enabled": True, "AttributeName": table.ttl_attribute}
                self._call(self._db.update_time_to_live, TableName=table.name, TimeToLiveSpecification=ttl)

    def delete_table(self, name: str) -> None:
        """Delete a table with everything in it; one that is not there is none to delete."""
        try:
            self._call(self._db.delete_table, TableName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise

    def _add_indexes(self, table: TableSpec) -> None:
        """Add the indexes that a table of an earlier version lacks."""
        present = {index["IndexName"] for index in self._describe(table.name).get("GlobalSecondaryIndexes", [])}
        for index in table.create.get("GlobalSecondaryIndexes", []):
            if index["IndexName"] not in present:
                self._call(
                    self._db.update_table,
                    TableName=table.name,
                    AttributeDefinitions=table.create["AttributeDefinitions"],
                    GlobalSecondaryIndexUpdates=[{"Create": index}],
                )

    def key_names(self, table: str) -> tuple[str, ...]:
        """The key attributes that the engine's table has, hash key first."""
        return key_attributes(self._describe(table)["KeySchema"])

    def end_of_stream(self, table: str) -> Cursor:
        """A cursor behind the last record of every shard."""
        arn = self._describe(table)["LatestStreamArn"]
        described = self._call(self._streams.describe_stream, StreamArn=arn)["StreamDescription"]
        at_the_end = {"StreamArn": arn, "ShardIteratorType": "LATEST"}
        replies = [
            self._call(self._streams.get_shard_iterator, ShardId=shard["ShardId"], **at_the_end)
            for shard in described["Shards"]
        ]
        return Cursor(tuple(reply["ShardIterator"] for reply in replies))

    def read(self, cursor: Cursor) -> Page:
        """The next page of every shard.

        Raises CursorLost for an iterator that is too old, or a shard that ended.
        """
        records, cursor = self.records(cursor)
        return Page(tuple(image for record in records if (image := record["dynamodb"].get("NewImage"))), cursor)

    def records(self, cursor: Cursor) -> tuple[list[dict[str, Any]], Cursor]:
        """The next records of every shard, as the stream gives them.

        Raises CursorLost as ``read`` does.
        """
        records: list[dict[str, Any]] = []
        iterators: list[str] = []
        for iterator in cursor.iterators:
            try:
                reply = self._call(self._streams.get_records, ShardIterator=iterator)
            except ClientError as error:
                if error.response["Error"]["Code"] in LOST:
                    raise CursorLost(f"{self.region}: {error}") from error
                raise
            if not reply.get("NextShardIterator"):
                raise CursorLost(f"{self.region}: a shard ended")
            iterators.append(reply["NextShardIterator"])
            records += reply["Records"]
        return records, Cursor(tuple(iterators))

    def scan(self, table: str) -> Iterator[Item]:
        """Every item of the table, page by page."""
        return self._scan(TableName=table, ConsistentRead=True)

    def stamps(self, table: ReplicatedTable) -> dict[Key, Stamp]:
        """Key and stamp of every item that has a stamp."""
        names = {f"#{i}": name for i, name in enumerate((*table.key_names, "updated_at", "updated_in"))}
        items = self._scan(
            TableName=table.name,
            ConsistentRead=True,
            ProjectionExpression=",".join(names),
            ExpressionAttributeNames=names,
        )
        return {key_of(item, table.key_names): stamp for item in items if (stamp := stamp_of(item))}

    def put_later(self, table: str, item: Item, stamp: Stamp) -> bool:
        """Write unless a later version is there (CONDITION); False when it was refused."""
        condition = {"ConditionExpression": CONDITION, "ExpressionAttributeValues": stamp.as_values()}
        try:
            self._call(self._db.put_item, TableName=table, Item=item, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def put(self, table: str, item: Item) -> None:
        """Write without a condition, as a client of the region would."""
        self._call(self._db.put_item, TableName=table, Item=item)

    def get(self, table: str, key: Item) -> Item | None:
        """Read one item, strongly consistent; None when it is not there."""
        item: Item | None = self._call(self._db.get_item, TableName=table, Key=key, ConsistentRead=True).get("Item")
        return item

    def _describe(self, table: str) -> dict[str, Any]:
        described: dict[str, Any] = self._call(self._db.describe_table, TableName=table)["Table"]
        return described

    def _scan(self, **request: Any) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            page = self._call(self._db.scan, **request | start)
            yield from page["Items"]
            if not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _call(self, operation: Callable[..., dict[str, Any]], **request: Any) -> dict[str, Any]:
        try:
            return operation(**request)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise ReplicaDown(f"{self.region}: {error}") from error
            raise
        except BotoCoreError as error:
            raise ReplicaDown(f"{self.region}: {error}") from error
