"""The language of a reply: how it is chosen, and that no cache gives one visitor the language of another."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.formats import date_format

from polls.ballots import selectors as ballot_selectors
from polls.ballots import services
from polls.results import selectors as result_selectors
from polls.surveys.survey import Survey
from tests.i18n import catalogue
from tests.polls.clocks import in_days
from tests.polls.views.builder_form import fields
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.django_db]
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
ENGLISH = {"accept-language": "en-GB"}


@pytest.fixture
def voted(survey: Survey) -> Survey:
    """A third of the voters chose the first option."""
    for number, option in enumerate(("o1", "o2", "o2")):
        services.ballot_cast(
            survey=survey,
            voter=f"voter-{number}",
            vote_id=services.name_vote(),
            answers={"q1": option, "q3": number + 3},
        )

    def counted() -> bool:
        return result_selectors.results(survey).value.tally.voters == 3

    wait_until(counted, within=15, what="the votes are counted")
    return survey


def language(reply: Any) -> tuple[str, str]:
    """The language of a reply by its header, and by its page."""
    match = re.search(r'<html lang="([a-z-]+)"', reply.content.decode())
    return reply["Content-Language"], match[1] if match else ""


def varies_by(reply: Any) -> set[str]:
    return {name.strip().lower() for name in reply.get("Vary", "").split(",")}


@pytest.mark.parametrize(
    ("asked", "given"),
    [("de", "de"), ("de-CH,fr;q=0.5", "de"), ("fr,de;q=0.4,en;q=0.3", "de"), ("en-US", "en"), ("fr", "en"), ("", "en")],
)
def test_without_a_choice_the_browser_decides(wired: object, asked: str, given: str) -> None:
    reply = Client().get("/", headers={"accept-language": asked} if asked else {})
    assert language(reply) == (given, given)


def test_a_choice_is_made_without_javascript_is_remembered_and_outdoes_the_browser(
    browser: Client, survey: Survey
) -> None:
    page = browser.get(f"/s/{survey.code}/", headers=ENGLISH)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    assert token is not None
    where = f"/s/{survey.code}/"
    sent = {"csrfmiddlewaretoken": token[1], "language": "de", "next": where}
    switched = browser.post("/language/", sent)
    assert (switched.status_code, switched["Location"]) == (302, where)
    assert switched.cookies[settings.LANGUAGE_COOKIE_NAME]["max-age"] == 365 * 24 * 3600
    assert language(browser.get(where, headers=ENGLISH)) == ("de", "de")
    assert "Meine Stimme senden" in browser.get(where, headers=ENGLISH).content.decode()


def test_a_ballot_that_is_being_filled_in_changes_its_language_and_loses_nothing(
    browser: Client, survey: Survey
) -> None:
    where = f"/s/{survey.code}/"
    form = fields(browser.get(where, headers=ENGLISH))
    typed = {**form, "q_q2": ["o1", "o3"], "q_q3": "4", "q_q4": "half a sent"}
    refused = browser.post(where, typed, headers=ENGLISH)
    assert (refused.status_code, language(refused)) == (422, ("en", "en"))
    shown = refused.content.decode()
    assert re.search(r'<button type="submit" form="ballot" name="language" value="de"', shown)
    switched = browser.post(where, {**typed, "language": "de"}, headers=ENGLISH)
    assert (switched.status_code, language(switched)) == (200, ("de", "de"))
    page = switched.content.decode()
    assert "Meine Stimme senden" in page
    assert "half a sent</textarea>" in page
    for name, value in (("q_q2", "o1"), ("q_q2", "o3"), ("q_q3", "4")):
        assert re.search(f'name="{name}" value="{value}"[^>]* checked', page), (name, value)
    assert page.count(" checked") == 3
    assert "field-error" not in page  # nothing is a mistake before it is sent
    again = fields(switched)
    assert again["vote_id"] == form["vote_id"]  # if the vote was recorded after all, it stays the same vote
    assert language(browser.get("/", headers=ENGLISH)) == ("de", "de")
    sent = browser.post(where, {**again, "q_q1": "o1", "q_q2": ["o1", "o3"]}, headers=ENGLISH)
    assert sent["Location"].endswith("/receipt/")
    ballots = [ballot.answers for ballot in ballot_selectors.ballots(survey).value]
    assert ballots == [{"q1": "o1", "q2": ["o1", "o3"], "q3": 4, "q4": "half a sent"}]


def test_a_survey_that_is_being_written_changes_its_language_and_loses_nothing(instructor: Client) -> None:
    form = fields(instructor.get("/admin/surveys/new/", headers=ENGLISH)) | {"title": "Half", "q0-options": "one"}
    refused = instructor.post("/admin/surveys/new/", {**form, "action": "save"}, headers=ENGLISH)
    assert refused.status_code == 422
    assert 'form="builder" name="language" value="de"' in refused.content.decode()
    switched = instructor.post("/admin/surveys/new/", {**fields(refused), "language": "de"}, headers=ENGLISH)
    assert (switched.status_code, language(switched)) == (200, ("de", "de"))
    assert (fields(switched)["title"], fields(switched)["q0-options"].strip()) == ("Half", "one")
    assert "Noch nicht gespeichert." in switched.content.decode()


def test_any_other_answer_to_what_was_sent_says_that_the_language_changes_on_the_next_page(
    instructor: Client, survey: Survey
) -> None:
    where = f"/admin/surveys/{survey.code}/delete/"
    assert 'name="language"' in instructor.get(where).content.decode()
    refused = instructor.post(where, {"confirm": "no"}).content.decode()
    assert 'name="language"' not in refused
    assert "The language can be changed again on the next page." in refused


def test_another_site_cannot_switch_the_language_nor_be_led_to(browser: Client, wired: object) -> None:
    assert browser.post("/language/", {"language": "de", "next": "/"}).status_code == 403
    unchecked = Client()
    led = unchecked.post("/language/", {"language": "de", "next": "https://evil.example/"})
    assert led["Location"] == "/"
    unchecked.post("/language/", {"language": "fr", "next": "/"})
    # There is no French: the choice does not count.
    assert language(unchecked.get("/", headers=GERMAN)) == ("de", "de")


@pytest.mark.parametrize(
    "path", ["/", "/s/{code}/", "/s/{code}/results/", "/s/{code}/present/", "/admin/login/", "/nowhere/"]
)
def test_every_page_offers_both_languages_says_its_own_and_varies(survey: Survey, path: str) -> None:
    reply = Client().get(path.format(code=survey.code), headers=GERMAN)
    html = reply.content.decode()
    assert language(reply) == ("de", "de")
    assert {"accept-language", "cookie"} <= varies_by(reply)
    assert re.findall(r'name="language" value="(\w\w)" lang="\1"( aria-current="true")?', html) == [
        ("en", ""),
        ("de", ' aria-current="true"'),
    ]


@pytest.mark.parametrize("path", ["results/", "present/?q=1"])
@pytest.mark.parametrize("first", ["en", "de"])
def test_watchers_of_both_languages_share_no_fragment(voted: Survey, path: str, first: str) -> None:
    asked = {"en": ENGLISH, "de": GERMAN}
    words = {"en": "Bar chart: Which?", "de": "Balkendiagramm: Which?"}
    second = "de" if first == "en" else "en"
    htmx = {"hx-request": "true", "hx-target": "stage"}
    at = f"/s/{voted.code}/{path}"
    first_reply = Client().get(at, headers={**asked[first], **htmx})
    # In the same process and second, with the same tally. An ETag of the other language must not cause a 304.
    second_reply = Client().get(at, headers={**asked[second], **htmx, "if-none-match": first_reply["ETag"]})
    again = Client().get(at, headers={**asked[first], **htmx, "if-none-match": first_reply["ETag"]})
    assert words[first] in first_reply.content.decode()
    assert second_reply.status_code == 200
    assert words[second] in second_reply.content.decode()
    assert words[first] not in second_reply.content.decode()
    assert again.status_code == 304
    assert {"accept-language", "cookie"} <= varies_by(first_reply) & varies_by(again)


def test_what_programs_read_is_the_same_in_both_languages(voted: Survey) -> None:
    for path in (f"/s/{voted.code}/results.json", f"/api/v1/surveys/{voted.code}/", f"/s/{voted.code}/qr.svg"):
        english, german = (Client().get(path, headers=headers) for headers in (ENGLISH, GERMAN))
        assert "Content-Language" not in german
        assert "accept-language" not in varies_by(german)
        if path.endswith("results.json"):
            documents = [json.loads(reply.content) for reply in (english, german)]
            read_when = {"age_ms": 0, "as_of": ""}  # the counts may have been read anew in between
            assert {**documents[0], **read_when} == {**documents[1], **read_when}
            assert documents[1]["questions"][0]["options"][0]["percent"] == pytest.approx(33.3, abs=0.1)
        else:
            assert english.content == german.content


def test_a_problem_document_speaks_to_the_person_and_keeps_its_machine_words(survey: Survey) -> None:
    body = {"voter": "voter-long-enough", "answers": {"q1": "o9"}}
    reply = Client().post(f"/api/v1/surveys/{survey.code}/ballots", body, "application/json", headers=GERMAN)
    problem = reply.json()
    assert (problem["status"], problem["title"]) == (422, "Unprocessable Entity")
    assert problem["errors"] == {"q1": "Wählen Sie eine der angezeigten Antworten."}
    assert reply["Content-Language"] == "de"


def test_numbers_on_a_german_page_are_german_and_those_that_draw_are_not(voted: Survey) -> None:
    for path in ("results/", "present/?q=1", "present/?q=3"):
        html = Client().get(f"/s/{voted.code}/{path}", headers=GERMAN).content.decode()
        assert "33,3 %" in html
        drawn = re.findall(r'\b(?:width|height|x|y|r|cx|cy|viewBox|data-age-ms|data-round)="([^"]*)"', html)
        assert "33.3" in drawn
        assert not [value for value in drawn if "," in value]
    results = Client().get(f"/s/{voted.code}/results/", headers=GERMAN).content.decode()
    assert "Mittelwert 4,0" in results


def test_a_date_is_written_as_the_language_writes_it(make_survey: Callable[..., Survey]) -> None:
    survey = make_survey(opens_at=in_days(90))
    assert survey.definition.opens_at is not None
    with translation.override("de"):
        german = date_format(survey.definition.opens_at, "j. F Y H:i")
    page = Client().get(f"/s/{survey.code}/", headers=GERMAN).content.decode()
    assert f"Sie öffnet am {german} (UTC)." in page
    english = date_format(survey.definition.opens_at, "N j, Y, P")
    assert english in Client().get(f"/s/{survey.code}/", headers=ENGLISH).content.decode()


def test_a_file_for_a_spreadsheet_keeps_its_points_and_machine_names(instructor: Client, voted: Survey) -> None:
    at = f"/admin/surveys/{voted.code}/export/results.csv"
    english, german = (b"".join(instructor.get(at, headers=headers).streaming_content) for headers in (ENGLISH, GERMAN))
    assert english == german
    assert b",33.3," in german


def test_what_a_thread_does_after_a_reply_is_done_in_english(wired: object) -> None:
    Client().get("/", headers=GERMAN)
    assert translation.get_language() == "en"


def test_no_template_leaves_a_width_or_a_number_for_a_script_to_the_readers_language() -> None:
    drawn = re.compile(
        r'\b(?:width|height|x|y|r|cx|cy|points|d|viewBox|data-[\w-]*(?:ms|age|after|round))="([^"]*\{\{[^"]*)"'
    )
    for template in catalogue.templates():
        for value in drawn.findall(template.read_text()):
            assert value.count("{{") == value.count("|unlocalize"), f"{template}: {value}"
