"""The survey's tables in DynamoDB. Not the Django ORM: these are PynamoDB models, bound to a region by the gateway, and
have no migrations.

Every key ends in the region that wrote the item, so no item is ever written by two regions and readers merge
(merge.py).
"""

import hashlib
import json
import logging
import re
from math import isfinite
from typing import Any, NamedTuple, Self, TypeVar

from pynamodb.attributes import JSONAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.exceptions import AttributeDeserializationError
from pynamodb.exceptions import PynamoDBException as DatabaseError
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from failover.gateway import RegionalModel
from polls.common.paging import Place, Read, read_behind
from polls.surveys.merge import Cast, Row
from polls.surveys.packing import packed, unpacked

__all__ = [
    "BallotRow",
    "DatabaseError",
    "ListingRow",
    "Page",
    "SurveyRow",
    "TallyRow",
    "ballot_page",
    "mark_key",
    "round_key",
    "shard_key",
    "shard_place",
    "shard_prefix",
    "shelf_page",
    "shelf_places",
    "unlisted_page",
    "voter_key",
]

ModelT = TypeVar("ModelT", bound=RegionalModel)
SEPARATOR = "#"
log = logging.getLogger(__name__)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")  # perhaps half of a pair: looked at closely
BESIDES = 2  # places that a page of an index reads and cannot use: where it begins, and its last time
PAGE_ITEMS = 500  # read at once: 60 ms of a local engine on a busy laptop, far within one attempt


class StoredJSON(JSONAttribute):
    """JSON as small as it can be written, since an item holds 400 KB at most: a letter of most of the world's scripts
    takes two or three bytes, and six as an ASCII escape. Reading never fails: what is no JSON reads as None, and half
    of a surrogate pair, which no page could send, as U+FFFD.
    """

    def serialize(self, value: Any) -> str | None:
        """The JSON text."""
        if value is None:
            return None
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return json.dumps(value, separators=(",", ":")) if _SURROGATE.search(text) else text

    def deserialize(self, value: str) -> Any:
        """The value of a JSON text."""
        try:
            found = json.loads(value, strict=False, parse_constant=lambda _name: None, parse_float=_finite)
        except (ValueError, RecursionError):
            return None
        return _sendable(found) if _SURROGATE.search(value) else found


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None


def _sendable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_sendable(item) for item in value]
        case dict():
            return {_sendable(name): _sendable(item) for name, item in value.items()}
    return value


class StoredRow(RegionalModel):
    """What one region says of one survey: `round`, and the JSON of packing.py in `fields`. `shelf` says in which list
    the survey stands, as far as the writer knew.
    """

    code = UnicodeAttribute(hash_key=True)
    region = UnicodeAttribute(range_key=True)
    round = NumberAttribute()
    fields = StoredJSON(null=True)
    shelf = UnicodeAttribute(null=True)

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """As PynamoDB's, but an item that it cannot read is one that says nothing (`is_readable` is false): it harms
        no other row of the same reading.
        """
        known = {attribute.attr_name for attribute in cls.get_attributes().values()}
        try:
            item = super().from_raw_data(data)
            item.unknown = {name: value for name, value in data.items() if name not in known}
            return item
        except (AttributeDeserializationError, ValueError, TypeError) as error:
            code, region = (str(data.get(key, {}).get("S", "")) for key in ("code", "region"))
            details = {"event": "survey-row-unreadable", "code": code, "error": type(error).__name__}
            log.warning("a stored row of survey %(code)s cannot be read: %(error)s", details)
            return cls(code, region, round=0, updated_at=0, updated_in=region)

    @property
    def is_readable(self) -> bool:
        """Whether it holds properties, understood or not."""
        return isinstance(self.fields, dict)

    def row(self) -> Row:
        """The row as plain data; never fails (packing.py)."""
        return unpacked(self.round, self.fields, region=str(self.region))

    def unchanged(self) -> Condition:
        """The condition that the item still stands as it was read: not yet there, where it never was."""
        if "updated_at" not in self.attribute_values:
            return type(self).code.does_not_exist()
        # What cannot be read at all is replaced by nothing but a deletion.
        return type(self).updated_at == self.updated_at if self.is_readable else type(self).code.exists()

    def take(self, row: Row) -> None:
        """Say what `row` says from now on; what this version does not understand of the item stays in it."""
        self.round, self.fields = row.round, packed(row, over=self.fields)


class ByChange(GlobalSecondaryIndex["SurveyRow"]):  # type: ignore[no-untyped-call]  # PynamoDB's hook has no types
    """The rows of one shelf by when they were last written: their keys and nothing else."""

    class Meta:
        index_name = "by-change"
        projection = KeysOnlyProjection()

    shelf = UnicodeAttribute(hash_key=True)
    updated_at = NumberAttribute(range_key=True)


class SurveyRow(StoredRow):
    """What one region changed about one survey."""

    class Meta:
        table_name = "survey-definitions"

    by_change = ByChange()


class ListingRow(StoredRow):
    """The little of a SurveyRow that a list of surveys shows (listing.py), with the same key. It is of the SurveyRow
    that has the same `updated_at`, or of an earlier one, when its writer was cut off in between.
    """

    class Meta:
        table_name = "survey-listing"


