"""The JSON that a function gets from AWS: an event with a stream's records, and a schedule's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

Record = dict[str, Any]


def as_event(record: Record, region: str) -> Record:
    """A record of the stream as a function on AWS gets it.

    Its time is in epoch seconds, and it names its region.
    """
    change = dict(record["dynamodb"])
    created = change.get("ApproximateCreationDateTime")
    if isinstance(created, datetime):
        change["ApproximateCreationDateTime"] = created.timestamp()
    return {
        "eventID": record.get("eventID", ""),
        "eventName": record["eventName"],
        "eventVersion": record.get("eventVersion", "1.1"),
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": change,
    }


def scheduled(region: str, *, everything: bool = False) -> dict[str, Any]:
    """The event that EventBridge sends on a schedule.

    With ``everything`` the function compares the tallies of every open survey, as is needed where
    records were lost.
    """
    return {
        "version": "0",
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "region": region,
        "resources": [],
        "detail": {"everything": True} if everything else {},
    }


def handled(batch: list[Record], reply: dict[str, Any]) -> int:
    """How many records of the batch, from its first on, the partial batch response says are done.

    The first record that failed and every one behind it are to be handed in again.
    """
    failed = {failure["itemIdentifier"] for failure in reply.get("batchItemFailures", [])}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
    return next((index for index, number in enumerate(numbers) if number in failed), len(batch))
