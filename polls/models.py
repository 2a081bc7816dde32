"""The survey's tables in DynamoDB. Not the Django ORM: these are PynamoDB models, bound to a region by the gateway, and
have no migrations.

Every key ends in the region that wrote the item, so no item is ever written by two regions and readers merge
(merge.py).
"""

import hashlib
from typing import Any, NamedTuple, TypeVar

from pynamodb.attributes import JSONAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.exceptions import PynamoDBException as DatabaseError

from failover.gateway import RegionalModel

from .merge import Cast, Field, Row
from .versions import Seen, Version, Versions

__all__ = [
    "BallotRow",
    "DatabaseError",
    "Page",
    "SurveyRow",
    "TallyRow",
    "ballot_page",
    "mark_key",
    "round_key",
    "shard_key",
    "shard_place",
    "shard_prefix",
    "tally_page",
    "voter_key",
]

ModelT = TypeVar("ModelT", bound=RegionalModel)
SEPARATOR = "#"
PAGE_ITEMS = 500  # read at once: 60 ms of a local engine on a busy laptop, far within one attempt


class SurveyRow(RegionalModel):
    """What one region changed about one survey. `fields` maps a property to {"v": value, "at": milliseconds since the
    epoch, "born": the round in which its survey began, where that is not 1}; what authors write also has what its
    writer had seen: "seen" (a time a region) and "names" (the latest changes, each its time and mark).
    """

    class Meta:
        table_name = "survey-definitions"

    code = UnicodeAttribute(hash_key=True)
    region = UnicodeAttribute(range_key=True)
    round = NumberAttribute()
    fields = JSONAttribute()

    def row(self) -> Row:
        """The row as plain data."""
        fields: dict[str, Field] = {}
        versions: dict[str, Versions] = {}
        for name, entry in self.fields.items():
            field = fields[name] = Field(entry["v"], int(entry["at"]), int(entry.get("born", 1)))
            if "seen" in entry:
                upto = {region: int(at) for region, at in entry["seen"].items()}
                names = frozenset((int(at), str(mark)) for at, mark in entry["names"])
                version = Version(field.value, field.born, frozenset({str(self.region)}))
                versions[name] = Versions({field.name: version}, Seen(upto, names))
        return Row(int(self.round), fields, versions)

    @staticmethod
    def packed(row: Row) -> dict[str, dict[str, object]]:
        """The attribute `fields` of a row."""
        return {name: _packed(entry, row.versions.get(name)) for name, entry in row.fields.items()}


def _packed(entry: Field, versions: Versions | None) -> dict[str, object]:
    told: dict[str, object] = {"v": entry.value, "at": entry.at}
    if entry.born != 1:
        told["born"] = entry.born
    if versions is not None:
        told["seen"] = dict(versions.seen.upto)
        told["names"] = sorted(list(name) for name in versions.seen.names)
    return told


class BallotRow(RegionalModel):
    """What one voter said in one round, as one region wrote it. All ballots of a round have the same `expires_at`."""

    class Meta:
        table_name = "survey-votes"

    shard = UnicodeAttribute(hash_key=True)
    voter_region = UnicodeAttribute(range_key=True)
    vote_id = UnicodeAttribute()
    digest = UnicodeAttribute()
    answers = JSONAttribute()
    expires_at = TTLAttribute()

    def cast(self) -> Cast:
        """The ballot as plain data."""
        return Cast(self.voter, self.vote_id, self.digest, self.answers)

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
    counts = JSONAttribute()
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


def tally_page(start: dict[str, Any] | None) -> Page:
    """Up to 500 tallies of the bound region from `start` on, of any rounds."""
    page = next(TallyRow.scan(page_size=PAGE_ITEMS, last_evaluated_key=start).page_iter)
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
    """Where a round's mark of one region lies (writers.py): in a partition that is no shard."""
    return f"writers{SEPARATOR}{shard_prefix(code, number)}", voter_key("", region)
