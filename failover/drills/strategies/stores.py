"""Writes votes into a strategy's own table with stock boto3, as an application of that kind would.

Every function raises BotoCoreError or ClientError when the region does not take the vote.
"""

from __future__ import annotations

import json
import time
import zlib
from typing import Any

from botocore.exceptions import ClientError

from failover.drills.strategies.catalogue import Store, Strategy

DOCUMENTS = 4
"""How many items the `document` store spreads its ballots over."""
SURVEY = "drill"


class Table:
    """One strategy's table in one region."""

    def __init__(self, strategy: Strategy, region: str, client: Any) -> None:
        self._strategy = strategy
        self._region = region
        self._client = client

    def record(self, voter: str, vote_id: str, answers: dict[str, Any]) -> str:
        """Write a vote; "recorded", or "superseded" where a later one of the voter is there."""
        match self._strategy.store:
            case Store.DOCUMENT:
                return self._into_document(voter, vote_id, answers)
            case Store.COUNTER:
                return self._into_counter()
            case Store.BALLOTS:
                return self._as_ballot(voter, vote_id, answers)

    def _as_ballot(self, voter: str, vote_id: str, answers: dict[str, Any]) -> str:
        item = {
            **_key(voter),
            "vote_id": {"S": vote_id},
            "answers": {"S": json.dumps(answers)},
            **(self._stamp() if self._strategy.is_replicated else {}),
        }
        try:
            self._client.put_item(
                TableName=self._strategy.table,
                Item=item,
                ConditionExpression="attribute_not_exists(vote_id) OR vote_id <= :new",
                ExpressionAttributeValues={":new": {"S": vote_id}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return "superseded"
        return "recorded"

    def _into_document(self, voter: str, vote_id: str, answers: dict[str, Any]) -> str:
        """The ballot becomes an attribute of an item that holds many. An update creates the item."""
        ballot = {"M": {"vote_id": {"S": vote_id}, "answers": {"S": json.dumps(answers)}}}
        self._update(
            f"document-{zlib.crc32(voter.encode()) // 2 % DOCUMENTS}",
            "SET #ballot = :ballot",
            ballot,
            {"#ballot": voter},
        )
        return "recorded"

    def _into_counter(self) -> str:
        self._update("counter", "ADD counted :one", None, {})
        return "recorded"

    def _update(self, item: str, expression: str, ballot: Any, names: dict[str, str]) -> None:
        verb = "SET" if expression.startswith("ADD") else ","
        stamp = self._stamp()
        values = {":at": stamp["updated_at"], ":in": stamp["updated_in"]}
        values |= {":ballot": ballot} if ballot is not None else {":one": {"N": "1"}}
        self._client.update_item(
            TableName=self._strategy.table,
            Key=_key(item),
            UpdateExpression=f"{expression} {verb} updated_at = :at, updated_in = :in",
            ExpressionAttributeValues=values,
            **({"ExpressionAttributeNames": names} if names else {}),
        )

    def read_flag(self) -> str | None:
        """The region that the flag names; None when nobody has set it."""
        item = self._client.get_item(TableName=self._strategy.table, Key=_key("flag")).get("Item", {})
        region: str | None = item.get("region", {}).get("S")
        return region

    def write_flag(self, region: str) -> None:
        """Set the flag."""
        item = {**_key("flag"), "region": {"S": region}, **self._stamp()}
        self._client.put_item(TableName=self._strategy.table, Item=item)

    def _stamp(self) -> dict[str, dict[str, str]]:
        """By these Global Tables (and the lab) know the later one of two copies."""
        return {"updated_at": {"N": str(time.time_ns() // 1000)}, "updated_in": {"S": self._region}}


def ballots_in(item: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The voter, vote_id and answers of each ballot that an item holds."""
    if "vote_id" in item:
        return [(item["voter"]["S"], item["vote_id"]["S"], json.loads(item["answers"]["S"]))]
    maps = {name: value["M"] for name, value in item.items() if "M" in value}
    return [(name, ballot["vote_id"]["S"], json.loads(ballot["answers"]["S"])) for name, ballot in maps.items()]


def counted_in(item: dict[str, Any]) -> int | None:
    """What a counter's item counts; None for another item."""
    return int(item["counted"]["N"]) if "counted" in item else None


def _key(voter: str) -> dict[str, dict[str, str]]:
    return {"survey": {"S": SURVEY}, "voter": {"S": voter}}
