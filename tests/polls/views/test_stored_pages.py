"""What is stored can always be read, shown, repaired, exported and deleted; one broken row harms no other survey."""

import json
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover import gateway
from polls.ballots.models import BallotRow, round_key, shard_key, voter_key
from polls.builder import saving
from polls.results import moderation
from polls.surveys import definitions, reader, selectors, services
from polls.surveys.definitions import Definition, DefinitionInvalid
from polls.surveys.models import SurveyRow
from polls.surveys.services import (
    ServiceRefused,
    survey_archive,
    survey_change,
    survey_close,
    survey_delete,
    survey_hide,
    survey_open,
    survey_reset,
    survey_reveal,
)
from polls.surveys.survey import State, Survey
from polls.tallies import store
from polls.tallies.models import TallyRow
from tests.polls.surveys.test_stored_properties import ANY, FIELDS
from tests.polls.views.builder_form import edit, fields

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

EAST, WEST = "us-east-1", "us-west-2"
NEWER = {"id": "q9", "text": "Rank these", "kind": "ranking", "options": ["a", "b"]}
PAGES = [
    "/admin/surveys/", "/admin/surveys/{}/edit/", "/admin/surveys/{}/preview/", "/admin/surveys/{}/links/",
    "/admin/surveys/{}/export/", "/admin/surveys/{}/export.json", "/admin/surveys/{}/reset/",
    "/admin/surveys/{}/delete/", "/admin/surveys/{}/versions/", "/admin/surveys/{}/export/results.csv",
    "/admin/surveys/{}/export/results.json", "/admin/surveys/{}/export/ballots.csv",
    "/admin/surveys/{}/export/ballots.json", "/s/{}/", "/s/{}/results/", "/s/{}/results.json", "/s/{}/receipt/",
    "/s/{}/present/?q=1&compare=1", "/s/{}/present/", "/api/v1/surveys/{}/",
]  # fmt: skip


def stored(code: str, region: str, **values: Any) -> None:
    """Another version's, or another region's, write: properties of `region`'s own row, a moment from now."""
    put(code, region, {name: {"v": value, "at": later()} for name, value in values.items()})


def later() -> int:
    return int(gateway.clock.wall() * 1000) + 60_000


def put(code: str, region: str, properties: Any, **attributes: dict[str, str]) -> None:
    with gateway.at(region):
        own = next(iter(SurveyRow.query(code, SurveyRow.region == region, consistent_read=True)), None)
        item = own or SurveyRow(code, region, round=1)
        before = own.fields if own is not None and own.is_readable else {}
        item.fields = {**before, **properties} if isinstance(properties, dict) else properties
        item.unknown = {**item.unknown, **attributes}
        item.put(updated_at=max(gateway.stamp(), int(own.updated_at) + 1) if own else None)
    selectors._surveys.forget()


def now(survey: Survey) -> Survey:
    return selectors.found_now(survey.code).survey


def edited(definition: Definition, **changes: Any) -> Definition:
    return reader.parse({**definitions.to_json(definition), **changes})


def listed(instructor: Client) -> str:
    reply = instructor.get("/admin/surveys/")
    assert reply.status_code == 200
    return reply.content.decode()


