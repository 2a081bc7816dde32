"""A survey through its year, against the live lab: what is taken, refused, warned of, shown and gone. The lab's engine
removes nothing meanwhile, since its clock is not ahead: what is gone is gone by the round's own expiry.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from failover import gateway
from polls.ballots import selectors as ballot_selectors
from polls.ballots.any_votes import maybe_voted
from polls.ballots.bulk_reads import read_replica
from polls.ballots.selectors import ballot_get
from polls.results import moderation, past_rounds
from polls.results import selectors as result_selectors
from polls.results.selectors import results
from polls.surveys import definitions, reader, selectors
from polls.surveys import services as survey_services
from polls.surveys.merge import change
from polls.surveys.retention import DAY_S
from polls.surveys.services import ServiceRefused, TimesTooLate, survey_close, survey_create, survey_open, survey_reset
from polls.surveys.survey import State, Survey
from polls.tallies import audit
from tests.polls.clocks import AheadClock
from tests.polls.views.builder_form import edit, fields
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.django_db]
ANSWERS = {"q1": "o1", "q4": "because"}


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock so many days ahead."""
    clock = AheadClock()
    monkeypatch.setattr(gateway, "clock", clock)

    def ahead(number: float) -> None:
        clock.ahead_s = number * DAY_S

    return ahead


def post(survey: Survey, voter: str = "voter-0001") -> Any:
    body = {"voter": voter, "answers": ANSWERS}
    return Client().post(f"/api/v1/surveys/{survey.code}/ballots", json.dumps(body), content_type="application/json")


def now(survey: Survey) -> Survey:
    return selectors.found_now(survey.code).survey


def counted(survey: Survey, voters: int) -> None:
    wait_until(lambda: results(survey).value.tally.voters == voters, within=30, what="the votes are counted")


