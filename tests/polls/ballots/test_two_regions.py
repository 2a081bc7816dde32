"""The regions in memory read a condition as the live engine does."""

import pytest

from failover.lab.replication.rules import CONDITION
from failover.wiring import Wired
from polls.ballots.models import BallotRow
from tests.polls.ballots.two_regions import EAST, WEST, holds

VOTER = "voter-0001"
STANDING = {"vote_id": {"S": "b"}, "digest": {"S": "x"}, "updated_at": {"N": "10"}, "updated_in": {"S": EAST}}
VOTE = "((attribute_not_exists (#0) OR (#0 = :0 AND #1 = :1)) OR #0 < :0)"


@pytest.mark.lab
@pytest.mark.parametrize("standing", [{}, STANDING], ids=["nothing there", "a ballot there"])
@pytest.mark.parametrize(
    ("condition", "names", "values"),
    [
        *((VOTE, {"#0": "vote_id", "#1": "digest"}, {":0": id, ":1": digest}) for id in "abc" for digest in "xy"),
        *((CONDITION, {}, {":at": at, ":region": region}) for at in (9, 10, 100) for region in (EAST, WEST)),
    ],
)
def test_the_regions_in_memory_read_conditions_as_the_engine_does(
    wired: Wired, standing: dict, condition: str, names: dict, values: dict
) -> None:
    key = {"shard": {"S": "CONTRACT#1#1"}, "voter_region": {"S": f"{VOTER}#{EAST}"}}
    typed = {name: {"N": str(one)} if isinstance(one, int) else {"S": one} for name, one in values.items()}
    table, client = BallotRow.Meta.table_name, wired.clients[EAST]
    client.delete_item(TableName=table, Key=key)
    if standing:
        client.put_item(TableName=table, Item={**key, **standing})
    request = {"ConditionExpression": condition, "ExpressionAttributeValues": typed}
    try:
        client.put_item(TableName=table, Item=key, **request, **({"ExpressionAttributeNames": names} if names else {}))
    except client.exceptions.ConditionalCheckFailedException:
        taken = False
    else:
        taken = True
    client.delete_item(TableName=table, Key=key)
    assert holds(condition, standing, names, typed) is taken
