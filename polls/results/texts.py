"""Free-text answers, the newest first, a page at a time: they lie with the ballots and are in no
tally.

Tallies say which shards hold any and when each got its last, so that a page reads no more shards
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
SHARDS_A_CALL = 4  # 4 round trips to a region 70 ms away are far within one attempt
ID_DIGITS = 16
UNTOLD = "~"  # later than every vote: a shard that a version counted which kept no time is read before all others


@dataclass(frozen=True)
class TextAnswer:
    """What somebody wrote. The id is the same for as long as the round lasts, and tells nobody who
    it was; `place` is what to ask for to get the answers before this one.
    """

    id: str
    text: str
    place: str


@dataclass(frozen=True)
class TextPage:
    """Some answers, the newest first, and whether there are older ones."""

    answers: tuple[TextAnswer, ...]
    more: bool


@dataclass(frozen=True, order=True)
class _Found:
    vote_id: str  # of the vote that the text came with: later ones are greater
    id: str
    shard: int
    text: str


def texts(survey: Survey, question: str, *, after: str = "", limit: int = PAGE) -> Known[TextPage]:
    """Up to `limit` answers to a text question of the current round, older than the one whose place
    is `after`.

    Raises ValueError for an `after` that no page gave, NoRegionAnswered.
    """
    began = gateway.clock.wall()
    bound = _place(after)
    routed = gateway.read(lambda bound: store.read_round(survey.code, survey.round, consistent=bound.strong))
    region = routed.region
    latest = {
        number: stored.tally.latest.get(question, UNTOLD)
        for number, stored in routed.value.shards.items()
        if stored.tally.answered.get(question)
    }
    before: _Found | None = None
    found: list[_Found] = []
    if bound is not None:
        casts = gateway.read(partial(_casts, survey, [bound[0]]))
        found = _answers(survey, question, casts.value)
        before = next((one for one in found if one.id == bound[1]), None)
        if before is None:
            raise ValueError("the text that this page began behind is gone")
        latest.pop(bound[0], None)
    waiting = sorted(latest, key=lambda number: latest[number], reverse=True)
    while waiting and not _enough(found, before, limit, latest[waiting[0]]):
        casts = gateway.read(partial(_casts, survey, waiting[:SHARDS_A_CALL]))
        region, waiting = casts.region, waiting[SHARDS_A_CALL:]
        found += _answers(survey, question, casts.value)
    older = sorted((one for one in found if before is None or one < before), reverse=True)
    page = tuple(TextAnswer(one.id, one.text, f"{one.shard}-{one.id}") for one in older[:limit])
    return Known(TextPage(page, len(older) > limit), region, began)


def _enough(found: list[_Found], before: _Found | None, limit: int, latest: str) -> bool:
    """Whether a page, and one more that says that there is another, is found that no text of the
    shards which were not read can belong to: the latest of these is `latest`.
    """
    return sum(1 for one in found if one.vote_id > latest and (before is None or one < before)) > limit


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


def _answers(survey: Survey, question: str, shards: dict[int, list[Cast]]) -> list[_Found]:
    return [
        _Found(ballot.vote_id, _id(survey, ballot.voter), number, _shown(ballot.answers[question]))
        for number, casts in shards.items()
        for ballot in merge_ballots(casts, may_change=survey.definition.allow_change).values()
        if question in ballot.answers
    ]


def _shown(answer: object) -> str:
    """What was written, whatever rules were in force then."""
    return gateway.text.harmless(str(answer), lines=True)


def _id(survey: Survey, voter: str) -> str:
    """Keyed, because a voter's own name may be easy to guess, and whoever has it can read the
    ballot.
    """
    return salted_hmac("polls.results.texts", f"{survey.code}#{survey.round}#{voter}").hexdigest()[:ID_DIGITS]
