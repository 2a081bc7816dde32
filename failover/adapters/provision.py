"""Makes tables: CreateTable, missing indexes, TTL, and on AWS the replicas of a global table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from failover.adapters.models import TableSpec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def create_missing(client: DynamoDBClient, spec: TableSpec) -> bool:
    """Makes the table unless it exists, and waits until it is active; returns whether it was created."""
    try:
        client.create_table(**spec.create)
        created = True
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
        created = False
    client.get_waiter("table_exists").wait(TableName=spec.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    if not created:
        _add_indexes(client, spec)
    if spec.ttl_attribute and not _expires(client, spec.name):
        client.update_time_to_live(
            TableName=spec.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": spec.ttl_attribute}
        )
    return created


def _add_indexes(client: DynamoDBClient, spec: TableSpec) -> None:
    """Adds the indexes that a table of an earlier version lacks. DynamoDB fills them in the
    background; until then a query of one is refused.
    """
    described = client.describe_table(TableName=spec.name)["Table"]
    present = {index.get("IndexName") for index in described.get("GlobalSecondaryIndexes", [])}
    for index in spec.create.get("GlobalSecondaryIndexes", []):
        if index["IndexName"] not in present:
            client.update_table(
                TableName=spec.name,
                AttributeDefinitions=spec.create["AttributeDefinitions"],
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )
            client.get_waiter("table_exists").wait(TableName=spec.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def _expires(client: DynamoDBClient, table: str) -> bool:
    """Whether TTL is on: an interrupted run may have made the table and gone no further."""
    described = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return described.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")


def add_replicas(client: DynamoDBClient, spec: TableSpec, regions: Sequence[str]) -> list[str]:
    """Adds the other `regions` as replicas of the table, one after another as AWS requires; returns
    the regions that were missing.
    """
    described = client.describe_table(TableName=spec.name)["Table"]
    present = {replica.get("RegionName") for replica in described.get("Replicas", [])}
    added = [region for region in regions[1:] if region not in present]
    for region in added:
        client.update_table(TableName=spec.name, ReplicaUpdates=[{"Create": {"RegionName": region}}])
        client.get_waiter("table_exists").wait(TableName=spec.name, WaiterConfig={"Delay": 5, "MaxAttempts": 240})
    return added
