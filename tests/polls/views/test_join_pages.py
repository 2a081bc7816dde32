"""The first page, and addresses that lead nowhere."""

import pytest
from django.test import Client

from polls.common.limits import Guesses
from polls.surveys import selectors
from polls.surveys.survey import Survey
from tests.polls.views.pages import assert_sound, text, url

pytestmark = pytest.mark.lab


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