def told(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("survey", *arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()


def test_a_vote_of_the_last_day_lives_for_180_days_and_the_next_one_is_refused(
    survey: Survey, browser: Client, days: Callable[[float], None]
):
    days(184.9)
    assert post(survey).status_code == 201
    (row,) = read_replica(survey, gateway.regions()[0])
    assert row.as_json()["expires_at"] >= gateway.clock.wall() + 180 * DAY_S
    page = browser.get(f"/s/{survey.code}/")
    form = {**fields(page), "q_q1": "o1"}
    days(185)
    refused = post(survey, "voter-0002")
    assert (refused.status_code, refused.json()["reason"]) == (409, "expired")
    page = browser.post(f"/s/{survey.code}/", form)
    assert page.status_code == 409
    assert "takes no more votes" in page.content.decode()
    assert "takes no more votes" in browser.get(f"/s/{survey.code}/").content.decode()
    assert results(survey).value.survey.state is State.CLOSED
    assert len(ballot_selectors.ballots(survey).value) == 1


def test_an_expired_round_is_not_opened_and_a_new_one_takes_votes(
    survey: Survey, instructor: Client, days: Callable[[float], None]
):
    days(200)
    before = selectors.found_now(survey.code).row
    with pytest.raises(ServiceRefused) as caught:
        survey_open(code=survey.code)
    assert caught.value.reason == "expired"
    with pytest.raises(CommandError, match="took votes until"):
        told("open", survey.code)
    listed = instructor.get("/admin/surveys/").content.decode()
    page = instructor.post(f"/admin/surveys/{survey.code}/open/", follow=True).content.decode()
    assert "nothing was changed" in page
    assert selectors.found_now(survey.code).row == before
    for shown in (listed, instructor.get(edit(survey)), instructor.get(f"/s/{survey.code}/results/")):
        text = shown if isinstance(shown, str) else shown.content.decode()
        assert f'href="/admin/surveys/{survey.code}/reset/"' in text
        assert "New round" in text
    assert "New round" in instructor.get(f"/s/{survey.code}/present/").content.decode()
    form = {"confirm": survey.code, "ends": "1"}
    assert instructor.post(f"/admin/surveys/{survey.code}/reset/", form).status_code == 302
    assert post(survey).status_code == 201
    days(200 + 184)
    assert post(now(survey), "voter-0002").status_code == 201


def test_the_instructor_is_warned_on_the_list_and_on_the_surveys_pages(
    survey: Survey, instructor: Client, browser: Client, days: Callable[[float], None]
):
    pages = ["/admin/surveys/", edit(survey), f"/s/{survey.code}/results/"]
    days(154)
    assert not any("takes votes until" in instructor.get(page).content.decode() for page in pages)
    days(156)
    assert all("takes votes until" in instructor.get(page).content.decode() for page in pages)
    assert "takes votes until" not in browser.get(f"/s/{survey.code}/results/").content.decode()
    assert "takes votes until" in told("list")[1]


def test_every_reader_goes_by_the_expiry_and_not_by_what_the_database_has_removed(
    survey: Survey, instructor: Client, days: Callable[[float], None]
):
    assert post(survey).status_code == 201
    counted(survey, 1)

    def seen() -> dict[str, Any]:
        page = moderation.page(survey, "q4", limit=5, with_hidden=True)
        ballots = instructor.get(f"/admin/surveys/{survey.code}/export/ballots.json")
        return {
            "results": results(survey).value.tally.voters,
            "ballots": len(ballot_selectors.ballots(survey).value),
            "replica": len(read_replica(survey, gateway.regions()[0])),
            "own ballot": 1 if ballot_get(survey, "voter-0001").value else 0,
            "texts": len(page.texts),
            "voted": int(maybe_voted(survey)),
            "list": result_selectors.voters([survey])[survey.code, 1],
            "command": len(json.loads(told("export", survey.code, "--ballots")[0])["ballots"]),
            "page": b"".join(ballots.streaming_content).decode().count('"ballot": '),
        }

    days(364.9)
    assert set(seen().values()) == {1}
    assert {finding.text.split("\t")[0] for finding in audit.audit(survey).values()} == {"equal"}
    days(365.1)
    assert set(seen().values()) == {0}
    assert {finding.text.split("\t")[0] for finding in audit.audit(survey).values()} == {"expired"}
    assert "expired on" in told("export", survey.code, "--ballots")[1]
    assert "expired on" in instructor.get(f"/admin/surveys/{survey.code}/export/").content.decode()


def test_each_round_expires_for_itself(survey: Survey, instructor: Client, days: Callable[[float], None]):
    assert post(survey).status_code == 201
    counted(survey, 1)
    days(100)
    second = survey_reset(code=survey.code)
    assert post(second, "voter-0002").status_code == 201
    counted(second, 1)
    assert past_rounds.with_votes(second) == [(1, 1)]
    days(366)
    assert past_rounds.with_votes(second) == []
    assert results(second).value.tally.voters == 1
    first = past_rounds.of(second, 1)
    assert first is not None
    assert ballot_selectors.ballots(first).value == []
    compared = instructor.get(f"/s/{survey.code}/present/?q=1&compare=1")
    assert {bar.before.voters.whole for bar in compared.context["chart"].bars} == {0}
    assert "expired on" in instructor.get(f"/admin/surveys/{survey.code}/export/?round=1").content.decode()


def iso(day: float) -> str:
    return definitions.time_to_json(datetime.fromtimestamp(gateway.clock.wall() + day * DAY_S, UTC))


@pytest.mark.parametrize("field", ["opens_at", "closes_at"])
def test_times_beyond_the_time_for_votes_are_refused_however_a_survey_is_saved(
    field: str, survey: Survey, instructor: Client, tmp_path: Path, days: Callable[[float], None]
):
    raw = {"title": "T", "questions": [{"text": "Why?", "kind": "text"}]}
    late, fine = {**raw, field: iso(186)}, {**raw, field: iso(184)}
    with pytest.raises(TimesTooLate):
        survey_create(definition=reader.parse(late))
    assert survey_create(definition=reader.parse(fine))
    file = tmp_path / "late.json"
    file.write_text(json.dumps({**late, "code": "LATE2026"}))
    with pytest.raises(CommandError, match="185 days"):
        told("import", str(file))
    with file.open("rb") as upload:
        page = instructor.post("/admin/surveys/", {"file": upload})
    assert (page.status_code, "185 days" in page.content.decode()) == (422, True)
    assert selectors.read_now("LATE2026") is None
    new = {**fields(instructor.get("/admin/surveys/new/")), "title": "T", "q0-text": "Why?", "q0-kind": "text"}
    typed = {field: late[field].removesuffix("Z"), "action": "save"}
    refused = instructor.post("/admin/surveys/new/", {**new, **typed})
    assert (refused.status_code, "185 days" in refused.content.decode()) == (422, True)
    refused = instructor.post(edit(survey), {**fields(instructor.get(edit(survey))), **typed})
    assert (refused.status_code, "185 days" in refused.content.decode()) == (422, True)
    assert now(survey) == survey


def test_a_change_that_begins_a_round_is_judged_by_that_rounds_beginning(
    survey: Survey, instructor: Client, days: Callable[[float], None]
):
    assert post(survey).status_code == 201
    days(100)
    late = {"closes_at": iso(150).removesuffix("Z"), "action": "save"}
    form = {**fields(instructor.get(edit(survey))), "action": "remove-0"}
    form = {**fields(instructor.post(edit(survey), form)), **late}
    form.pop("allow_change", None)
    assert instructor.post(edit(survey), form).status_code == 409  # there is a vote
    assert instructor.post(edit(survey), {**form, "new_round": "on"}).status_code == 302
    assert (now(survey).round, now(survey).is_open) == (2, True)
    again = {**fields(instructor.get(edit(survey))), "closes_at": iso(190).removesuffix("Z"), "action": "save"}
    assert instructor.post(edit(survey), again).status_code == 422


def test_a_title_is_changed_also_where_a_stored_time_is_beyond(survey: Survey, instructor: Client):
    row = selectors.found_now(survey.code).row
    late = {"closes_at": iso(300)}
    changed = change(row, late, now_ms=int(gateway.clock.wall() * 1000))
    survey_services._write(survey.code, changed, known=row)
    form = {**fields(instructor.get(edit(survey))), "title": "Another", "action": "save"}
    assert instructor.post(edit(survey), form).status_code == 302
    assert now(survey).definition.title == "Another"


def test_the_demo_survey_of_an_old_directory_gets_a_new_round_and_says_so(
    survey: Survey, tmp_path: Path, days: Callable[[float], None]
):
    file = tmp_path / "survey.json"
    file.write_text(json.dumps(now(survey).as_json()))
    assert told("import", "--keep", "--renew", str(file))[0] == survey.code
    days(186)
    assert told("import", "--keep", str(file))[0] == survey.code
    assert now(survey).round == 1
    survey_close(code=survey.code)
    code, line = told("import", "--keep", "--renew", str(file))[0].splitlines()
    assert code == survey.code
    assert "took votes until" in line
    assert "Round 2 begins now" in line
    assert (now(survey).round, now(survey).is_open) == (2, True)
    assert told("import", "--keep", "--renew", str(file))[0] == survey.code
