"""One browser is one voter: the pages against the live lab, as a browser without JavaScript sees them."""

import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from polls.ballots import browsers, tokens, voting_links
from polls.ballots.selectors import ballots
from polls.surveys.services import survey_reset
from polls.surveys.survey import Survey
from tests.polls.views.pages import hidden, send, stored, text, url

pytestmark = pytest.mark.lab

VOTER = settings.VOTER_COOKIE_NAME


def first_pages(browser: Client, survey: Survey, number: int = 2) -> list[HttpResponse]:
    """Pages that were all asked for before the first of them was there; the browser keeps the last one's cookie."""
    pages = []
    for _tab in range(number):
        browser.cookies.pop(VOTER, None)
        pages.append(browser.get(url(survey)))
    return pages


@pytest.mark.parametrize("allow_change", [True, False])
def test_a_ballot_in_two_tabs_is_one_vote(browser: Client, make_survey: Callable[..., Survey], allow_change: bool):
    survey = make_survey(allow_change=allow_change)
    pages = [browser.get(url(survey)) for _tab in range(2)]
    replies = [send(browser, survey, page, q_q1=choice) for page, choice in zip(pages, ("o1", "o2"), strict=True)]
    assert [reply.status_code for reply in replies] == [302, 302 if allow_change else 409]
    assert stored(survey) == [{"q1": "o2" if allow_change else "o1"}]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0), (1, 1, 0)])
def test_first_pages_at_the_same_moment_are_one_vote_in_whatever_order_they_are_sent(
    browser: Client, survey: Survey, order: tuple[int, ...]
):
    pages = first_pages(browser, survey)
    for number in order:
        assert send(browser, survey, pages[number], q_q1=f"o{number + 1}").status_code == 302
    assert stored(survey) == [{"q1": f"o{order[-1] + 1}"}]


@pytest.mark.parametrize("allow_change", [True, False])
def test_first_posts_at_the_same_moment_are_one_vote(
    browser: Client, make_survey: Callable[..., Survey], allow_change: bool
):
    survey = make_survey(allow_change=allow_change)
    pages = first_pages(browser, survey)
    at_that_moment = SimpleCookie(browser.cookies.output(header="", sep=";"))
    for page, choice in zip(pages, ("o1", "o2"), strict=True):
        browser.cookies = SimpleCookie(at_that_moment.output(header="", sep=";"))
        send(browser, survey, page, q_q1=choice)
    assert len(stored(survey)) == 1


def test_without_cookies_the_page_is_the_voter_and_the_back_button_changes_the_vote(survey: Survey):
    page = Client().get(url(survey))
    done = Client().post(url(survey), {**hidden(page), "q_q1": "o1"})
    assert done.status_code == 302
    receipt = Client().get(done["Location"])
    assert "Your vote is recorded" in text(receipt)
    assert "This browser keeps no cookies" in text(receipt)
    assert "Change my vote" not in text(receipt)
    assert Client().head(done["Location"]).status_code == 200
    assert Client().post(url(survey), {**hidden(page), "q_q1": "o2"}).status_code == 302
    assert stored(survey) == [{"q1": "o2"}]


def test_who_gets_the_address_of_a_receipt_sees_it_and_votes_as_themselves(survey: Survey):
    page = Client().get(url(survey))
    address = Client().post(url(survey), {**hidden(page), "q_q1": "o1"})["Location"]
    other = Client()
    assert "Your vote is recorded" in text(other.get(address))
    send(other, survey, other.get(url(survey)), q_q1="o2")
    assert sorted(ballot["q1"] for ballot in stored(survey)) == ["o1", "o2"]
    signed = address.partition("?r=")[2]
    assert tokens.loads(signed, survey.code) is None
    assert browsers.loads(signed) is None
    other_survey = Client().get(address.replace(survey.code, "NOSUCH"))
    assert other_survey.status_code == 404


@pytest.mark.parametrize("bad", ["", "x", "a:b:c", "%00", "A" * 2000])
def test_a_receipt_that_we_did_not_sign_is_none(browser: Client, survey: Survey, bad: str):
    reply = browser.get(url(survey, f"receipt/?r={bad}"))
    assert reply.status_code == 200
    assert "This browser has not voted" in text(reply)


def test_a_receipt_stays_when_its_cookie_is_gone_or_tells_of_another_survey(
    browser: Client, make_survey: Callable[..., Survey]
):
    first, second = make_survey(), make_survey()
    for survey in (first, second):
        send(browser, survey, browser.get(url(survey)), q_q1="o1")
    for survey in (first, second):
        shown = text(browser.get(url(survey, "receipt/")))
        assert "Your vote is recorded" in shown
        assert browser.head(url(survey, "receipt/")).status_code == 200
    browser.cookies.pop(settings.RECEIPT_COOKIE_NAME)
    assert "Your vote is recorded" in text(browser.get(url(second, "receipt/")))
    assert "This browser has not voted" in text(Client().get(url(second, "receipt/")))


