"""Writes, as plain keyword-only functions. Each goes through the gateway, so it lands in a region that works, and may
be repeated in any.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from failover import gateway

from . import codes, selectors, vote_ids
from .answers import digest as digest_of
from .definitions import Definition
from .merge import Cast, Row, change, merge, stands
from .models import BallotRow, SurveyRow
from .surveys import KEPT_S, State, Survey, first_values

WRITE_TRIES = 5  # of two processes of one region that change one survey in the same moment, the slower one reads again


class ServiceRefused(Exception):
    """A write that the rules of the survey do not allow; nothing was changed. `reason` is the API's word, the text is
    for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CastStatus(StrEnum):
    """What came of a vote."""

    RECORDED = "recorded"
    ALREADY_RECORDED = "already-recorded"
    CHANGED = "changed"
    SUPERSEDED = "superseded"


class CastRefused(StrEnum):
    """Why a vote was not taken; nothing was changed."""

    ALREADY_VOTED = "already-voted"
    VOTE_ID_REUSED = "vote-id-reused"


@dataclass(frozen=True)
class Receipt:
    """A vote that is recorded: by which region, after which attempts, and when."""

    code: str
    round: int
    vote_id: str
    digest: str
    status: CastStatus
    region: str
    attempts: tuple[gateway.Attempt, ...]
    recorded_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The receipt as the API gives it."""
        return {
            "vote_id": self.vote_id,
            "code": self.code,
            "round": self.round,
            "region": self.region,
            "status": self.status.value,
            "attempts": [attempt_json(attempt) for attempt in self.attempts],
            "recorded_at": self.recorded_at.isoformat(timespec="milliseconds"),
        }


def attempt_json(attempt: gateway.Attempt) -> dict[str, Any]:
    """One line of a vote's way, as the API gives it."""
    return {"region": attempt.region, "outcome": attempt.outcome.value, "ms": round(attempt.ms, 1)}


def survey_create(*, definition: Definition) -> Survey:
    """Make a survey, open, in its first round.

    A code that exists is refused with "exists", unless it is the very same survey: then nothing is changed. Raises
    ServiceRefused, NoRegionAnswered.
    """
    code = definition.code or _unused_code()
    existing = selectors.read_now(code)
    if existing is not None:
        survey = existing.survey
        if survey.definition == Definition(definition.title, definition.questions, definition.allow_change, code):
            return survey
        raise ServiceRefused(
            "exists", _("A different survey has the code %(code)s; nothing was changed.") % {"code": code}
        )
    now = gateway.clock.wall()
    first = change(Row(), first_values(definition, now_s=now), now_ms=int(now * 1000), new_round=True)
    return _write(code, first)


def survey_open(*, code: str) -> Survey:
    """Take votes. Raises SurveyUnknown, NoRegionAnswered."""
    return _change(code, {"state": State.OPEN.value})


def survey_close(*, code: str) -> Survey:
    """Take no more votes. Raises SurveyUnknown, NoRegionAnswered."""
    return _change(code, {"state": State.CLOSED.value})


def survey_reset(*, code: str) -> Survey:
    """Begin a new round: one small write; late ballots of the old round lie under another key and never count.

    Raises SurveyUnknown, NoRegionAnswered.
    """
    return _change(code, {"expires_at": int(gateway.clock.wall()) + KEPT_S}, new_round=True)


def _unused_code() -> str:
    while selectors.read_now(code := codes.make()) is not None:
        continue
    return code


def _change(code: str, values: Mapping[str, Any], *, new_round: bool = False) -> Survey:
    known = selectors.read_now(code)
    if known is None:
        raise selectors.SurveyUnknown(code)
    # The change is made once, before the first attempt: a repeat in another region says the same thing.
    return _write(code, change(known.row, values, now_ms=int(gateway.clock.wall() * 1000), new_round=new_round))


