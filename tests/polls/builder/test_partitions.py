"""Two instructors in regions that cannot hear of each other: both versions are kept, shown, and chosen from."""

import re
from typing import Any

import pytest
from django.test import Client

from failover import gateway
from failover.lab.control.client import LabClient
from polls.ballots import services
from polls.builder import joining, partitions
from polls.surveys import reader, selectors
from polls.surveys.merge import Row, change, merge, put_on, rivals
from polls.surveys.models import SurveyRow
from polls.surveys.packing import packed
from polls.surveys.services import survey_change
from polls.surveys.survey import State, Survey, first_values, from_row, is_whole, tombstone
from tests.conftest import Lab, rows_held
from tests.polls.views.builder_form import edit, fields
from tests.waiting import wait_until

EAST, WEST = "us-east-1", "us-west-2"
QUESTIONS = [
    {"id": "q1", "text": "Which?", "kind": "single", "options": ["one", "two"]},
    {"id": "q2", "text": "Why?", "kind": "text"},
]
FIRST = put_on(
    None,
    change(Row(), first_values(reader.parse({"title": "T", "questions": QUESTIONS}), now_s=0), now_ms=1),
    region="east",
)


def survey_of(*rows: Row) -> Survey:
    return from_row("CODE", Row(1, merge(rows).fields, merge(rows).versions))


def split_of(*rows: Row) -> partitions.Split:
    row = merge(rows)
    found = partitions.find(row, survey_of(*rows))
    assert found is not None
    return found


def written(since: Row, region: str, now_ms: int, **values: Any) -> Row:
    return put_on(None, change(since, values, now_ms=now_ms), region=region)


def test_only_what_differs_is_asked_and_each_part_may_come_from_another_side():
    east = written(FIRST, "east", 5, title="East", questions=[QUESTIONS[0], {**QUESTIONS[1], "text": "Why, east?"}])
    west = written(FIRST, "west", 6, questions=[*QUESTIONS[::-1], {"id": "q3", "text": "More?", "kind": "text"}])
    split = split_of(FIRST, east, west)
    assert [side.regions for side in split.sides] == [("west",), ("east",)]
    assert partitions.differing(split.parts) == ["question:q2", "question:q3", joining.ORDER]
    made = reader.parse(partitions.chosen(split.parts, {"question:q2": 1, "question:q3": 0, joining.ORDER: 1}))
    assert made.title == "East"  # only one of both changed it
    assert [question.text for question in made.questions] == ["Which?", "Why, east?", "More?"]
    without = reader.parse(partitions.chosen(split.parts, {"question:q2": 0, "question:q3": 1, joining.ORDER: 0}))
    assert [question.text for question in without.questions] == ["Why?", "Which?"]


def test_three_sides_are_shown_together():
    sides = [written(FIRST, region, at, title=region) for at, region in enumerate(("north", "south", "west"), start=5)]
    split = split_of(FIRST, *sides)
    assert [side.definition.title for side in split.sides] == ["west", "south", "north"]
    assert partitions.chosen(split.parts, {"title": 2})["title"] == "north"


def test_two_who_wrote_the_same_have_nothing_to_choose():
    both = [written(FIRST, region, 5, title="Same") for region in ("east", "west")]
    assert survey_of(FIRST, *both).split == frozenset()


def test_switches_are_no_conflict_and_the_later_one_holds():
    shown, hidden = written(FIRST, "east", 5, results="shown"), written(FIRST, "west", 6, results="hidden")
    assert survey_of(FIRST, shown, hidden).split == frozenset()
    assert survey_of(FIRST, shown, hidden).definition.results == "hidden"


def test_what_was_written_for_a_deleted_survey_is_neither_shown_nor_a_version_of_the_next_one():
    gone = put_on(FIRST, change(FIRST, {tombstone(1): True, "title": None}, now_ms=5), region="east")
    second = reader.parse({"title": "Second", "questions": QUESTIONS})
    again = change(gone, first_values(second, now_s=0, born=101), now_ms=6)
    alive = put_on(gone, Row(101, again.fields, again.versions), region="east")
    # West knows of nothing, and its clock is far ahead.
    late = written(FIRST, "west", 9_000, title="Of the dead", questions=QUESTIONS[:1], state="closed")
    survey = from_row("CODE", merge([alive, late]))
    assert (survey.definition.title, len(survey.definition.questions), survey.switch) == ("Second", 2, State.OPEN)
    assert survey.split == frozenset()


def test_a_region_that_knows_no_more_than_a_change_knows_no_survey():
    changed = put_on(None, change(FIRST, {"state": "closed"}, now_ms=5), region="west")
    assert not is_whole(Row(1, changed.fields, changed.versions))
    assert is_whole(Row(1, merge([changed, FIRST]).fields))
    gone = change(FIRST, {tombstone(1): True, "title": None, "questions": None, "born": 1}, now_ms=6)
    assert is_whole(Row(1, gone.fields))


