"""A new round begins as its author set the survey up; who waits for it reads no contradiction and is let in at once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.core.management import call_command
from django.test import Client

from polls.ballots.selectors import ballots
from polls.common import caching
from polls.surveys import selectors
from polls.surveys.merge import change, put_on
from polls.surveys.services import survey_close, survey_hide, survey_open, survey_reset, survey_reveal
from polls.surveys.survey import Survey
from tests.polls.views.builder_form import edit, fields


def test_whoever_asks_for_the_newest_gets_a_reading_that_began_afterwards():
    begun, may_end, read = Event(), Event(), []

    def reading(_key: str) -> int:
        read.append(len(read))
        if len(read) == 1:
            begun.set()
            assert may_end.wait(60)
        return len(read)

    newest: caching.Newest[str, int] = caching.Newest(reading)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(newest.get, "CODE")
        assert begun.wait(60)
        later = [pool.submit(newest.get, "CODE") for _number in range(2)]
        may_end.set()
        assert first.result(60) == 1
        assert min(one.result(60) for one in later) >= 2


def stale(survey: Survey, found: selectors.Found) -> None:
    """Makes this process know a survey as it was, as another one may for a second after a change."""
    selectors._surveys.forget()
    selectors._surveys.put(survey.code, found)


@pytest.mark.lab
def test_a_survey_that_was_just_opened_turns_nobody_away(survey: Survey, browser: Client):
    survey_close(code=survey.code)
    closed = selectors.found_now(survey.code)
    survey_open(code=survey.code)
    stale(survey, closed)
    assert 'id="ballot"' in browser.get(f"/s/{survey.code}/").content.decode()
    stale(survey, closed)
    body = json.dumps({"voter": "voter-0001", "answers": {"q1": "o1"}})
    reply = Client().post(f"/api/v1/surveys/{survey.code}/ballots", body, content_type="application/json")
    assert reply.status_code == 201


@pytest.mark.lab
def test_a_vote_of_a_new_rounds_page_is_never_put_into_the_round_before(survey: Survey, browser: Client):
    first = selectors.found_now(survey.code)
    survey_reset(code=survey.code)
    form = {**fields(browser.get(f"/s/{survey.code}/")), "q_q1": "o1"}
    stale(survey, first)
    assert browser.post(f"/s/{survey.code}/", form).status_code == 302
    second = selectors.found_now(survey.code).survey
    assert (second.round, len(ballots(second).value)) == (2, 1)
    assert ballots(first.survey).value == []


@pytest.mark.lab
def test_a_phone_on_a_closed_survey_is_asked_to_wait_and_finds_out_when_it_opens(survey: Survey, browser: Client):
    form = {**fields(browser.get(f"/s/{survey.code}/")), "q_q1": "o1"}
    assert browser.post(f"/s/{survey.code}/", form).status_code == 302
    survey_close(code=survey.code)
    survey_reset(code=survey.code)
    page = browser.get(f"/s/{survey.code}/").content.decode()
    late = browser.post(f"/s/{survey.code}/", form).content.decode()
    for text in (page, late):
        assert "as soon as" in text
        assert "Please vote again" not in text
        assert f'data-state="/s/{survey.code}/state.json"' in text
        assert f'href="/s/{survey.code}/"' in text
    assert "Please vote again" not in browser.get(f"/s/{survey.code}/receipt/").content.decode()
    assert browser.get(f"/s/{survey.code}/state.json").json() == {"state": "closed", "round": 2}
    survey_open(code=survey.code)
    assert browser.get(f"/s/{survey.code}/state.json").json() == {"state": "open", "round": 2}
    assert "Please vote again" in browser.get(f"/s/{survey.code}/").content.decode()


@pytest.mark.lab
@pytest.mark.django_db
def test_what_was_revealed_is_hidden_again_in_the_next_round(
    make_survey: Callable[..., Survey], instructor: Client, browser: Client
):
    hidden = make_survey(results="hidden")
    results = f"/s/{hidden.code}/results.json"
    assert browser.get(results).status_code == 403
    instructor.post(f"/s/{hidden.code}/present/", {"action": "reveal"})
    assert browser.get(results).status_code == 200
    assert selectors.found_now(hidden.code).survey.as_json()["results"] == "hidden"
    reset = f"/admin/surveys/{hidden.code}/reset/"
    page = instructor.get(reset).content.decode()
    for told in ("can be exported", "hidden until you reveal", 'name="then"'):
        assert told in page, told
    instructor.post(reset, {"confirm": hidden.code, "ends": "1", "then": "closed"})
    assert browser.get(results).status_code == 403
    assert not selectors.found_now(hidden.code).survey.is_open
    call_command("survey", "reset", hidden.code, "--open")
    assert selectors.found_now(hidden.code).survey.is_open
    survey_reveal(code=hidden.code)
    form = fields(instructor.get(edit(hidden)))
    instructor.post(edit(hidden), {**form, "results": "shown", "action": "save"})
    survey_hide(code=hidden.code)
    assert browser.get(results).status_code == 403
    survey_reset(code=hidden.code)
    assert browser.get(results).status_code == 200


@pytest.mark.lab
def test_a_reveal_that_meets_a_reset_of_another_region_holds_for_its_own_round(make_survey: Callable[..., Survey]):
    hidden = make_survey(results="hidden")
    before = selectors.found_now(hidden.code).row
    survey_reset(code=hidden.code)
    after = selectors.found_now(hidden.code).row
    late = put_on(None, change(before, {"results-now": "1:shown"}, now_ms=after.changed_at + 10), region="us-west-2")
    merged = selectors.Found.of(hidden.code, [after, late], region="us-west-2")
    assert merged is not None
    assert (merged.survey.round, merged.survey.is_hidden) == (2, True)
