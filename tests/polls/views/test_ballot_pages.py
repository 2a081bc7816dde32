"""The ballot and its receipt against the live lab, as a browser without JavaScript sees them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from failover import gateway
from polls.ballots import services
from polls.common.limits import RateLimit
from polls.surveys.services import survey_close, survey_reset
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.polls.views.pages import assert_sound, hidden, send, stored, text, url
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def test_a_vote_leads_to_a_receipt_that_names_its_region(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    assert_sound(text(page))
    done = send(browser, survey, page, q_q1="o2", q_q2=["o1"], q_q3="4", q_q4=" because ")
    assert (done.status_code, done["Location"]) == (302, url(survey, "receipt/"))
    assert done["X-Served-Region"] in gateway.regions()
    receipt = browser.get(url(survey, "receipt/"))
    assert_sound(text(receipt))
    assert "Your vote is recorded" in text(receipt)
    assert f"{done['X-Served-Region']} recorded your vote (" in text(receipt)
    assert stored(survey) == [{"q1": "o2", "q2": ["o1"], "q3": 4, "q4": "because"}]


def test_whoever_comes_back_finds_their_answers_and_may_change_them(browser: Client, survey: Survey):
    send(browser, survey, browser.get(url(survey)), q_q1="o2", q_q4="because")
    page = browser.get(url(survey))
    assert "You have voted" in text(page)
    assert re.search(r'value="o2"[^>]*checked', text(page))
    assert "because" in text(page)
    send(browser, survey, page, q_q1="o1")
    assert "Your vote is changed" in text(browser.get(url(survey, "receipt/")))
    assert stored(survey) == [{"q1": "o1"}]


def test_a_double_click_is_one_vote(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    for _click in range(2):
        assert send(browser, survey, page, q_q1="o1").status_code == 302
    assert "already recorded" in text(browser.get(url(survey, "receipt/")))
    assert stored(survey) == [{"q1": "o1"}]


def test_after_the_back_button_the_latest_choice_counts(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    send(browser, survey, page, q_q1="o1")
    assert send(browser, survey, page, q_q1="o2").status_code == 302
    assert stored(survey) == [{"q1": "o2"}]


def test_the_page_alone_names_the_voter_when_the_cookie_is_lost(survey: Survey, browser: Client):
    page = browser.get(url(survey))
    send(browser, survey, page, q_q1="o1")
    browser.cookies.pop(settings.VOTER_COOKIE_NAME)
    assert send(browser, survey, page, q_q1="o2").status_code == 302
    assert stored(survey) == [{"q1": "o2"}]


def test_two_browsers_are_two_voters(survey: Survey):
    for choice in ("o1", "o2"):
        browser = Client(enforce_csrf_checks=True)
        send(browser, survey, browser.get(url(survey)), q_q1=choice)
    assert len(stored(survey)) == 2


def test_a_mistake_is_told_twice_and_nothing_typed_is_lost(browser: Client, survey: Survey):
    page = send(browser, survey, browser.get(url(survey)), q_q2=["o1", "o3"], q_q4="typed <b>words</b>")
    shown = text(page)
    assert page.status_code == 422
    assert_sound(shown)
    assert "<title>Error: " in shown
    assert '<a href="#id_q_q1_0">Question 1: Choose an answer.</a>' in shown
    assert 'id="id_q_q1_0"' in shown
    assert 'id="id_q_q1_error"' in shown
    assert len(re.findall(r'name="q_q2"[^>]*checked', shown)) == 2
    assert "typed &lt;b&gt;words&lt;/b&gt;" in shown
    assert stored(survey) == []


@pytest.mark.parametrize(
    "answers",
    [
        {"q_q1": "o9"},
        {"q_q1": "o1", "q_q2": ["o1", "o9"]},
        {"q_q1": "o1", "q_q3": "6"},
        {"q_q1": "o1", "q_q3": "²"},
        {"q_q1": "o1", "q_q3": "99999999999999999999"},
        {"q_q1": "o1", "q_q4": "x" * 1001},
        {"q_q1": "o1", "q_q4": "a\x00b"},
    ],
)
def test_an_answer_that_the_page_did_not_offer_is_refused(browser: Client, survey: Survey, answers: dict[str, Any]):
    page = send(browser, survey, browser.get(url(survey)), **answers)
    assert page.status_code == 422
    assert "There is a problem" in text(page)
    assert stored(survey) == []


def test_a_token_that_is_not_ours_makes_a_new_voter_and_changes_nobodys_vote(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    send(browser, survey, page, q_q1="o1")
    other = Client(enforce_csrf_checks=True)
    forged = {**hidden(other.get(url(survey))), "token": hidden(page)["token"][:-2] + "xx", "q_q1": "o2"}
    assert other.post(url(survey), forged).status_code == 302
    assert sorted(ballot["q1"] for ballot in stored(survey)) == ["o1", "o2"]


def test_without_the_csrf_token_nothing_is_recorded(browser: Client, survey: Survey):
    reply = browser.post(url(survey), {"q_q1": "o1"})
    assert reply.status_code == 403
    assert_sound(text(reply))
    assert stored(survey) == []


def test_a_closed_survey_says_so_and_takes_nothing(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    survey_close(code=survey.code)
    assert "This survey is closed" in text(browser.get(url(survey)))
    reply = send(browser, survey, page, q_q1="o1")
    assert reply.status_code == 409
    assert "This survey is closed" in text(reply)
    assert "Your vote was not recorded" in text(reply)
    assert "<title>Error: " in text(reply)
    assert "A vote counts if a region recorded it before the close reached that region." in text(reply)
    assert stored(survey) == []


def test_a_text_that_came_after_the_close_can_still_be_copied(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    survey_close(code=survey.code)
    reply = send(browser, survey, page, q_q1="o1", q_q4="Written for <b>long</b>,\nin two lines")
    assert "Written for &lt;b&gt;long&lt;/b&gt;,<br>in two lines" in text(reply)
    assert "What you wrote" in text(reply)
    assert "What you wrote" not in text(send(browser, survey, page, q_q1="o1"))
    assert "What you wrote" not in text(browser.get(url(survey)))


def test_after_a_reset_an_old_page_is_asked_again(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    fresh = survey_reset(code=survey.code)
    reply = send(browser, survey, page, q_q1="o2")
    assert reply.status_code == 409
    assert "The survey was reset" in text(reply)
    assert re.search(r'value="o2"[^>]*checked', text(reply))
    assert stored(fresh) == []
    assert send(browser, survey, reply, q_q1="o2").status_code == 302
    assert stored(fresh) == [{"q1": "o2"}]


def test_a_voter_of_an_earlier_round_is_told_of_the_reset(browser: Client, survey: Survey):
    send(browser, survey, browser.get(url(survey)), q_q1="o1")
    survey_reset(code=survey.code)
    assert "The survey was reset" in text(browser.get(url(survey)))
    assert "belongs to an old round" in text(browser.get(url(survey, "receipt/")))


def test_where_votes_may_not_be_changed_the_page_says_so(browser: Client, make_survey: Callable[..., Survey]):
    survey = make_survey(allow_change=False)
    page = browser.get(url(survey))
    send(browser, survey, page, q_q1="o1")
    again = browser.get(url(survey))
    assert "cannot be changed" in text(again)
    assert 'type="submit"' not in text(again).partition("<footer")[0]
    reply = send(browser, survey, page, q_q1="o2")
    assert reply.status_code == 409
    assert stored(survey) == [{"q1": "o1"}]


def test_a_page_that_is_sent_over_and_over_is_slowed_down(browser: Client, survey: Survey, monkeypatch):
    monkeypatch.setattr(services, "rate_limit", RateLimit(lambda: 0.0, burst=1))
    page = browser.get(url(survey))
    assert send(browser, survey, page, q_q1="o1").status_code == 302
    reply = send(browser, survey, page, q_q1="o2")
    assert reply.status_code == 429
    assert int(reply["Retry-After"]) >= 1
    assert stored(survey) == [{"q1": "o1"}]


def test_when_one_region_fails_the_receipt_tells_who_took_over(browser: Client, survey: Survey, app: Lab):
    page = browser.get(url(survey))
    app.fault("us-east-1", "refuse")
    done = send(browser, survey, page, q_q1="o1")
    assert done.status_code == 302
    assert done["X-Served-Region"] == "us-west-2"
    shown = text(browser.get(url(survey, "receipt/")))
    assert "us-east-1 did not answer (no connection)." in shown
    assert "us-west-2 recorded your vote (" in shown
    assert_sound(shown)


def test_when_no_region_answers_the_page_keeps_everything_and_the_repeat_counts_once(
    browser: Client, survey: Survey, app: Lab
):
    page = browser.get(url(survey))
    for region in gateway.regions():
        app.fault(region, "refuse")
    reply = send(browser, survey, page, q_q1="o2", q_q4="kept")
    assert reply.status_code == 503
    assert "No region could take your vote" in text(reply)
    assert hidden(reply)["vote_id"] == hidden(page)["vote_id"]
    assert re.search(r'value="o2"[^>]*checked', text(reply))
    assert "kept" in text(reply)
    assert_sound(text(reply))
    app.fault("--clear")
    wait_until(
        lambda: send(browser, survey, reply, q_q1="o2", q_q4="kept").status_code == 302,
        within=15,
        what="the repeat is taken",
    )
    wait_until(lambda: stored(survey) == [{"q1": "o2", "q4": "kept"}], within=10, what="the vote is there once")
