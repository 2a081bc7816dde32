"""Votes are taken here: the policy that pages and the API share, and the write of one ballot.

Start with `vote`. Writes are plain keyword-only functions; each goes through the gateway, so it
lands in a region that works and may be repeated in any region.
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
from polls.ballots.models import BallotRow, ballot_keys
from polls.ballots.selectors import ballot_get
from polls.ballots.voters import Voter
from polls.common.limits import RateLimit
from polls.surveys import expiry, selectors
from polls.surveys.definitions import Access
from polls.surveys.services import ServiceRefused
from polls.surveys.survey import Survey

rate_limit = RateLimit(lambda: gateway.clock.monotonic())


class CastStatus(StrEnum):
    """What came of a vote."""

    RECORDED = "recorded"
    ALREADY_RECORDED = "already-recorded"
    CHANGED = "changed"
    SUPERSEDED = "superseded"


class Reason(StrEnum):
    """Why a vote was not taken. Only with `UNANSWERED` may it have been recorded all the same."""

    LINK = "link"
    RESET = "reset"
    CLOSED = "closed"
    EXPIRED = "expired"
    INVALID = "invalid"
    TOO_OFTEN = "too-often"
    ALREADY_VOTED = "already-voted"
    VOTE_ID_REUSED = "vote-id-reused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True)
class VoteRequest:
    """What a request says about a vote. `answers` are canonical, and None where they break a rule
    of their question.

    `vote_id` is None where the request names no vote. `page_round` is the round that the voter's
    page showed, None for a request that comes from no page of ours. `may_rename` allows another
    vote_id than the one of the request.
    """

    voter: Voter
    answers: Mapping[str, Any] | None
    vote_id: str | None = None
    page_round: int | None = None
    may_rename: bool = False


@dataclass(frozen=True)
class Refusal:
    """A vote that was not taken. `vote_id` is its name: the repeat must carry it too.

    `text` says why in one sentence, where the survey itself refuses. `wait_s` is set with
    TOO_OFTEN: the seconds until this voter may vote again. `error` is set with UNANSWERED, and has
    what was tried.
    """

    reason: Reason
    vote_id: str
    text: str = ""
    wait_s: float = 0.0
    error: gateway.NoRegionAnswered | None = None


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
            "attempts": [attempt.as_json() for attempt in self.attempts],
            "recorded_at": self.recorded_at.isoformat(timespec="milliseconds"),
        }


def name_vote(above: str | None = None) -> str:
    """A new vote's id: of now, and above the voter's last one."""
    return vote_ids.mint(int(gateway.clock.wall() * 1000), secrets.randbits(vote_ids.RANDOM_BITS), above)


def current(survey: Survey, *, page_round: int | None = None) -> Survey:
    """The survey to decide on. What this process knows may be a second old: where that would turn
    the voter away, or where the voter's page shows a later round, the regions are asked now.
    """
    is_behind = page_round is not None and page_round > survey.round
    return survey if survey.is_open and not is_behind else selectors.survey_now(survey)


def may_vote(survey: Survey, voter: Voter) -> bool:
    """Whether this voter has the voting link that the survey may ask for."""
    return survey.definition.access is not Access.LINK or voter.link != ""


def vote(survey: Survey, request: VoteRequest) -> Receipt | Refusal:
    """Record a vote, unless one of these rules refuses it. They are applied in this order:

    1. The survey asks for a voting link, and the voter has none.
    2. The voter's page shows an earlier round: the survey was reset.
    3. The survey takes no votes now.
    4. The answers break a rule of their question.
    5. The voter sends too often.
    6. The voter's ballots in the regions do not allow it.

    `survey` is the one of `current`. Raises nothing that a voter can cause.
    """
    answers = request.answers
    vote_id = vote_id_of(request.vote_id, request.voter, digest_of(answers or {}))
    if not may_vote(survey, request.voter):
        return Refusal(Reason.LINK, vote_id)
    if request.page_round is not None and request.page_round < survey.round:
        return Refusal(Reason.RESET, vote_id)
    if (shut := _shut(survey)) is not None:
        return Refusal(shut, vote_id, _refused(shut))
    if answers is None:
        return Refusal(Reason.INVALID, vote_id)
    if (wait_s := rate_limit.wait_for(f"{survey.code}#{request.voter.name}")) > 0:
        return Refusal(Reason.TOO_OFTEN, vote_id, wait_s=wait_s)
    outcome = _cast(survey, request.voter, vote_id, answers)
    match outcome:
        case Refusal(Reason.VOTE_ID_REUSED) if request.may_rename and survey.definition.allow_change:
            # Sent before, and changed on the same page since: what a student did last is what they
            # mean.
            return _cast(survey, request.voter, name_vote(vote_id), answers)
        case Receipt(status=CastStatus.SUPERSEDED) if request.vote_id is None:
            # Their last vote was named by a host whose clock is ahead of this one's; what they say
            # now is later.
            return _cast_above_the_last(survey, request.voter, vote_id, answers)
    return outcome


def vote_id_of(given: str | None, voter: Voter, digest: str) -> str:
    """The id of a vote. `given` is the id in its request, or None.

    If `given` and the answers are those of the voter's last vote, that id is kept, so a double click
    is one vote. Otherwise the id is above the voter's last one, also for a vote from an older tab or
    after the back button, because that vote is what the voter did last. A new id is made if `given`
    is missing or too far from this host's clock.
    """
    if voter.known is not None and voter.known == (given, digest):
        return voter.known.id
    if given is None or not vote_ids.is_timely(given, int(gateway.clock.wall() * 1000)):
        return name_vote(voter.floor or None)
    return given if given > voter.floor else vote_ids.lifted(given, voter.floor)


def _cast(survey: Survey, voter: Voter, vote_id: str, answers: Mapping[str, Any]) -> Receipt | Refusal:
    """As `ballot_cast`, with a refusal for each of its exceptions."""
    try:
        return ballot_cast(survey=survey, voter=voter.name, vote_id=vote_id, answers=answers)
    except ServiceRefused as refusal:
        return Refusal(Reason(refusal.reason), vote_id, str(refusal))
    except gateway.NoRegionAnswered as error:
        return Refusal(Reason.UNANSWERED, vote_id, error=error)


def _cast_above_the_last(survey: Survey, voter: Voter, vote_id: str, answers: Mapping[str, Any]) -> Receipt | Refusal:
    """As `_cast`, under a name above the voter's last vote in whatever region."""
    try:
        last = ballot_get(survey, voter.name).value
    except gateway.NoRegionAnswered as error:
        return Refusal(Reason.UNANSWERED, vote_id, error=error)
    return _cast(survey, voter, name_vote(last.vote_id if last else None), answers)


