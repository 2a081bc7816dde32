"""Free-text answers, a page at a time: they lie with the ballots and are in no tally.

Tallies say which shards hold any, so that a page reads no others.
"""

from dataclasses import dataclass
from functools import partial

from django.utils.crypto import salted_hmac

from failover import gateway

from . import tallies
from .known import Known
from .merge import Cast, merge_ballots
from .models import BallotRow, shard_prefix
from .surveys import Survey

PAGE = 50
SHARDS_A_CALL = 4  # 4 round trips to a region 70 ms away are far within one attempt
ID_DIGITS = 16


@dataclass(frozen=True)
class TextAnswer:
    """What somebody wrote. The id is the same for as long as the round lasts, and tells nobody who it was."""

    id: str
    text: str


@dataclass(frozen=True)
class TextPage:
    """Some answers, in an order that stays, and what to ask for to get the next ones; None at the end."""

    answers: tuple[TextAnswer, ...]
    next: str | None


def texts(survey: Survey, question: str, *, after: str = "", limit: int = PAGE) -> Known[TextPage]:
    """Up to `limit` answers to a text question of the current round, behind the place that `after` names.

    Raises ValueError for an `after` that no page gave, NoRegionAnswered.
    """
    began = gateway.clock.wall()
    first, behind = _place(after)
    routed = gateway.read(lambda bound: tallies.read_round(survey.code, survey.round, consistent=bound.strong))
    region = routed.region
    shards = sorted(
        number
        for number, stored in routed.value.shards.items()
        if number >= first and stored.tally.answered.get(question)
    )
    found: list[tuple[int, TextAnswer]] = []
    for at in range(0, len(shards), SHARDS_A_CALL):
        casts = gateway.read(partial(_casts, survey, shards[at : at + SHARDS_A_CALL]))
        region = casts.region
        for number, told in casts.value.items():
            behind_here = behind if number == first else ""
            found += [(number, answer) for answer in _answers(survey, question, told) if answer.id > behind_here]
        if len(found) > limit:
            break
    page, more = found[:limit], len(found) > limit
    following = f"{page[-1][0]}-{page[-1][1].id}" if more and page else None
    return Known(TextPage(tuple(answer for _number, answer in page), following), region, began)


def _place(after: str) -> tuple[int, str]:
    number, _dash, behind = after.partition("-")
    if after and not (number.isdecimal() and len(behind) == ID_DIGITS):
        raise ValueError("no page of texts begins there")
    return int(number or 0), behind


def _casts(survey: Survey, shards: list[int], bound: gateway.Bound) -> dict[int, list[Cast]]:
    prefix = shard_prefix(survey.code, survey.round)
    return {
        number: [row.cast() for row in BallotRow.query(f"{prefix}{number}", consistent_read=bound.strong)]
        for number in shards
    }


def _answers(survey: Survey, question: str, casts: list[Cast]) -> list[TextAnswer]:
    ballots = merge_ballots(casts, may_change=survey.allow_change).values()
    answers = [
        TextAnswer(_id(survey, ballot.voter), str(ballot.answers[question]))
        for ballot in ballots
        if question in ballot.answers
    ]
    return sorted(answers, key=lambda answer: answer.id)


def _id(survey: Survey, voter: str) -> str:
    """Keyed, because a voter's own name may be easy to guess, and whoever has it can read the ballot."""
    return salted_hmac("polls.texts", f"{survey.code}#{survey.round}#{voter}").hexdigest()[:ID_DIGITS]
