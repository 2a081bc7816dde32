"""The policy that pages and the API share: which rule refuses a vote first, and under which name a vote is recorded."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from failover import gateway
from polls.ballots import region_marks, services, vote_ids
from polls.ballots.services import CastStatus, Reason, Receipt, Refusal, VoteRequest, name_vote, vote
from polls.ballots.tokens import Vote
from polls.ballots.voters import Voter
from polls.common.limits import RateLimit
from polls.surveys.definitions import Access, Definition
from polls.surveys.survey import State, Survey
from tests.polls.ballots.two_regions import Tiny, Weather, two_regions

SURVEY = Survey("POLICY", Definition("t", ()), State.OPEN, 2, 64, 2_000_000_000)
FIXED = replace(SURVEY, definition=Definition("t", (), allow_change=False))
VOTER = Voter("voter-0001")
ONE, TWO = {"q1": "o1"}, {"q1": "o2"}


@pytest.fixture(autouse=True)
def tiny(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    monkeypatch.setattr(services, "rate_limit", RateLimit(lambda: 0.0))
    with two_regions(tmp_path_factory.mktemp("run")) as tiny:
        tiny.begin(SURVEY.code)
        yield tiny
    region_marks.forget()


def taken(outcome: Receipt | Refusal) -> Receipt:
    assert isinstance(outcome, Receipt), outcome
    return outcome


def refused(outcome: Receipt | Refusal) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    return outcome


def test_the_rules_refuse_in_one_order_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "rate_limit", RateLimit(lambda: 0.0, burst=0))
    shut = replace(SURVEY, definition=Definition("t", (), access=Access.LINK), switch=State.CLOSED)
    stranger = VoteRequest(VOTER, None, page_round=1)
    by_link = replace(stranger, voter=Voter("link-1", link="a-link"))
    of_this_round = replace(by_link, page_round=2)
    valid = replace(of_this_round, answers=ONE)
    asked = [
        *((shut, stranger), (shut, by_link), (shut, of_this_round)),
        *((replace(shut, switch=State.OPEN), of_this_round), (replace(shut, switch=State.OPEN), valid)),
    ]
    reasons = [refused(vote(survey, request)).reason for survey, request in asked]
    assert reasons == [Reason.LINK, Reason.RESET, Reason.CLOSED, Reason.INVALID, Reason.TOO_OFTEN]


def test_only_a_vote_that_could_be_taken_counts_against_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "rate_limit", RateLimit(lambda: 0.0, burst=1))
    assert refused(vote(SURVEY, VoteRequest(VOTER, None))).reason is Reason.INVALID
    taken(vote(SURVEY, VoteRequest(VOTER, ONE)))
    assert refused(vote(SURVEY, VoteRequest(VOTER, ONE))).wait_s == 1.0


def test_other_answers_under_a_used_name_are_a_new_vote_where_the_request_may_rename_it() -> None:
    name = name_vote()
    taken(vote(SURVEY, VoteRequest(VOTER, ONE, name)))
    assert refused(vote(SURVEY, VoteRequest(VOTER, TWO, name))).reason is Reason.VOTE_ID_REUSED
    assert refused(vote(FIXED, VoteRequest(VOTER, TWO, name, may_rename=True))).reason is Reason.VOTE_ID_REUSED
    changed = taken(vote(SURVEY, VoteRequest(VOTER, TWO, name, may_rename=True)))
    assert (changed.status, changed.vote_id > name) == (CastStatus.CHANGED, True)


def test_an_older_name_is_overtaken_and_a_vote_without_a_name_comes_last() -> None:
    old, ahead = name_vote(), vote_ids.mint(int((gateway.clock.wall() + 60) * 1000), 0)
    taken(vote(SURVEY, VoteRequest(VOTER, ONE, ahead)))
    assert taken(vote(SURVEY, VoteRequest(VOTER, TWO, old))).status is CastStatus.SUPERSEDED
    unnamed = taken(vote(SURVEY, VoteRequest(VOTER, TWO)))
    assert (unnamed.status, unnamed.vote_id > ahead) == (CastStatus.CHANGED, True)


def test_a_new_vote_is_above_the_voters_last_one_and_that_one_keeps_its_name() -> None:
    old = name_vote()
    first = taken(vote(SURVEY, VoteRequest(VOTER, ONE, name_vote(old))))
    knowing = VOTER.knowing(Vote(first.vote_id, first.digest))
    again = taken(vote(SURVEY, VoteRequest(knowing, ONE, first.vote_id)))
    assert (again.status, again.vote_id) == (CastStatus.ALREADY_RECORDED, first.vote_id)
    changed = taken(vote(SURVEY, VoteRequest(knowing, TWO, old)))
    assert (changed.status, changed.vote_id > first.vote_id) == (CastStatus.CHANGED, True)


def test_a_vote_that_no_region_answered_keeps_its_name_for_the_repeat(tiny: Tiny) -> None:
    for region in tiny.regions.values():
        region.weather = Weather.DOWN
    name = name_vote()
    refusal = refused(vote(SURVEY, VoteRequest(VOTER, ONE, name)))
    assert (refusal.reason, refusal.vote_id) == (Reason.UNANSWERED, name)
    assert refusal.error is not None
    assert {attempt.region for attempt in refusal.error.attempts} == set(tiny.regions)