@pytest.mark.parametrize("race", range(3))
def test_two_editors_who_save_opening_and_closing_at_once_do_not_contradict_each_other(survey: Survey, race: int):
    base = now(survey).definition
    wanted = [
        edited(base, opens_at="2026-05-02T10:00:00Z"),
        edited(base, closes_at="2026-05-01T10:00:00Z"),
    ]
    outcomes: list[object] = []
    start = threading.Barrier(2)

    def save(mine: Definition) -> None:
        start.wait()
        try:
            outcomes.append(saving.survey_edit(code=survey.code, base=base, mine=mine))
        except (DefinitionInvalid, ServiceRefused) as error:
            outcomes.append(error)

    threads = [threading.Thread(target=save, args=(mine,)) for mine in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    saved = [outcome for outcome in outcomes if isinstance(outcome, Survey)]
    assert len(saved) == 1
    after = now(survey)
    assert (after.definition.opens_at, after.definition.closes_at).count(None) == 1  # what was refused was not stored


def test_times_that_contradict_each_other_on_two_sides_of_a_split_can_be_seen_repaired_and_deleted(
    survey: Survey, make_survey: Callable[..., Survey], instructor: Client
):
    other = make_survey(title="A sound survey")
    stored(survey.code, EAST, opens_at="2026-05-02T10:00:00Z")
    stored(survey.code, WEST, closes_at="2026-05-01T10:00:00Z")
    page = listed(instructor)
    assert "it closes before it opens" in page
    assert other.code in page
    for path in PAGES:
        assert instructor.get(path.format(survey.code)).status_code in (200, 302), path
    voter = Client().get(f"/s/{survey.code}/").content.decode()
    assert "This survey is closed" in voter
    assert "not open yet" not in voter  # it would never open
    assert instructor.post(f"/admin/surveys/{survey.code}/duplicate/", {}, follow=True).status_code == 200
    form = fields(instructor.get(edit(survey)))
    assert form["opens_at"]
    assert form["closes_at"]
    assert b"This survey needs repair" in instructor.get(edit(survey)).content
    refused = instructor.post(edit(survey), {**form, "title": "Still wrong", "action": "save"})
    assert refused.status_code == 422
    assert now(survey).definition.title == survey.definition.title
    assert instructor.post(edit(survey), {**form, "opens_at": "", "action": "save"}).status_code == 302
    assert now(survey).definition.opens_at is None
    assert "it closes before it opens" not in listed(instructor)
    survey_delete(code=survey.code)
    assert survey.code not in listed(instructor)


@pytest.mark.parametrize("service", ["open", "close", "reset", "hide", "reveal", "archive", "delete"])
@pytest.mark.parametrize(
    "broken",
    [
        {"opens_at": "0026-05-02T10:00:00Z"},
        {"closes_at": "9999-12-31T23:59:59Z", "opens_at": "0001-01-01T00:00:00Z"},
        {"questions": "none", "title": 5, "results": "later", "access": {}, "allow_change": "once"},
        {"questions": [NEWER], "state": "paused", "expires_at": 10**30, "shards": 10**12, "born": -1},
    ],
    ids=lambda broken: ",".join(broken),
)
def test_every_button_works_on_a_survey_that_breaks_a_rule(survey: Survey, service: str, broken: dict[str, Any]):
    stored(survey.code, WEST, **broken)
    result = getattr(services, f"survey_{service}")(code=survey.code)
    assert result.round == survey.round + (service == "reset")
    if service == "delete":
        assert result.deleted


def test_a_year_that_is_a_slip_is_refused_when_it_is_typed(survey: Survey, instructor: Client):
    for typed in ("0026-05-01T10:00", "1999-12-31T10:00", "2101-05-01T10:00", "9999-12-31T23:59"):
        form = fields(instructor.get(edit(survey))) | {"opens_at": typed, "action": "save"}
        refused = instructor.post(edit(survey), form)
        assert refused.status_code == 422, typed
        assert "must lie in the years 2000 to 2100" in refused.content.decode()
    assert now(survey) == survey


def test_a_year_that_was_stored_before_is_shown_as_it_is_and_put_right(survey: Survey, instructor: Client):
    stored(survey.code, EAST, opens_at="0026-05-01T10:00:00Z")
    form = fields(instructor.get(edit(survey)))
    assert form["opens_at"] == "0026-05-01T10:00"
    assert instructor.post(edit(survey), {**form, "action": "save"}).status_code == 422
    assert instructor.post(edit(survey), {**form, "opens_at": "2026-05-01T10:00", "action": "save"}).status_code == 302
    assert now(survey).definition.opens_at is not None


def test_two_saves_that_together_are_too_large_are_not_both_stored(make_survey: Callable[..., Survey]):
    options = [f"{place} {'ж' * 190}" for place in range(30)]
    questions = [{"text": f"Q{place}", "kind": "single", "options": options} for place in range(16)]
    survey = make_survey(questions=questions)
    before = selectors.found_now(survey.code)
    base = before.survey.definition
    full, place = definitions.to_json(base), 0
    while not definitions.is_too_large({**full, "help": "ж" * 400}):
        question = {**full["questions"][place], "help": "ж" * 900}
        full = {**full, "questions": [*full["questions"][:place], question, *full["questions"][place + 1 :]]}
        place += 1
    longer = edited(base, help="ж" * 400)
    saving.survey_edit(code=survey.code, base=base, mine=reader.parse(full))
    with pytest.raises(ServiceRefused):  # as it was sent by somebody who had read it before
        survey_change(code=survey.code, values={"help": longer.help}, since=before.row)
    with pytest.raises(DefinitionInvalid, match="larger than 200 KB"):
        saving.survey_edit(code=survey.code, base=base, mine=longer)
    assert now(survey).definition.help == ""


def test_a_newer_versions_survey_is_shown_as_such_and_no_save_drops_what_is_not_understood(
    survey: Survey, instructor: Client
):
    questions = [*definitions.to_json(survey.definition)["questions"], NEWER]
    stored(survey.code, EAST, questions=questions, theme={"colour": "red"})
    put(survey.code, EAST, {"title": {"v": "New", "at": later(), "more": 1}}, extra={"S": "an attribute"})
    page = listed(instructor)
    assert "a newer version of this program may have made it" in page
    assert "theme" in page
    assert b"This survey takes no votes now" in Client().get(f"/s/{survey.code}/").content
    assert now(survey).state is State.CLOSED
    form = fields(instructor.get(edit(survey)))
    assert "q3-text" in form
    assert "q4-text" not in form
    # A part that is understood may be changed, and everything else stays.
    assert instructor.post(edit(survey), {**form, "help": "Read me", "action": "save"}).status_code == 302
    survey_reset(code=survey.code)
    after = now(survey)
    assert (after.definition.help, after.document["questions"]) == ("Read me", questions)
    with gateway.at(EAST):
        (item,) = SurveyRow.query(survey.code, SurveyRow.region == EAST, consistent_read=True)
        assert item.unknown["extra"] == {"S": "an attribute"}
        assert item.fields["theme"]["v"] == {"colour": "red"}
        assert item.fields["title"]["more"] == 1
    exported = instructor.get(f"/admin/surveys/{survey.code}/export.json").json()
    assert exported["questions"] == questions
    out = StringIO()
    call_command("survey", "export", survey.code, stdout=out)
    assert json.loads(out.getvalue()) == exported
    assert instructor.post(f"/admin/surveys/{survey.code}/duplicate/", {}).status_code == 302
    # The part that is not understood is replaced only by who says so.
    form = fields(instructor.get(edit(survey))) | {"q3-text": "Changed", "action": "save"}
    refused = instructor.post(edit(survey), form)
    assert refused.status_code == 409
    assert b"holds more than is understood here" in refused.content
    assert fields(refused)["q3-text"] == "Changed"
    assert now(survey).document["questions"] == questions
    assert instructor.post(edit(survey), {**form, "replace_unread": "on"}).status_code == 302
    assert now(survey).unread == {"theme"}


def test_a_row_that_is_no_json_object_harms_nobody_and_only_a_deletion_replaces_it(survey: Survey, instructor: Client):
    put(survey.code, EAST, [1])
    assert instructor.get("/admin/surveys/").status_code == 200
    put(survey.code, WEST, {"title": {"v": "West", "at": later()}, "questions": {"v": [NEWER], "at": later()}})
    assert "West" in listed(instructor)
    closed = instructor.post(f"/admin/surveys/{survey.code}/close/", follow=True)
    assert "cannot be read, so nothing was changed" in closed.content.decode()
    assert survey_delete(code=survey.code).deleted
    with gateway.at(EAST):
        (item,) = SurveyRow.query(survey.code, SurveyRow.region == EAST, consistent_read=True)
        assert item.is_readable


def test_what_every_service_writes_is_understood(survey: Survey):
    survey_close(code=survey.code)
    survey_open(code=survey.code)
    survey_hide(code=survey.code)
    survey_reveal(code=survey.code)
    moderation.set_hidden(code=survey.code, mark="q4.0123456789abcdef", hidden=True)
    survey_archive(code=survey.code)
    assert survey_reset(code=survey.code).unread == frozenset()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS, answers=st.dictionaries(st.sampled_from(["q1", "q2", "q3", "q4"]), ANY) | ANY, counts=ANY)
def test_no_json_in_any_row_makes_a_page_fail(
    instructor: Client, survey: Survey, fields: Any, answers: Any, counts: Any
):
    put(survey.code, WEST, fields)
    shard = shard_key(survey.code, survey.round, "voter-0001", survey.shards)
    until = survey.kept_until
    with gateway.at(EAST):
        BallotRow(
            shard,
            voter_key("voter-0001", EAST),
            vote_id="x",
            digest="",
            answers=answers if answers is not None else [],
            expires_at=until,
        ).put()
        TallyRow(
            round_key(survey.code, survey.round),
            shard.rpartition("#")[2],
            version="x",
            counts=counts if counts is not None else [],
            counted_at=0,
            expires_at=until,
        ).put()
        assert store.RegionTallies(EAST).scheme(survey.code) is not None
    current = selectors.read_now(survey.code)
    gone = current is None or current.survey.deleted
    for path in PAGES:
        reply = instructor.get(path.format(survey.code))
        assert reply.status_code in ((404, 410, 200, 302) if gone else (200, 302)), path
        b"".join(reply)
    for path in PAGES[-7:-2]:
        assert Client().get(path.format(survey.code)).status_code < 500, path
