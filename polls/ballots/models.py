"""The table of the ballots, and the keys under which they lie (see polls/surveys/models.py)."""

import hashlib
from typing import Any

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from failover import gateway
from failover.gateway import RegionalModel
from polls.ballots.merge import Cast
from polls.common.models import PAGE_ITEMS, Page, StoredJSON

SEPARATOR = "#"


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


def round_key(code: str, number: int) -> str:
    """What the tallies of one round of a survey lie under."""
    return f"{code}{SEPARATOR}{number}"


def shard_prefix(code: str, number: int) -> str:
    """What the shard keys of one round of a survey start with."""
    return f"{round_key(code, number)}{SEPARATOR}"


def shard_place(key: str) -> tuple[str, int, int] | None:
    """Code, round and number that a shard key is made of; None for a key that is none."""
    code, *numbers = key.split(SEPARATOR)
    match [gateway.text.whole_number(number) for number in numbers]:
        case [int(round_), int(place)] if code:
            return code, round_, place
    return None


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