def _write(code: str, changed: Row) -> Survey:
    def op(bound: gateway.Bound) -> Row:
        for _try in range(WRITE_TRIES):
            own = next(iter(SurveyRow.query(code, SurveyRow.region == bound.region, consistent_read=True)), None)
            merged = merge([changed, own.row()]) if own else changed
            item = SurveyRow(code, bound.region, round=merged.round, fields=SurveyRow.packed(merged))
            # Above the row that it replaces, also when this host's clock is behind that of the row's writer.
            stamp = max(gateway.stamp(), int(own.updated_at) + 1) if own else gateway.stamp()
            unchanged = (SurveyRow.updated_at == own.updated_at) if own else SurveyRow.code.does_not_exist()
            if item.put(unchanged, updated_at=stamp).written:
                return merged
        raise RuntimeError(f"survey {code} is being changed by others all the time")

    routed = gateway.write(op, idempotent=True)
    return selectors.learn(code, routed.value, region=routed.region)


def name_vote(above: str | None = None) -> str:
    """A new vote's id: of now, and above the voter's last one."""
    return vote_ids.mint(int(gateway.clock.wall() * 1000), secrets.randbits(vote_ids.RANDOM_BITS), above)


def ballot_cast(*, survey: Survey, voter: str, vote_id: str, answers: Mapping[str, Any]) -> Receipt:
    """Record a vote in the first region that takes it. The same vote_id with the same answers may be sent any number of
    times.

    Raises ServiceRefused ("closed", "already-voted", "vote-id-reused"), NoRegionAnswered.
    """
    if not survey.is_open:
        raise ServiceRefused("closed", _("This survey is closed; it takes no more votes."))
    digest = digest_of(answers)
    keys = dict(zip(gateway.regions(), selectors.ballot_keys(survey, voter), strict=True))

    def op(bound: gateway.Bound) -> CastStatus | CastRefused:
        shard, place = keys[bound.region]
        here = [row.cast() for row in BallotRow.batch_get(list(keys.values()), consistent_read=bound.strong)]
        verdict = _verdict(here, vote_id, digest, may_change=survey.allow_change)
        if verdict is not None:
            return verdict
        item = BallotRow(
            shard, place, vote_id=vote_id, digest=digest, answers=dict(answers), expires_at=survey_expiry(survey)
        )
        same = (BallotRow.vote_id == vote_id) & (BallotRow.digest == digest)
        allowed = BallotRow.vote_id.does_not_exist() | same
        if survey.allow_change:
            allowed = allowed | (BallotRow.vote_id < vote_id)
        # Copies are ordered as votes are accepted, by the vote's name: two hosts' clocks may differ.
        result = item.put(allowed, updated_at=vote_ids.order(vote_id))
        if not result.written:
            # Somebody wrote this key since it was read, or an eventual read came too early. What stands there says
            # what to tell the voter.
            there = [BallotRow.get(shard, place, consistent_read=True).cast()]
            return _verdict(there, vote_id, digest, may_change=survey.allow_change) or CastRefused.ALREADY_VOTED
        before = {cast.vote_id for cast in here} | ({str(result.old.vote_id)} if result.old else set())
        if vote_id in before:
            return CastStatus.ALREADY_RECORDED
        return CastStatus.CHANGED if before else CastStatus.RECORDED

    routed = gateway.write(op, idempotent=True)
    if isinstance(routed.value, CastRefused):
        raise ServiceRefused(routed.value.value, _refusal(routed.value))
    return Receipt(
        survey.code,
        survey.round,
        vote_id,
        digest,
        routed.value,
        routed.region,
        routed.attempts,
        datetime.fromtimestamp(gateway.clock.wall(), UTC),
    )


def survey_expiry(survey: Survey) -> datetime:
    """When a ballot of the current round may go."""
    return datetime.fromtimestamp(survey.expires_at, UTC)


def _verdict(casts: list[Cast], vote_id: str, digest: str, *, may_change: bool) -> CastStatus | CastRefused | None:
    """What the ballots that stand mean for a new one of the same voter; None when the new one may be written."""
    standing = stands(casts, may_change=may_change)
    if standing is None:
        return None
    if standing.vote_id == vote_id:
        return CastStatus.ALREADY_RECORDED if standing.digest == digest else CastRefused.VOTE_ID_REUSED
    if not may_change:
        return CastRefused.ALREADY_VOTED
    return CastStatus.SUPERSEDED if standing.vote_id > vote_id else None


def _refusal(refused: CastRefused) -> str:
    match refused:
        case CastRefused.ALREADY_VOTED:
            return _("You have already voted; votes in this survey cannot be changed.")
        case CastRefused.VOTE_ID_REUSED:
            return _("This vote_id was already used for other answers; a changed vote needs a new one.")
