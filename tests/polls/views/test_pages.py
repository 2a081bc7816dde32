"""The student's pages against the live lab, as a browser without JavaScript sees them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from failover import gateway
from polls.ballots import services
from polls.ballots.selectors import ballots
from polls.common.limits import Guesses, RateLimit
from polls.surveys import selectors
from polls.surveys.services import survey_close, survey_delete, survey_reset
from polls.surveys.survey import Survey
from polls.views.common import survey_url
from tests.conftest import Lab
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def url(survey: Survey, rest: str = "") -> str:
    return f"/s/{survey.code}/{rest}"


def text(response: HttpResponse) -> str:
    return response.content.decode()


def hidden(response: HttpResponse) -> dict[str, str]:
    """The hidden fields of a page's ballot."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text(response)))


def send(browser: Client, survey: Survey, page: HttpResponse, **answers: Any) -> HttpResponse:
    return browser.post(url(survey), {**hidden(page), **answers})


def stored(survey: Survey) -> list[dict[str, Any]]:
    return [dict(ballot.answers) for ballot in ballots(survey).value]


def assert_sound(page: str) -> None:
    """What every page owes its reader."""
    assert page.count("<h1") == 1
    assert '<main id="main"' in page
    assert 'href="#main"' in page
    assert not re.search(r"\sstyle=|\son\w+=|<script>|<style", page), "the content policy forbids inline code"


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
    assert "Votes count that a region recorded before it could know of the closing." in text(reply)
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


def test_the_first_page_leads_to_a_survey_or_says_why_not(browser: Client, survey: Survey):
    assert_sound(text(browser.get("/")))
    assert browser.get("/", {"code": f" {survey.code.lower()} "})["Location"] == url(survey)
    for typed, status, words in (
        ("", 400, "Enter the code"),
        ("?!", 400, "4 to 12"),
        ("nosuch", 404, "No survey has the code"),
    ):
        reply = browser.get("/", {"code": typed})
        assert reply.status_code == status
        assert words in text(reply)
        assert_sound(text(reply))


def test_a_pasted_address_leads_to_its_survey_and_a_pasted_voting_link_stays_one(browser: Client, survey: Survey):
    address = f"https://elsewhere.example/s/{survey.code.lower()}"
    assert browser.get("/", {"code": f"{address}/results/?for=class."})["Location"] == url(survey)
    assert browser.get("/", {"code": f"{address}/link/some-token_1/"})["Location"] == url(survey, "link/some-token_1/")
    assert browser.get("/", {"code": "\u200b"}).status_code == 400


def test_who_tries_many_codes_that_nobody_has_waits_and_a_class_does_not(survey: Survey, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(selectors, "guesses", Guesses(lambda: now[0]))
    student, api = Client(), f"/api/v1/surveys/{survey.code}/"
    assert student.get(url(survey)).status_code == 200
    replies = [Client().get(f"/s/NO{number:04}/").status_code for number in range(Guesses.BURST + 1)]
    assert replies == [404] * Guesses.BURST + [429]
    for path in ("/s/NOSUCH/", "/s/NOSUCH/results/", "/?code=nosuch"):
        reply = Client().get(path)
        assert (reply.status_code, "Too many codes" in text(reply)) == (429, True), path
        assert_sound(text(reply))
    assert Client().get("/api/v1/surveys/NOSUCH/").status_code == 429
    assert [student.get(path).status_code for path in (url(survey), api)] == [200, 200]
    now[0] += 1 / Guesses.REFILL_PER_S
    assert [Client().get("/s/NOSUCH/").status_code for _try in range(2)] == [404, 429]


@pytest.mark.parametrize(
    "path", ["/s/NOSUCH/", "/s/NOSUCH/results/", "/s/NOSUCH/receipt/", "/s/a/", "/s/%00%00%00%00/", "/nowhere"]
)
def test_an_address_that_leads_nowhere_offers_the_code_field(browser: Client, path: str):
    reply = browser.get(path)
    assert reply.status_code == 404
    assert_sound(text(reply))
    assert 'name="code"' in text(reply)


def test_results_show_counts_and_who_served_them(browser: Client, survey: Survey):
    empty = text(browser.get(url(survey, "results/")))
    assert_sound(empty)
    assert "No votes yet" in empty
    send(browser, survey, browser.get(url(survey)), q_q1="o2", q_q3="5")

    def counted() -> str | bool:
        shown = text(browser.get(url(survey, "results/")))
        return "No votes yet" not in shown and shown

    shown = wait_until(counted, within=10, what="the vote is counted")
    assert "served by" in shown
    assert "100 %" in shown
    assert "average 5" in shown


def test_an_unchanged_fragment_is_a_304_that_still_says_how_old_it_is(browser: Client, survey: Survey):
    first = browser.get(url(survey, "results/"), headers={"HX-Request": "true"})
    assert "<html" not in text(first)
    again = browser.get(url(survey, "results/"), headers={"HX-Request": "true", "If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert int(again["X-Counted-Age-Ms"]) >= 0


def test_results_json_follows_the_contract(browser: Client, survey: Survey):
    found = browser.get(url(survey, "results.json")).json()
    assert {"code", "round", "state", "voters", "questions", "region", "as_of", "age_ms"} <= set(found)
    assert found["questions"][0]["options"][0] == {"id": "o1", "text": "one", "count": 0, "percent": 0.0}
    assert [question["kind"] for question in found["questions"]] == ["single", "multiple", "rating", "text"]


def test_no_cache_keeps_what_results_json_says_nor_that_there_is_nothing_to_say(browser: Client, survey: Survey):
    there = browser.get(url(survey, "results.json"))
    survey_delete(code=survey.code)
    gone = browser.get(url(survey, "results.json"))
    assert [(reply.status_code, reply["Cache-Control"]) for reply in (there, gone)] == [
        (200, "no-store"),
        (410, "no-store"),
    ]


def test_the_qr_code_is_an_image_of_the_surveys_address(browser: Client, survey: Survey, settings):
    settings.SURVEY_PUBLIC_URL = "https://vote.example/"
    reply = browser.get(url(survey, "qr.svg"))
    assert reply["Content-Type"] == "image/svg+xml"
    assert reply.content.startswith(b"<svg")
    assert b"style=" not in reply.content
    assert survey_url(reply.wsgi_request, survey.code) == f"https://vote.example/s/{survey.code}/"


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
