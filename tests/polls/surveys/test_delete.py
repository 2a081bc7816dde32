"""Reset, delete and archive, also while the regions do not hear of each other: old votes never return, a tombstone
never rises.
"""

from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from failover import gateway
from polls.ballots import services
from polls.ballots.selectors import ballots
from polls.surveys import reader, selectors
from polls.surveys.merge import Row, change, merge, put_on
from polls.surveys.models import SurveyRow
from polls.surveys.packing import packed
from polls.surveys.services import (
    ServiceRefused,
    survey_archive,
    survey_close,
    survey_create,
    survey_delete,
    survey_open,
    survey_reset,
)
from polls.surveys.survey import Survey, first_values, from_row, tombstone
from tests.conftest import Lab
from tests.waiting import wait_until

DEFINITION = reader.parse({"title": "T", "questions": [{"text": "Q", "kind": "text"}]})
REGIONS = ("us-east-1", "us-west-2")


def dead(code: str) -> bool:
    found = selectors.read_now(code)
    assert found is not None
    return found.survey.deleted


def row_of(code: str, region: str) -> Row:
    """What one region's replica alone would make of the survey."""
    with gateway.at(region):
        return merge(item.row() for item in SurveyRow.query(code, consistent_read=True))


def write(code: str, region: str, values: dict[str, Any], *, new_round: bool = False) -> None:
    """A change made by somebody who knows only what this region's replica holds."""
    changed = change(row_of(code, region), values, now_ms=int(gateway.clock.wall() * 1000), new_round=new_round)
    with gateway.at(region):
        own = next(iter(SurveyRow.query(code, SurveyRow.region == region, consistent_read=True)), None)
        merged = put_on(own.row() if own else None, changed, region=region)
        SurveyRow(code, region, round=merged.round, fields=packed(merged)).put()


def converged(code: str) -> None:
    wait_until(lambda: row_of(code, REGIONS[0]) == row_of(code, REGIONS[1]), within=20, what="the replicas agree")


def begun_again(deleted: Survey) -> Survey:
    """A new survey under the code of a deleted one, when every region answers (else its rounds begin far above)."""

    def complete() -> bool:
        found = selectors.read_now(deleted.code)
        return found is not None and found.complete

    wait_until(complete, within=20, what="every region answers")
    return survey_create(definition=deleted.definition)


def vote(survey: Survey, voter: str) -> services.Receipt:
    return services.ballot_cast(survey=survey, voter=voter, vote_id=services.name_vote(), answers={"q1": "o1"})


CHANGES: list[tuple[str, Any]] = [("title", "x"), ("state", "open"), ("archived", False), ("results", "shown")]


@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.booleans(), st.integers(0, 9_000)), max_size=8), st.data())
def test_no_change_or_reset_made_without_knowing_of_a_deletion_raises_the_dead(changes: list[Any], data: st.DataObject):
    first = change(Row(), first_values(DEFINITION, now_s=0), now_ms=1, new_round=True)
    deleted = change(first, {tombstone(1): True, "title": None, "questions": None}, now_ms=2)
    rows = [first, deleted]
    for (name, value), reset, later in changes:
        rows.append(change(first, {name: value}, now_ms=later, new_round=reset))
    assert from_row("CODE", merge(data.draw(st.permutations(rows)))).deleted


def test_a_new_survey_under_the_code_of_a_deleted_one_is_alive_whatever_late_deletions_of_the_old_one_arrive():
    first = change(Row(), first_values(DEFINITION, now_s=0), now_ms=1, new_round=True)
    gone = change(first, {tombstone(1): True}, now_ms=2)
    again = Row(2, change(merge([first, gone]), first_values(DEFINITION, now_s=0, born=2), now_ms=3).fields)
    late = change(first, {tombstone(1): True}, now_ms=9_000)
    survey = from_row("CODE", merge([first, gone, again, late]))
    assert not survey.deleted
    assert (survey.round, survey.born) == (2, 2)
    gone_again = change(merge([first, gone, again]), {tombstone(2): True}, now_ms=4)
    assert from_row("CODE", merge([first, gone, again, gone_again, late])).deleted


@pytest.mark.lab
@pytest.mark.django_db
def test_a_deletion_is_typed_and_then_every_page_says_that_it_is_gone(instructor: Client, survey: Survey):
    page = f"/admin/surveys/{survey.code}/delete/"
    for typed in ("", "DEMO20", "yes"):
        assert instructor.post(page, {"confirm": typed}).status_code == 422
    assert not dead(survey.code)
    assert instructor.post(page, {"confirm": survey.code.lower()}).status_code == 302
    assert dead(survey.code)
    api = f"/api/v1/surveys/{survey.code}/"
    for path in (f"/s/{survey.code}/", f"/s/{survey.code}/results/", page, f"/admin/surveys/{survey.code}/edit/", api):
        assert instructor.get(path).status_code == 410, path
    assert "was deleted" in instructor.get(f"/s/{survey.code}/").content.decode()
    ballot = '{"voter": "voter-0001", "answers": {"q1": "o1"}}'
    assert Client().post(f"{api}ballots", ballot, content_type="application/json").status_code == 410
    instructor.get("/admin/surveys/")  # where it says once that it is deleted
    assert f"survey-{survey.code}" not in instructor.get("/admin/surveys/").content.decode()
    for change_it in (survey_open, survey_reset, survey_delete, survey_archive):
        with pytest.raises(selectors.SurveyDeleted):
            change_it(code=survey.code)


