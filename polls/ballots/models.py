"""The table of the ballots, and its keys. polls/surveys/models.py says how keys are made."""

import hashlib
from typing import Any

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from failover import gateway
from failover.gateway import RegionalModel, StoredJSON
from polls.ballots.merge import Cast
from polls.common.models import PAGE_ITEMS, Page
from polls.surveys.survey import Survey

SEPARATOR = "#"


class BallotRow(RegionalModel):
    """One voter's ballot in one round, as one region wrote it. All ballots of a round have the same
    `expires_at`.
    """

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
        """The row as an audit shows it: `updated_at` is the vote_id as a number, `expires_at` epoch
        seconds.
        """
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
        """The voter's name. It has url-safe characters only, so it never contains the separator."""
        return str(self.voter_region).partition(SEPARATOR)[0]


def ballot_page(start: dict[str, Any] | None, *, prefix: str | None = None, consistent: bool = False) -> Page:
    """Reads up to 500 items from `start` on, and gives those whose shard begins with `prefix`.

    A long reading is many short calls, each with its own time limit: one long call would look like
    a region that hangs.
    """
    scan = BallotRow.scan(
        BallotRow.shard.startswith(prefix) if prefix else None,
        page_size=PAGE_ITEMS,
        last_evaluated_key=start,
        consistent_read=consistent,
    )
    page = next(scan.page_iter)
    return Page(page["Items"], page.get("LastEvaluatedKey"))


def round_key(code: str, number: int) -> str:
    """The partition key of the tallies of one round."""
    return f"{code}{SEPARATOR}{number}"


def shard_prefix(code: str, number: int) -> str:
    """The beginning of the shard keys of one round."""
    return f"{round_key(code, number)}{SEPARATOR}"


def shard_place(key: str) -> tuple[str, int, int] | None:
    """Code, round and number that a shard key is made of; None for any other key."""
    code, *numbers = key.split(SEPARATOR)
    match [gateway.text.whole_number(number) for number in numbers]:
        case [int(round_), int(place)] if code:
            return code, round_, place
    return None


def shard_key(code: str, number: int, voter: str, shards: int) -> str:
    """The partition key of a voter's ballots in one round. It never changes, so a survey's shard
    count never changes.
    """
    place = int.from_bytes(hashlib.sha256(voter.encode()).digest()[:4], "big") % shards
    return f"{shard_prefix(code, number)}{place}"


def voter_key(voter: str, region: str) -> str:
    """The range key of a voter's ballot written by one region."""
    return f"{voter}{SEPARATOR}{region}"


def ballot_keys(survey: Survey, voter: str) -> list[tuple[str, str]]:
    """The keys of a voter's ballots in the current round: one for each region, in the order of
    their priority.
    """
    shard = shard_key(survey.code, survey.round, voter, survey.shards)
    return [(shard, voter_key(voter, region)) for region in gateway.regions()]


def mark_key(code: str, number: int, region: str) -> tuple[str, str]:
    """The key of a round's mark of one region (region_marks.py), in a partition that is no shard."""
    return f"writers{SEPARATOR}{shard_prefix(code, number)}", voter_key("", region)
