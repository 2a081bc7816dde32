"""The results as a page, as JSON and as a QR code."""

import pytest
from django.test import Client

from polls.surveys.services import survey_delete
from polls.surveys.survey import Survey
from polls.views.common import survey_url
from tests.polls.views.pages import assert_sound, send, text, url
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


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
    document = browser.get(url(survey, "results.json")).json()
    assert {"code", "round", "state", "voters", "questions", "region", "as_of", "age_ms"} <= set(document)
    assert document["questions"][0]["options"][0] == {"id": "o1", "text": "one", "count": 0, "percent": 0.0}
    assert [question["kind"] for question in document["questions"]] == ["single", "multiple", "rating", "text"]


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
