"""Writes against the live lab: what is recorded, what a repeat means, and what is refused."""

from collections.abc import Callable

import pytest

from failover import gateway
from failover.wiring import Wired
from polls.ballots import models, region_marks, services, vote_ids
from polls.ballots.bulk_reads import read_replica
from polls.ballots.models import BallotRow, mark_key, shard_key, voter_key
from polls.ballots.selectors import ballots
from polls.ballots.services import CastStatus
from polls.results.selectors import results, voters
from polls.surveys import definitions, selectors
from polls.surveys.models import SurveyRow
from polls.surveys.services import ServiceRefused, survey_close, survey_create, survey_hide, survey_open, survey_reset
from polls.surveys.survey import State, Survey
from tests.conftest import Lab
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
ONE, TWO = {"q1": "o1"}, {"q1": "o2"}


def cast(survey: Survey, answers: dict, *, vote_id: str | None = None, voter: str = "voter-0001") -> services.Receipt:
    return services.ballot_cast(survey=survey, voter=voter, vote_id=vote_id or services.name_vote(), answers=answers)


def refused(survey: Survey, answers: dict, *, vote_id: str | None = None) -> str:
    with pytest.raises(ServiceRefused) as caught:
        cast(survey, answers, vote_id=vote_id)
    return caught.value.reason


def written_elsewhere(survey: Survey, vote_id: str, answers: dict, *, voter: str = "voter-0001") -> None:
    """The same voter's ballot as the other region wrote it, once replication has brought it everywhere."""
    shard = shard_key(survey.code, survey.round, voter, survey.shards)
    with gateway.at("us-west-2"):
        region_marks.others(survey, "us-west-2")  # as any vote there does
        BallotRow(
            shard,
            voter_key(voter, "us-west-2"),
            vote_id=vote_id,
            digest=services.digest_of(answers),
            answers=answers,
            expires_at=survey.kept_until,
        ).put(updated_at=vote_ids.order(vote_id))

    def arrived() -> bool:
        with gateway.at("us-east-1"):
            found = BallotRow.batch_get([(shard, voter_key(voter, "us-west-2")), mark])
            return len(list(found)) == 2

    mark = mark_key(survey.code, survey.round, "us-west-2")
    wait_until(arrived, within=10, what="the ballot is replicated")
    region_marks.forget()  # another process wrote it


def test_a_first_vote_is_recorded_with_its_way(survey: Survey):
    receipt = cast(survey, ONE)
    assert receipt.status is CastStatus.RECORDED
    assert receipt.region in gateway.regions()
    assert receipt.attempts[-1].outcome is gateway.Outcome.OK
    assert receipt.attempts[-1].region == receipt.region
    assert receipt.as_json()["recorded_at"].endswith("+00:00")


def test_the_same_vote_sent_again_is_one_vote(survey: Survey):
    first = cast(survey, ONE)
    again = cast(survey, ONE, vote_id=first.vote_id)
    assert again.status is CastStatus.ALREADY_RECORDED
    assert len(ballots(survey).value) == 1


def test_a_new_name_changes_the_vote(survey: Survey):
    cast(survey, ONE)
    assert cast(survey, TWO).status is CastStatus.CHANGED
    assert [ballot.answers for ballot in ballots(survey).value] == [TWO]


def test_an_older_name_that_comes_late_is_overtaken(survey: Survey):
    old = services.name_vote()
    cast(survey, TWO, vote_id=services.name_vote(old))
    assert cast(survey, ONE, vote_id=old).status is CastStatus.SUPERSEDED
    assert [ballot.answers for ballot in ballots(survey).value] == [TWO]


def test_one_name_cannot_stand_for_two_sets_of_answers(survey: Survey):
    first = cast(survey, ONE)
    assert refused(survey, TWO, vote_id=first.vote_id) == "vote-id-reused"
    assert [ballot.answers for ballot in ballots(survey).value] == [ONE]


def test_two_changes_in_one_millisecond_reach_the_other_region_in_their_order(survey: Survey):
    vote_id = services.name_vote()
    for answers in (ONE, TWO, ONE, TWO):
        cast(survey, answers, vote_id=vote_id)
        vote_id = vote_ids.mint(0, 0, vote_id)

    def arrived() -> bool:
        return any(vote_ids.mint(0, 0, str(row.vote_id)) == vote_id for row in read_replica(survey, "us-west-2"))

    wait_until(arrived, within=10, what="the last change is replicated")
    (row,) = read_replica(survey, "us-west-2")
    assert row.answers == TWO
    assert int(row.updated_at) == vote_ids.order(str(row.vote_id)), "the number is held exactly"


def test_where_votes_may_not_be_changed_the_first_one_stands(make_survey: Callable[..., Survey]):
    survey = make_survey(allow_change=False)
    first = cast(survey, ONE)
    assert refused(survey, TWO) == "already-voted"
    assert refused(survey, ONE) == "already-voted"
    assert cast(survey, ONE, vote_id=first.vote_id).status is CastStatus.ALREADY_RECORDED
    assert [ballot.answers for ballot in ballots(survey).value] == [ONE]


