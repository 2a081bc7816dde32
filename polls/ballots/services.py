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
from polls.ballots import region_marks, vote_ids
from polls.ballots.answers import digest as digest_of
from polls.ballots.merge import Cast, stands
from polls.ballots.models import BallotRow
from polls.ballots.selectors import ballot_keys
from polls.surveys import expiry
from polls.surveys.services import ServiceRefused
from polls.surveys.survey import Shut, Survey


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


def name_vote(above: str | None = None) -> str:
    """A new vote's id: of now, and above the voter's last one."""
    return vote_ids.mint(int(gateway.clock.wall() * 1000), secrets.randbits(vote_ids.RANDOM_BITS), above)


def ballot_cast(*, survey: Survey, voter: str, vote_id: str, answers: Mapping[str, Any]) -> Receipt:
    """Record a vote in the first region that takes it. The same vote_id with the same answers may be sent any number of
    times.

    Raises ServiceRefused ("closed", "expired", "already-voted", "vote-id-reused"), NoRegionAnswered.
    """
    match survey.shut_at(gateway.clock.wall()):
        case Shut.CLOSED:
            raise ServiceRefused(Shut.CLOSED, _("This survey is closed; it takes no more votes."))
        case Shut.EXPIRED:
            raise ServiceRefused(Shut.EXPIRED, expiry.refused())
    digest = digest_of(answers)
    keys = dict(zip(gateway.regions(), ballot_keys(survey, voter), strict=True))

    def op(bound: gateway.Bound) -> CastStatus | CastRefused:
        shard, place = keys[bound.region]
        # What this region itself has written, the put will tell.
        others = region_marks.others(survey, bound.region) if survey.allow_change else [*keys.keys() - {bound.region}]
        elsewhere = [row.cast() for row in BallotRow.batch_get([keys[region] for region in others])] if others else []
        verdict = _verdict(elsewhere, vote_id, digest, may_change=survey.allow_change)
        if verdict is not None:
            return verdict
        item = BallotRow(
            shard, place, vote_id=vote_id, digest=digest, answers=dict(answers), expires_at=survey.kept_until
        )
        same = (BallotRow.vote_id == vote_id) & (BallotRow.digest == digest)
        allowed = BallotRow.vote_id.does_not_exist() | same
        if survey.allow_change:
            allowed = allowed | (BallotRow.vote_id < vote_id)
        # Copies are ordered as votes are accepted, by the vote's name: two hosts' clocks may differ.
        result = item.put(allowed, updated_at=vote_ids.order(vote_id))
        if not result.written:
            there = [BallotRow.get(shard, place, consistent_read=True).cast()]
            return _verdict(there, vote_id, digest, may_change=survey.allow_change) or CastRefused.ALREADY_VOTED
        before = {cast.vote_id for cast in elsewhere} | ({str(result.old.vote_id)} if result.old else set())
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
