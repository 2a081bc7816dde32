"""Two regions in memory, below everything of ours: botocore's clients are replaced, so the real services, models,
router and conditions run against them, and a test says what the network does and when replication carries what.

`test_two_regions.py` holds the conditions as this engine reads them against the live one.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from failover import wiring
from failover.adapters.binding import Connections, bind
from failover.adapters.errors import classify
from failover.adapters.models import use_connections
from failover.conf import FailoverConfig
from failover.core.config import RouterConfig
from failover.core.errors import Failure
from failover.core.fakes import FakeClock
from failover.core.ports import Bound, Success
from failover.core.regions import Region
from failover.core.router import Router
from failover.lab.replication.rules import CONDITION, Item, Key, key_of, missing, stamp_of
from polls.ballots import region_marks
from polls.ballots.merge import Cast
from polls.ballots.models import BallotRow, mark_key

EAST, WEST = "us-east-1", "us-west-2"
KEYS = ("shard", "voter_region")
WORDS = re.compile(r"\s*(attribute_not_exists|AND|OR|<=|<|=|\(|\)|[#:]?\w+)")


class Weather(StrEnum):
    """What the network does with a call to a region."""

    FINE = "fine"
    DOWN = "down"
    """Nothing is sent."""
    LOST = "lost"
    """A write is carried out, and its reply is lost."""
    LATE = "late"
    """A write is neither answered nor carried out, until `TinyRegion.surface`: a zombie."""
    SWELL = "swell"
    """What is on the wire to there is carried out at the last moment before a write."""


def holds(condition: str, item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether a condition expression holds for what stands there: `attribute_not_exists`, comparisons, AND, OR."""
    words = WORDS.findall(condition)
    assert "".join(words) == re.sub(r"\s", "", condition), f"an expression that this engine cannot read: {condition}"

    def either() -> bool:
        found = both()
        while words and words[0] == "OR":
            words.pop(0)
            found = both() or found
        return found

    def both() -> bool:
        found = one()
        while words and words[0] == "AND":
            words.pop(0)
            found = one() and found
        return found

    def one() -> bool:
        word = words.pop(0)
        if word == "(":
            found = either()
            assert words.pop(0) == ")"
            return found
        if word == "attribute_not_exists":
            assert words.pop(0) == "("
            name = words.pop(0)
            assert words.pop(0) == ")"
            return names.get(name, name) not in item
        comparison, other = words.pop(0), words.pop(0)
        standing, told = item.get(names.get(word, word)), values[other]
        if standing is None or set(standing) != set(told):
            return False
        ((kind, left),), (right,) = standing.items(), told.values()
        if kind == "N":
            left, right = Decimal(left), Decimal(right)
        return {"=": left == right, "<": left < right, "<=": left <= right}[comparison]

    found = either()
    assert not words
    return bool(found)


