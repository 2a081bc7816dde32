"""A ballot that cannot be taken comes back as it was chosen, in words for a student, and counts once."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from failover import gateway
from polls.surveys import selectors
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.polls.views.pages import assert_sound, carried, hidden, rotated, stored, text, url
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

ODD = '“Ω” <b>&amp;\n"line two" 😀'
OURS, THEIRS = {"Origin": "http://testserver"}, {"Origin": "https://elsewhere.example"}


def test_a_ballot_comes_back_as_chosen_and_counts_once(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    form = {**hidden(page), "q_q1": "o2", "q_q4": ODD}
    again = rotated(browser).post(url(survey), form, headers=OURS)
    assert again.status_code == 403
    assert "Your vote was not sent yet" in text(again)
    assert_sound(text(again))
    assert re.search(r'value="o2"[^>]*checked', text(again))
    assert hidden(again)["vote_id"] == form["vote_id"]
    assert stored(survey) == []
    assert browser.post(url(survey), {**form, **hidden(again)}, headers=OURS).status_code == 302
    assert [ballot["q1"] for ballot in stored(survey)] == ["o2"]


def test_a_ballot_of_a_browser_that_keeps_no_cookies_is_taken_from_our_own_page_alone(survey: Survey):
    def student() -> Client:
        return Client(enforce_csrf_checks=True)

    form = {**hidden(student().get(url(survey))), "q_q1": "o1"}
    for headers in (THEIRS, {"Origin": "null"}):
        assert student().post(url(survey), form, headers=headers).status_code == 403
    assert student().post(url(survey), {**form, "token": "x"}, headers=OURS).status_code == 403
    assert stored(survey) == []
    done = student().post(url(survey), form, headers=OURS)
    assert done.status_code == 302
    assert "Your vote is recorded" in text(student().get(done["Location"]))
    assert stored(survey) == [{"q1": "o1"}]


def test_what_is_sent_while_no_region_knows_the_survey_travels_on_and_is_taken_later(
    browser: Client, survey: Survey, app: Lab
):
    form = {**hidden(browser.get(url(survey))), "q_q1": "o1", "q_q2": ["o1", "o2"], "q_q4": ODD}
    selectors._surveys.forget()
    for region in gateway.regions():
        app.fault(region, "refuse")
    page = browser.post(url(survey), form, headers=OURS)
    assert page.status_code == 503
    assert "What you typed is kept" in text(page)
    assert "retry.js" not in text(page)
    kept = carried(page) | {"q_q2": ["o1", "o2"]}
    assert kept["vote_id"] == form["vote_id"]
    assert text(page).count('name="q_q2"') == 2
    app.fault("--clear")
    wait_until(
        lambda: browser.post(url(survey), kept, headers=OURS).status_code == 302, within=20, what="the vote is taken"
    )
    wait_until(lambda: [ballot["q2"] for ballot in stored(survey)] == [["o1", "o2"]], within=10, what="it is there")


def test_other_answers_on_a_page_that_was_sent_before_are_refused_in_words_for_a_student(
    browser: Client, make_survey: Callable[..., Survey]
):
    survey = make_survey(allow_change=False)
    page = browser.get(url(survey))
    before = browser.cookies[settings.VOTER_COOKIE_NAME].value
    browser.post(url(survey), {**hidden(page), "q_q1": "o1"})
    browser.cookies[settings.VOTER_COOKIE_NAME] = before  # its reply was lost
    reply = browser.post(url(survey), {**hidden(page), "q_q1": "o2"})
    assert reply.status_code == 409
    assert "sent before, with other answers" in text(reply)
    assert not re.search("vote_id", re.sub(r"<input[^>]*>", "", text(reply)))
    assert stored(survey) == [{"q1": "o1"}]