@pytest.mark.lab
@pytest.mark.django_db
def test_the_archive_keeps_results_and_opening_takes_a_survey_out_again(instructor: Client, survey: Survey):
    vote(survey, "voter-0001")
    instructor.post(f"/admin/surveys/{survey.code}/archive/")
    found = selectors.read_now(survey.code)
    assert found is not None
    assert (found.survey.archived, found.survey.is_open) == (True, False)
    assert f"survey-{survey.code}" not in instructor.get("/admin/surveys/").content.decode()
    assert f"survey-{survey.code}" in instructor.get("/admin/surveys/?shelf=archived").content.decode()
    assert len(ballots(found.survey).value) == 1
    instructor.post(f"/admin/surveys/{survey.code}/open/")
    assert survey_open(code=survey.code).archived is False


@pytest.mark.lab
def test_a_deleted_survey_leaves_no_texts_and_an_import_under_its_code_starts_above_its_rounds(survey: Survey):
    for _time in range(2):
        last = survey_reset(code=survey.code)
    vote(last, "voter-0001")
    survey_delete(code=survey.code)
    converged(survey.code)
    with gateway.at(REGIONS[0]):
        assert "Which?" not in str([item.fields for item in SurveyRow.query(survey.code)])
    again = begun_again(survey)
    assert again.round == last.round + 1
    assert selectors.survey_get(survey.code).value.definition.questions == survey.definition.questions
    assert ballots(again).value == []


@pytest.mark.lab
def test_a_tombstone_stays_when_the_other_side_of_a_pause_edits_opens_and_resets(app: Lab, survey: Survey):
    converged(survey.code)
    app.fault("us-west-2", "replication-pause", "--for", "60")
    with gateway.at(REGIONS[0]):
        write(survey.code, REGIONS[0], {tombstone(1): True, "title": None, "questions": None})
    write(survey.code, REGIONS[1], {"state": "open", "title": "Risen?"}, new_round=True)
    write(survey.code, REGIONS[1], {"archived": False}, new_round=True)
    assert dead(survey.code)
    app.fault("--clear")
    converged(survey.code)
    assert dead(survey.code)
    again = begun_again(survey)
    assert again.round == 4
    assert not dead(survey.code)


@pytest.mark.lab
def test_votes_of_the_old_round_never_return_after_a_reset_during_a_pause(app: Lab, survey: Survey):
    vote(survey, "voter-0001")
    app.fault("us-west-2", "replication-pause", "--for", "60")
    second = survey_reset(code=survey.code)
    late = vote(survey, "voter-0002")  # accepted by somebody who could not know
    assert late.round == 1
    vote(second, "voter-0003")
    app.fault("--clear")
    converged(survey.code)
    assert [cast.voter for cast in ballots(second).value] == ["voter-0003"]
    # Beginning again above the deleted rounds, not one of them is read.
    survey_delete(code=survey.code)
    again = begun_again(survey)
    assert again.round == 3
    assert ballots(again).value == []


@pytest.mark.lab
def test_a_deletion_while_a_region_is_away_holds_right_after_it_returns(app: Lab, survey: Survey):
    converged(survey.code)
    app.fault("us-east-1", "dns-empty", "--for", "60")
    survey_delete(code=survey.code)
    assert dead(survey.code)
    again = survey_create(definition=survey.definition)
    assert again.round > 100  # the region that is away may have begun rounds that nobody here knows of
    survey_delete(code=survey.code)
    app.fault("--clear")
    converged(survey.code)
    assert dead(survey.code)


@pytest.mark.lab
def test_edits_of_different_properties_on_both_sides_of_a_pause_are_both_kept(app: Lab, survey: Survey):
    converged(survey.code)
    app.fault("us-west-2", "replication-pause", "--for", "60")
    write(survey.code, REGIONS[0], {"title": "From the east"})
    write(survey.code, REGIONS[1], {"results": "hidden"})
    app.fault("--clear")
    converged(survey.code)
    found = selectors.read_now(survey.code)
    assert found is not None
    assert (found.survey.definition.title, found.survey.definition.results) == ("From the east", "hidden")


@pytest.mark.lab
def test_a_close_and_a_reset_while_a_region_is_away_hold_right_after_it_returns(app: Lab, survey: Survey):
    vote(survey, "voter-0001")
    converged(survey.code)
    app.fault("us-east-1", "refuse", "--for", "60")
    second = survey_reset(code=survey.code)
    vote(second, "voter-0002")
    survey_close(code=survey.code)
    app.fault("--clear")
    now = selectors.found_now(survey.code).survey
    assert (now.round, now.is_open) == (2, False)
    with pytest.raises(ServiceRefused):
        vote(now, "voter-0003")
    converged(survey.code)
    assert [cast.voter for cast in ballots(now).value] == ["voter-0002"]


@pytest.mark.lab
def test_a_close_is_in_force_on_both_sides_of_a_pause_and_a_vote_that_could_not_know_of_it_counts(
    app: Lab, survey: Survey
):
    converged(survey.code)
    app.fault("us-west-2", "replication-pause", "--for", "60")
    survey_close(code=survey.code)
    assert not selectors.found_now(survey.code).survey.is_open
    vote(survey, "voter-0001")  # by somebody who read the survey before
    app.fault("--clear")
    converged(survey.code)
    now = selectors.found_now(survey.code).survey
    assert not now.is_open
    assert [cast.voter for cast in ballots(now).value] == ["voter-0001"]