class TinyRegion:
    """One region's ballots, as a botocore client that PynamoDB may be handed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.weather = Weather.FINE
        self.items: dict[Key, Item] = {}
        self.on_the_wire: list[dict[str, Any]] = []
        self.met: set[str] = set()
        """The vote_ids that were there when it was last written to, or told to `look`."""

    def _make_api_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if self.weather is Weather.DOWN:
            raise EndpointConnectionError(endpoint_url=self.name)
        match operation:
            case "PutItem":
                if self.weather is Weather.LATE:
                    self.on_the_wire.append(request)
                    raise ReadTimeoutError(endpoint_url=self.name)
                if self.weather is Weather.SWELL:
                    self.surface()
                self.look()
                reply = self.put(request)
                if self.weather is Weather.LOST:
                    raise ReadTimeoutError(endpoint_url=self.name)
                if isinstance(reply, ClientError):
                    raise reply
                return reply
            case "GetItem":
                found = self.items.get(key_of(request["Key"], KEYS))
                return {"Item": found} if found else {}
            case "BatchGetItem":
                ((table, wanted),) = request["RequestItems"].items()
                keys = [key_of(one, KEYS) for one in wanted["Keys"]]
                rows = [self.items[key] for key in keys if key in self.items]
                return {"Responses": {table: rows}, "UnprocessedKeys": {}}
            case "Query":
                return {"Items": [item for item in self.items.values() if self._asked(item, request)], "Count": 1}
        raise AssertionError(f"{operation} is not played here")

    def put(self, request: dict[str, Any]) -> dict[str, Any] | ClientError:
        """Carry out a put; its reply, or its refusal."""
        key = key_of(request["Item"], KEYS)
        old = self.items.get(key)
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        if "ConditionExpression" in request and not holds(request["ConditionExpression"], old or {}, names, values):
            told: dict[str, Any] = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "no"}}
            if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old:
                told["Item"] = old
            return ClientError({**told, "ResponseMetadata": {"HTTPStatusCode": 400}}, "PutItem")  # type: ignore[typeddict-item]  # the SDK's type knows no Item
        self.items[key] = request["Item"]
        return {"Attributes": old} if old and request.get("ReturnValues") == "ALL_OLD" else {}

    def surface(self) -> None:
        """What was on the wire is carried out now; nobody waits for its reply."""
        for request in self.on_the_wire:
            self.put(request)
        self.on_the_wire.clear()

    def look(self) -> None:
        """Remember which votes it holds now."""
        self.met = {cast.vote_id for cast in self.casts()}

    def casts(self) -> list[Cast]:
        """The ballots that it holds, whichever region wrote them."""
        return [BallotRow.from_raw_data(item).cast() for item in self.ballots().values()]

    def ballots(self) -> dict[Key, Item]:
        """The items that are no marks of a region's first ballot (polls/ballots/region_marks.py)."""
        return {key: item for key, item in self.items.items() if not item["shard"]["S"].startswith("writers#")}

    def close(self) -> None:
        """There is nothing to close."""

    @staticmethod
    def _asked(item: Item, request: dict[str, Any]) -> bool:
        condition, names = request["KeyConditionExpression"], request.get("ExpressionAttributeNames", {})
        return holds(condition, item, names, request["ExpressionAttributeValues"])


@dataclass
class Tiny:
    """Both regions."""

    regions: dict[str, TinyRegion] = field(default_factory=lambda: {name: TinyRegion(name) for name in (EAST, WEST)})

    def begin(self, code: str) -> None:
        """Without ballots, each region marked in itself alone as one that takes them in the first round of `code`, and
        nobody knows that yet.
        """
        region_marks.forget()
        for region in self.regions.values():
            region.items.clear()
            shard, place = mark_key(code, 1, region.name)
            mark = {"shard": {"S": shard}, "voter_region": {"S": place}, "vote_id": {"S": ""}, "digest": {"S": ""}}
            mark |= {"answers": {"S": "{}"}, "expires_at": {"N": "2000000000"}}
            region.put({"Item": mark | {"updated_at": {"N": "1"}, "updated_in": {"S": region.name}}})
            region.on_the_wire.clear()
            region.weather = Weather.FINE
            region.look()

    def replicate(self) -> None:
        """Carry whatever is later over, both ways, as the lab's replicator does: by its rules and its condition."""
        for source, target in ((EAST, WEST), (WEST, EAST)):
            there = self.regions[target]
            stamps = {key: stamp for key, item in there.items.items() if (stamp := stamp_of(item))}
            for item in list(missing(self.regions[source].items.values(), stamps, KEYS)):
                stamp = stamp_of(item)
                assert stamp is not None
                values = {"ExpressionAttributeValues": stamp.as_values()}
                there.put({"Item": item, "ConditionExpression": CONDITION, **values})

    def surface(self) -> None:
        """Every zombie of every region."""
        for region in self.regions.values():
            region.surface()


class Inline:
    """Runs an attempt at once, in the caller's thread: the regions in memory make nobody wait."""

    def run(self, region: str, op: Any, bound: Bound, timeout: float) -> Success[Any] | Failure:
        """See Runner."""
        try:
            with bind(region):
                return Success(op(bound))
        except Exception as error:  # the contract: whatever an operation raises becomes a failure
            return classify(error)


@contextmanager
def two_regions(run_dir: Path) -> Iterator[Tiny]:
    """Within the block the gateway leads to two regions in memory."""
    tiny, config = Tiny(), FailoverConfig((EAST, WEST), {}, None, run_dir)
    with wiring.using(config) as wired:
        use_connections(Connections(tiny.regions))  # type: ignore[arg-type]  # the two methods of a client that are used
        # No circuit opens: each vote meets the regions in their order, whatever the votes before it met.
        router = Router(
            [Region(EAST, 0), Region(WEST, 1)],
            config=RouterConfig(failures_to_open=10**9),
            clock=FakeClock(),
            runner=Inline(),
            jitter=lambda: 0.5,
        )
        object.__setattr__(wired, "router", router)
        yield tiny