def test_a_cookie_that_was_deleted_between_the_page_and_the_vote_does_not_double_it(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    browser.cookies.pop(VOTER)
    send(browser, survey, page, q_q1="o1")
    again = browser.get(url(survey))
    assert "You have voted" in text(again)
    send(browser, survey, again, q_q1="o2")
    assert stored(survey) == [{"q1": "o2"}]


def test_a_vote_whose_reply_was_lost_is_shown_when_the_page_is_loaded_again(browser: Client, survey: Survey):
    page = browser.get(url(survey))
    before = browser.cookies[VOTER].value
    send(browser, survey, page, q_q1="o1")
    browser.cookies[VOTER] = before
    assert "You have voted" in text(browser.get(url(survey)))


@pytest.mark.parametrize("bad", ["", "x", "a.b.c.d.e.f.g:AAAA", "A" * 4000, '"'])
def test_a_cookie_that_is_not_ours_is_replaced_by_one_that_is(browser: Client, survey: Survey, bad: str):
    browser.cookies[VOTER] = bad
    send(browser, survey, browser.get(url(survey)), q_q1="o1")
    send(browser, survey, browser.get(url(survey)), q_q1="o2")
    assert stored(survey) == [{"q1": "o2"}]


def test_forty_surveys_leave_a_browser_as_many_cookies_as_one(browser: Client, make_survey: Callable[..., Survey]):
    sizes = set()
    for _week in range(40):
        survey = make_survey(questions=[{"text": "Which?", "kind": "single", "options": ["one", "two"]}])
        assert send(browser, survey, browser.get(url(survey)), q_q1="o1").status_code == 302
        sizes.add((len(browser.cookies), len(browser.cookies[VOTER].value)))
    assert len(sizes) == 1
    assert len(browser.cookies.output(header="", sep=";")) < 2000


def test_every_cookie_carries_the_installation_and_another_one_is_not_understood(instructor: Client, survey: Survey):
    send(instructor, survey, instructor.get(url(survey)), q_q1="o1")
    instructor.get("/admin/surveys/new/")
    instructor.post(f"/admin/surveys/{survey.code}/close/")
    instructor.post("/language/", {"language": "en", "next": "/"})
    names = set(instructor.cookies)
    assert len(names) >= 6
    assert all(name.endswith(f"_{settings.INSTALLATION}") for name in names), names


def test_the_link_that_a_browser_votes_by_is_its_voter_on_every_page_of_that_survey(
    browser: Client, make_survey: Callable[..., Survey]
):
    survey = make_survey()
    open_before = browser.get(url(survey))
    link = voting_links.make(survey)
    send(browser, survey, browser.get(url(survey, f"link/{link}/")), q_q1="o1")
    receipt = text(browser.get(url(survey, "receipt/")))
    assert url(survey, f"link/{link}/") in receipt
    send(browser, survey, open_before, q_q1="o2")
    send(browser, survey, browser.get(url(survey)), q_q1="o2")
    assert [cast.voter for cast in ballots(survey).value] == [voting_links.voter(link, survey)]
    assert stored(survey) == [{"q1": "o2"}]


def test_by_the_api_a_link_is_its_voter_where_no_link_is_needed_either(survey: Survey):
    link = voting_links.make(survey)
    body: dict[str, Any] = {"voter": link, "answers": {"q1": "o1"}}
    reply = Client().post(f"/api/v1/surveys/{survey.code}/ballots", body, content_type="application/json")
    assert reply.status_code == 201
    page = Client().get(url(survey, f"link/{link}/"))
    assert "You have voted" in text(page)
    assert [cast.voter for cast in ballots(survey).value] == [voting_links.voter(link, survey)]


def test_after_a_reset_both_tabs_are_one_new_voter(browser: Client, survey: Survey):
    pages = first_pages(browser, survey)
    for page in pages:
        send(browser, survey, page, q_q1="o1")
    fresh = survey_reset(code=survey.code)
    again = [send(browser, survey, page, q_q1="o2") for page in pages]
    assert [reply.status_code for reply in again] == [409, 409]
    for reply in again:
        assert send(browser, survey, reply, q_q1="o2").status_code == 302
    assert stored(fresh) == [{"q1": "o2"}]
    assert not re.search("<h2>The survey was reset", text(browser.get(url(survey))))