class BallotRow(RegionalModel):
    """What one voter said in one round, as one region wrote it. All ballots of a round have the same `expires_at`."""

    class Meta:
        table_name = "survey-votes"

    shard = UnicodeAttribute(hash_key=True)
    voter_region = UnicodeAttribute(range_key=True)
    vote_id = UnicodeAttribute()
    digest = UnicodeAttribute()
    answers = StoredJSON()
    expires_at = TTLAttribute()

    def cast(self) -> Cast:
        """The ballot as plain data."""
        answers = self.answers if isinstance(self.answers, dict) else {}
        return Cast(self.voter, self.vote_id, self.digest, answers)

    def as_json(self) -> dict[str, object]:
        """The row as an audit shows it: `updated_at` is the vote_id as a number, `expires_at` epoch seconds."""
        return {
            "shard": str(self.shard),
            "voter": self.voter,
            "region": str(self.updated_in),
            "vote_id": str(self.vote_id),
            "digest": str(self.digest),
            "answers": self.answers,
            "updated_at": int(self.updated_at),
            "expires_at": int(self.expires_at.timestamp()),
        }

    @property
    def voter(self) -> str:
        """Whose ballot this is: url-safe characters, so the separator is none of them."""
        return str(self.voter_region).partition(SEPARATOR)[0]


class TallyRow(RegionalModel):
    """What the ballots of one shard come to, as this region's replica holds them; every region counts its own.

    `counts` is the tally as plain data, `counted_at` seconds since the epoch. The row "compared" says when the round's
    tallies were last held against its ballots.
    """

    class Meta:
        table_name = "survey-tallies"

    replicated = False

    round_key = UnicodeAttribute(hash_key=True)
    shard = UnicodeAttribute(range_key=True)
    version = UnicodeAttribute()
    voters = NumberAttribute(null=True)
    counts = StoredJSON()
    counted_at = NumberAttribute()
    expires_at = TTLAttribute()


class Page(NamedTuple):
    """A part of a long reading, as the database gave it, and where the next part begins; None at the end."""

    items: list[dict[str, Any]]
    next: dict[str, Any] | None

    def rows(self, model: type[ModelT]) -> list[ModelT]:
        """The items as models: work for this process, and therefore not done within the time of an attempt."""
        return [model.from_raw_data(item) for item in self.items]


def ballot_page(start: dict[str, Any] | None, *, prefix: str | None = None, consistent: bool = False) -> Page:
    """Up to 500 items from `start` on, of which those are given whose shard begins with `prefix`.

    A long reading is many short calls, each with its own time limit: one long call would look like a region that hangs.
    """
    found = BallotRow.scan(
        BallotRow.shard.startswith(prefix) if prefix else None,
        page_size=PAGE_ITEMS,
        last_evaluated_key=start,
        consistent_read=consistent,
    )
    page = next(found.page_iter)
    return Page(page["Items"], page.get("LastEvaluatedKey"))


def shelf_page(shelf: str, after: Place | None, *, limit: int) -> Read:
    """About `limit` places of a shelf behind `after` in the bound region, in one call; in more where that many rows
    were written in the same microsecond.
    """
    from_there = SurveyRow.updated_at <= after.updated_at if after is not None else None
    rows = SurveyRow.query(
        shelf, from_there, index_name="by-change", scan_index_forward=False, page_size=limit + BESIDES
    )
    return read_behind(after, ((_places(page), "LastEvaluatedKey" in page) for page in rows.page_iter))


def shelf_places(shelf: str) -> set[Place]:
    """All places of a shelf in the bound region, the earliest change read first: a row that changes meanwhile moves to
    where the reading has still to come, so that none is missed.
    """
    rows = SurveyRow.query(shelf, index_name="by-change", page_size=PAGE_ITEMS)
    return {place for page in rows.page_iter for place in _places(page)}


def _places(page: dict[str, Any]) -> list[Place]:
    return [Place(int(item["updated_at"]["N"]), item["code"]["S"], item["region"]["S"]) for item in page["Items"]]


def unlisted_page(start: dict[str, Any] | None) -> Page:
    """Items of the bound region's surveys that stand on no shelf: an earlier version wrote them."""
    found = SurveyRow.scan(SurveyRow.shelf.does_not_exist(), page_size=PAGE_ITEMS, last_evaluated_key=start)
    page = next(found.page_iter)
    return Page(page["Items"], page.get("LastEvaluatedKey"))


def round_key(code: str, number: int) -> str:
    """What the tallies of one round of a survey lie under."""
    return f"{code}{SEPARATOR}{number}"


def shard_prefix(code: str, number: int) -> str:
    """What the shard keys of one round of a survey start with."""
    return f"{round_key(code, number)}{SEPARATOR}"


def shard_place(key: str) -> tuple[str, int, int] | None:
    """Code, round and number that a shard key is made of; None for a key that is none."""
    code, *numbers = key.split(SEPARATOR)
    if not code or len(numbers) != 2 or not all(part.isdecimal() for part in numbers):
        return None
    return code, int(numbers[0]), int(numbers[1])


def shard_key(code: str, number: int, voter: str, shards: int) -> str:
    """The shard that a voter's ballots of one round lie in; fixed for ever, so a survey's shard count never changes."""
    place = int.from_bytes(hashlib.sha256(voter.encode()).digest()[:4], "big") % shards
    return f"{shard_prefix(code, number)}{place}"


def voter_key(voter: str, region: str) -> str:
    """The range key of a voter's ballot written by one region."""
    return f"{voter}{SEPARATOR}{region}"


def mark_key(code: str, number: int, region: str) -> tuple[str, str]:
    """Where a round's mark of one region lies (region_marks.py): in a partition that is no shard."""
    return f"writers{SEPARATOR}{shard_prefix(code, number)}", voter_key("", region)