def ballot_cast(*, survey: Survey, voter: str, vote_id: str, answers: Mapping[str, Any]) -> Receipt:
    """Record a vote in the first region that takes it. The same vote_id with the same answers may
    be sent any number of times.

    Raises ServiceRefused ("closed", "expired", "already-voted", "vote-id-reused"),
    NoRegionAnswered.
    """
    if (shut := _shut(survey)) is not None:
        raise ServiceRefused(shut, _refused(shut))
    digest, may_change = digest_of(answers), survey.definition.allow_change
    keys = dict(zip(gateway.regions(), ballot_keys(survey, voter), strict=True))

    def op(bound: gateway.Bound) -> CastStatus | Reason:
        shard, place = keys[bound.region]
        # What this region itself has written, the put will tell.
        others = region_marks.others(survey, bound.region) if may_change else [*keys.keys() - {bound.region}]
        elsewhere = [row.cast() for row in BallotRow.batch_get([keys[region] for region in others])] if others else []
        verdict = _verdict(elsewhere, vote_id, digest, may_change=may_change)
        if verdict is not None:
            return verdict
        item = BallotRow(
            shard, place, vote_id=vote_id, digest=digest, answers=dict(answers), expires_at=survey.kept_until
        )
        same = (BallotRow.vote_id == vote_id) & (BallotRow.digest == digest)
        allowed = BallotRow.vote_id.does_not_exist() | same
        if may_change:
            allowed = allowed | (BallotRow.vote_id < vote_id)
        # Copies are ordered as votes are accepted, by the vote's name: two hosts' clocks may
        # differ.
        result = item.put(allowed, updated_at=vote_ids.order(vote_id))
        if not result.written:
            there = [BallotRow.get(shard, place, consistent_read=True).cast()]
            return _verdict(there, vote_id, digest, may_change=may_change) or Reason.ALREADY_VOTED
        before = {cast.vote_id for cast in elsewhere} | ({str(result.old.vote_id)} if result.old else set())
        if vote_id in before:
            return CastStatus.ALREADY_RECORDED
        return CastStatus.CHANGED if before else CastStatus.RECORDED

    routed = gateway.write(op, idempotent=True)
    if isinstance(routed.value, Reason):
        raise ServiceRefused(routed.value, _refused(routed.value))
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


def _verdict(casts: list[Cast], vote_id: str, digest: str, *, may_change: bool) -> CastStatus | Reason | None:
    """What the ballots that stand mean for a new one of the same voter; None when the new one may
    be written.
    """
    standing = stands(casts, may_change=may_change)
    if standing is None:
        return None
    if standing.vote_id == vote_id:
        return CastStatus.ALREADY_RECORDED if standing.digest == digest else Reason.VOTE_ID_REUSED
    if not may_change:
        return Reason.ALREADY_VOTED
    return CastStatus.SUPERSEDED if standing.vote_id > vote_id else None


def _shut(survey: Survey) -> Reason | None:
    """Why the survey takes no votes now; None while it takes them."""
    shut = survey.shut_at(gateway.clock.wall())
    return None if shut is None else Reason(shut.value)


def _refused(reason: Reason) -> str:
    """Why the survey does not take a vote; empty for every other reason."""
    match reason:
        case Reason.CLOSED:
            return _("This survey is closed; it takes no more votes.")
        case Reason.EXPIRED:
            return expiry.refused()
        case Reason.ALREADY_VOTED:
            return _("You have already voted; votes in this survey cannot be changed.")
        case Reason.VOTE_ID_REUSED:
            return _("This vote_id was already used for other answers; a changed vote needs a new one.")
    return ""