def only(app: Lab, region: str, *, other: str) -> None:
    """This process reaches `region` alone. The pause lies on the region that it reaches, and before it is lifted from
    one it is laid on the other, so that neither ever hears of the other.
    """
    LabClient(app.dir).clear(region)
    app.fault(region, "replication-pause", "--for", "120")
    LabClient(app.dir).clear(other)  # not by the command, which would wait until the copies arrive
    app.fault(other, "refuse", "--for", "120")


def healed(app: Lab, code: str) -> None:
    app.fault("--clear")

    def rows(region: str) -> list[Any]:
        with gateway.at(region):
            return sorted((str(i.region), i.row().changed_at) for i in SurveyRow.query(code, consistent_read=True))

    wait_until(lambda: rows(EAST) == rows(WEST) and len(rows(EAST)) == 2, within=20, what="both have both rows")
    wait_until(lambda: len(rows_held(code)) == 2, within=20, what="both regions answer this process")


@pytest.mark.lab
@pytest.mark.django_db
def test_edits_on_two_sides_of_a_partition_are_both_kept_shown_and_chosen_from(
    app: Lab, instructor: Client, survey: Survey
):
    page, other_page = (fields(instructor.get(edit(survey))) for _ in range(2))
    only(app, EAST, other=WEST)
    assert instructor.post(edit(survey), {**page, "q0-text": "From the east?", "action": "save"}).status_code == 302
    only(app, WEST, other=EAST)
    other = {**other_page, "q0-text": "From the west?", "title": "Western", "action": "save"}
    assert instructor.post(edit(survey), other).status_code == 302
    healed(app, survey.code)

    for path in ("/admin/surveys/", edit(survey)):
        assert f"/admin/surveys/{survey.code}/versions/" in instructor.get(path).content.decode(), path
    versions = f"/admin/surveys/{survey.code}/versions/"
    shown = instructor.get(versions).content.decode()
    assert "From the east?" in shown
    assert "From the west?" in shown
    assert "Western" in shown  # the heading: only one side changed the title, so nothing is asked about it
    assert len(re.findall(r'type="radio" name="choice-0"', shown)) == 2
    assert "choice-1" not in shown

    # Nobody may write over either version without having seen both.
    form = fields(instructor.get(edit(survey))) | {"q0-text": "Over both", "action": "save"}
    refused = instructor.post(edit(survey), form)
    assert refused.status_code == 409
    assert fields(refused)["q0-text"] == "Over both"
    # Another part may be changed meanwhile.
    form = fields(instructor.get(edit(survey))) | {"title": "Title apart", "action": "save"}
    assert instructor.post(edit(survey), form).status_code == 302

    names = re.findall(r'name="shown" value="([^"]+)"', instructor.get(versions).content.decode())
    assert instructor.post(versions, {"shown": names}).status_code == 422
    assert instructor.post(versions, {"shown": names[:1], "choice-0": "1"}).status_code == 409
    assert instructor.post(versions, {"shown": names, "choice-0": "1"}).status_code == 302
    found = selectors.read_now(survey.code)
    assert found is not None
    assert found.survey.definition.questions[0].text == "From the east?"
    assert (found.survey.definition.title, found.survey.split) == ("Title apart", frozenset())
    assert f"{survey.code}/versions/" not in instructor.get("/admin/surveys/").content.decode()
    assert instructor.get(versions).status_code == 302


@pytest.mark.lab
@pytest.mark.django_db
def test_a_choice_that_breaks_counts_needs_a_new_round(app: Lab, instructor: Client, survey: Survey):
    found = selectors.found_now(survey.code)
    raw = found.row.value("questions")
    with gateway.at(WEST):
        west = change(found.row, {"questions": raw[1:]}, now_ms=1)
        item = put_on(None, west, region=WEST)
        SurveyRow(survey.code, WEST, round=1, fields=packed(item)).put()
    now = survey_change(code=survey.code, values={"questions": raw[:2]}, since=found.row)
    services.ballot_cast(survey=now, voter="voter-0001", vote_id=services.name_vote(), answers={"q1": "o1"})
    row = selectors.found_now(survey.code).row
    assert len(rivals(row, "questions")) == 1
    versions = f"/admin/surveys/{survey.code}/versions/"
    page = instructor.get(versions).content.decode()
    form: dict[str, Any] = {"shown": re.findall(r'name="shown" value="([^"]+)"', page)}
    form |= {f"choice-{place}": "1" for place in range(10)}
    refused = instructor.post(versions, form)
    assert refused.status_code == 409
    assert "would be removed" in refused.content.decode()
    assert selectors.found_now(survey.code).survey.round == 1
    assert instructor.post(versions, {**form, "new_round": "on"}).status_code == 302
    after = selectors.found_now(survey.code).survey
    assert (after.round, after.split) == (2, frozenset())
    assert [question.id for question in after.definition.questions] == ["q2", "q3", "q4"]