def test_a_vote_that_the_other_region_holds_is_known_here(survey: Survey):
    vote_id = services.name_vote()
    written_elsewhere(survey, vote_id, ONE)
    assert cast(survey, ONE, vote_id=vote_id).status is CastStatus.ALREADY_RECORDED
    assert cast(survey, TWO, vote_id=services.name_vote(vote_id)).status is CastStatus.CHANGED
    assert [ballot.answers for ballot in ballots(survey).value] == [TWO]


def test_the_other_regions_vote_stands_where_votes_may_not_be_changed(make_survey: Callable[..., Survey]):
    survey = make_survey(allow_change=False)
    written_elsewhere(survey, services.name_vote(), ONE)
    assert refused(survey, TWO) == "already-voted"


def test_a_closed_survey_takes_no_vote_until_it_is_opened(survey: Survey):
    closed = survey_close(code=survey.code)
    assert closed.state is State.CLOSED
    assert refused(closed, ONE) == "closed"
    assert cast(survey_open(code=survey.code), ONE).status is CastStatus.RECORDED


def test_a_reset_begins_a_round_in_which_everybody_may_vote_again(survey: Survey):
    cast(survey, ONE)
    fresh = survey_reset(code=survey.code)
    assert fresh.round == survey.round + 1
    assert ballots(fresh).value == []
    assert cast(fresh, TWO).status is CastStatus.RECORDED
    assert len(ballots(survey).value) == 1, "a late vote of the old round lies under the old key"


def test_a_change_is_known_at_once_to_the_process_that_made_it(survey: Survey):
    selectors.survey_get(survey.code)
    survey_close(code=survey.code)
    assert not selectors.survey_get(survey.code).value.is_open


def test_a_close_reaches_the_other_regions_readers(survey: Survey):
    survey_close(code=survey.code)

    def closed_there() -> bool:
        with gateway.at("us-west-2"):
            return any(item.row().value("state") == "closed" for item in SurveyRow.query(survey.code))

    wait_until(closed_there, within=10, what="the close is replicated")


def test_making_the_very_same_survey_again_changes_nothing(survey: Survey):
    survey_close(code=survey.code)
    again = survey_create(definition=survey.definition)
    assert again.state is State.CLOSED
    assert again.round == survey.round


def test_a_code_is_never_given_to_another_survey(survey: Survey):
    other = definitions.Definition("Another", survey.definition.questions, True, survey.code)
    with pytest.raises(ServiceRefused) as caught:
        survey_create(definition=other)
    assert caught.value.reason == "exists"
    assert selectors.survey_get(survey.code).value.definition.title == survey.definition.title


def test_a_code_that_nobody_has_cannot_be_changed(wired: Wired):
    with pytest.raises(selectors.SurveyUnknown):
        survey_reset(code="NOSUCH")


def test_all_ballots_of_a_round_expire_together(survey: Survey):
    for number in range(3):
        cast(survey, ONE, voter=f"voter-{number:04}")
    rows = [row for region in gateway.regions() for row in read_replica(survey, region)]
    assert {row.as_json()["expires_at"] for row in rows} == {survey.expires_at}


def test_results_count_each_voter_once(survey: Survey):
    for number in range(4):
        cast(survey, ONE, voter=f"voter-{number:04}")
    cast(survey, TWO, voter="voter-0003")

    def counted() -> bool:
        return results(survey).value.tally.chosen["q1"] == {"o1": 3, "o2": 1}

    wait_until(counted, within=10, what="the tallies are level with the ballots")
    found = results(survey)
    assert found.value.tally.voters == 4
    assert found.region in gateway.regions()

    def listed() -> bool:
        return voters([survey]) == {(survey.code, survey.round): 4}

    wait_until(listed, within=10, what="the list of surveys says so too")


def test_a_long_reading_is_many_short_ones_with_the_same_result(make_survey: Callable[..., Survey], monkeypatch):
    survey, other = make_survey(), make_survey()
    for number in range(5):
        cast(survey, ONE, voter=f"voter-{number:04}")
    cast(other, TWO)
    in_one_page = sorted(cast.voter for cast in ballots(survey).value)
    monkeypatch.setattr(models, "PAGE_ITEMS", 2)
    assert sorted(cast.voter for cast in ballots(survey).value) == in_one_page
    assert len(in_one_page) == 5
    rows = read_replica(survey, "us-east-1")
    assert {row.voter for row in rows} <= set(in_one_page)


def test_an_instructor_changes_a_survey_in_a_region_that_has_no_row_of_it_yet(app: Lab, survey: Survey):
    app.fault("us-east-1", "refuse", "--for", "60")
    assert survey_close(code=survey.code).state == "closed"
    assert survey_reset(code=survey.code).round == 2
    assert survey_open(code=survey.code).is_open
    assert survey_hide(code=survey.code).definition.title == survey.definition.title
