"""Free-text answers, the newest first, a page at a time. They are read from the ballots: no tally
holds them.

Tallies say which shards hold texts, and when each shard got its last: a page reads no more shards
than it needs.
"""

from dataclasses import dataclass
from functools import partial

from django.utils.crypto import salted_hmac

from failover import gateway
from polls.ballots.merge import Cast, merge_ballots
from polls.ballots.models import BallotRow, shard_prefix
from polls.common.freshness import Known
from polls.surveys.survey import Survey
from polls.tallies import store

PAGE = 50
SHARDS_A_CALL = 4  # 4 round trips to a region 70 ms away take far less than an attempt may
ID_DIGITS = 16
UNTIMED = "~"  # later than every vote: a shard whose tally has no time of its last text is read first


@dataclass(frozen=True)
class TextAnswer:
    """What a voter wrote.

    The id stays the same for as long as the round lasts, and does not tell who wrote the text.
    `place` is the `after` that asks for the answers before this one.
    """

    id: str
    text: str
    place: str


@dataclass(frozen=True)
class TextPage:
    """A page of answers, the newest first, and whether there are older ones."""

    answers: tuple[TextAnswer, ...]
    more: bool


@dataclass(frozen=True, order=True)
class _Text:
    vote_id: str  # of the ballot: a later vote has a greater one
    id: str
    shard: int
    text: str


def texts(survey: Survey, question: str, *, after: str = "", limit: int = PAGE) -> Known[TextPage]:
    """Up to `limit` answers to a text question of the current round, the newest first.

    They are older than the answer whose place is `after`. Raises ValueError for an `after` that no
    page gave, NoRegionAnswered.
    """
    began = gateway.clock.wall()
    start = _place(after)
    routed = gateway.read(lambda bound: store.read_round(survey.code, survey.round, consistent=bound.strong))
    region = routed.region
    latest = {
        number: stored.tally.latest.get(question, UNTIMED)
        for number, stored in routed.value.shards.items()
        if stored.tally.answered.get(question)
    }
    before: _Text | None = None
    read: list[_Text] = []
    if start is not None:
        casts = gateway.read(partial(_casts, survey, [start[0]]))
        read = _answers(survey, question, casts.value)
        before = next((text for text in read if text.id == start[1]), None)
        if before is None:
            raise ValueError("the text that this page began behind is gone")
        latest.pop(start[0], None)
    waiting = sorted(latest, key=lambda number: latest[number], reverse=True)
    while waiting and not _enough(read, before, limit, latest[waiting[0]]):
        casts = gateway.read(partial(_casts, survey, waiting[:SHARDS_A_CALL]))
        region, waiting = casts.region, waiting[SHARDS_A_CALL:]
        read += _answers(survey, question, casts.value)
    older = sorted((text for text in read if before is None or text < before), reverse=True)
    page = tuple(TextAnswer(text.id, text.text, f"{text.shard}-{text.id}") for text in older[:limit])
    return Known(TextPage(page, len(older) > limit), region, began)


def _enough(read: list[_Text], before: _Text | None, limit: int, latest: str) -> bool:
    """Whether a full page, and one text more, are newer than every text of the shards not yet read.

    `latest` is the vote_id of the latest of those.
    """
    return sum(1 for text in read if text.vote_id > latest and (before is None or text < before)) > limit


def _place(after: str) -> tuple[int, str] | None:
    number, _dash, identity = after.partition("-")
    if not after:
        return None
    shard = gateway.text.whole_number(number, digits=4)
    if shard is None or len(identity) != ID_DIGITS:
        raise ValueError("no page of texts begins there")
    return shard, identity


def _casts(survey: Survey, shards: list[int], bound: gateway.Bound) -> dict[int, list[Cast]]:
    prefix = shard_prefix(survey.code, survey.round)
    return {
        number: [row.cast() for row in BallotRow.query(f"{prefix}{number}", consistent_read=bound.strong)]
        for number in shards
    }


def _answers(survey: Survey, question: str, shards: dict[int, list[Cast]]) -> list[_Text]:
    return [
        _Text(ballot.vote_id, _id(survey, ballot.voter), number, _shown(ballot.answers[question]))
        for number, casts in shards.items()
        for ballot in merge_ballots(casts, may_change=survey.definition.allow_change).values()
        if question in ballot.answers
    ]


def _shown(answer: object) -> str:
    """The text without what could do harm, whatever rules were in force when it was written."""
    return gateway.text.harmless(str(answer), lines=True)


def _id(survey: Survey, voter: str) -> str:
    """The id of a voter's text in this round.

    It is keyed, because a voter's own name may be easy to guess, and with that name the ballot can
    be read.
    """
    return salted_hmac("polls.results.texts", f"{survey.code}#{survey.round}#{voter}").hexdigest()[:ID_DIGITS]
