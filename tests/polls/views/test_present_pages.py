"""The projector's view, hidden results and exports against the live lab, as a browser without JavaScript sees them."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import Client

from failover import gateway
from polls.ballots import services
from polls.results import moderation
from polls.results import selectors as result_selectors
from polls.surveys import selectors
from polls.surveys.services import ServiceRefused, survey_hide, survey_reset
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.django_db]
SCRIPT = "<script>alert(1)</script>"


def screen(survey: Survey, query: str = "") -> str:
    return f"/s/{survey.code}/present/{query}"


def text(response: HttpResponse) -> str:
    return response.content.decode()


def cast(survey: Survey, voter: str, **answers: Any) -> None:
    services.ballot_cast(survey=survey, voter=voter, vote_id=services.name_vote(), answers=answers)


def counted(survey: Survey, voters: int) -> None:
    def all_are() -> bool:
        return result_selectors.results(survey).value.tally.voters == voters

    wait_until(all_are, within=15, what=f"{voters} votes are counted")


def current(survey: Survey) -> Survey:
    return selectors.survey_get(survey.code).value


@pytest.fixture
def voted(survey: Survey) -> Survey:
    """Three voters: two for one option, the third left the rating out."""
    cast(survey, "voter-one", q1="o2", q3=5, q4=SCRIPT)
    cast(survey, "voter-two", q1="o2", q3=4, q4="=1+1")
    cast(survey, "voter-three", q1="o1")
    counted(survey, 3)
    return survey


def test_the_join_screen_has_the_address_the_code_and_the_qr_code(browser: Client, survey: Survey):
    page = text(browser.get(screen(survey)))
    assert f"testserver/s/{survey.code}" in page
    assert f'<p class="join-code code">{survey.code}</p>' in page
    assert f"/s/{survey.code}/qr.svg" in page
    assert page.count("<h1") == 1
    assert not re.search(r"\sstyle=|\son\w+=|<script>|<style", page), "the content policy forbids inline code"


@pytest.mark.parametrize(
    ("host", "told"),
    [("127.0.0.1:8000", True), ("localhost", True), ("[::1]:8000", True), ("192.168.1.23:8000", False)],
)
def test_beside_the_qr_code_an_instructor_reads_when_phones_cannot_open_it(
    instructor: Client, browser: Client, survey: Survey, settings: Any, host: str, told: bool
):
    settings.ALLOWED_HOSTS = ["*"]
    for page in (screen(survey), f"/s/{survey.code}/results/"):
        assert ("make demo HOST=lan" in text(instructor.get(page, headers={"host": host}))) is told
        assert "make demo HOST=lan" not in text(browser.get(page, headers={"host": host}))


def test_an_instructor_finds_the_way_back_and_a_student_no_way_to_the_projector(
    instructor: Client, browser: Client, survey: Survey
):
    for page in (screen(survey), f"/s/{survey.code}/results/"):
        shown = text(instructor.get(page))
        assert 'href="/admin/surveys/"' in shown
        assert 'href="/admin/failover/"' in shown
    student = text(browser.get(f"/s/{survey.code}/results/"))
    assert "/admin/" not in student
    assert screen(survey) not in student


def test_what_the_class_is_shown_holds_no_text_and_nothing_hidden_whoever_shows_it(instructor: Client, voted: Survey):
    results = f"/s/{voted.code}/results/"
    assert "=1+1" in text(instructor.get(results))
    assert "=1+1" not in text(instructor.get(f"{results}?for=class"))
    survey_hide(code=voted.code)
    assert "Only you see these results" in text(instructor.get(results))
    for headers in ({}, {"HX-Request": "true"}):
        page = text(instructor.get(f"{results}?for=class", headers=headers))
        assert "The results are hidden" in page
        assert "bar-fill" not in page


def test_a_bar_says_its_part_of_all_voters_and_a_table_stands_behind_it(browser: Client, voted: Survey):
    page = text(browser.get(screen(voted, "?q=3")))
    assert re.search(r"33 % <span class=\"stage-count\">\(1\)", page)
    assert 'role="img"' in page
    assert "Show data" in page
    assert "4.5" in page
    assert re.search(r'<rect class="fill-now" id="now-A" width="0.0"', page)


def test_whoever_is_not_signed_in_sees_no_controls_and_changes_nothing(browser: Client, voted: Survey):
    page = text(browser.get(screen(voted, "?q=1")))
    assert "Close voting" not in page
    assert "Sign in to control" in page
    client = Client()
    refused = client.post(screen(voted), {"action": "close"})
    assert refused.status_code == 302
    assert refused["Location"].startswith("/admin/login/")
    assert current(voted).is_open


def test_a_button_needs_the_page_it_stands_on(voted: Survey):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("other", is_staff=True))
    assert client.post(screen(voted), {"action": "close"}).status_code == 403
    assert current(voted).is_open


def test_the_instructor_closes_and_opens_from_the_projector_and_stays_where_they_were(
    instructor: Client, survey: Survey
):
    done = instructor.post(screen(survey, "?q=2&zoom=3"), {"action": "close"})
    assert done["Location"] == screen(survey, "?q=2&zoom=3")
    assert not current(survey).is_open
    instructor.post(screen(survey), {"action": "open"})
    assert current(survey).is_open
    assert instructor.post(screen(survey), {"action": "explode"}).status_code == 400


def test_hidden_results_are_shown_to_nobody_but_the_instructor_until_they_are_revealed(
    browser: Client, instructor: Client, voted: Survey
):
    instructor.post(screen(voted), {"action": "hide"})
    for path in ("results/", "present/?q=1"):
        page = text(browser.get(f"/s/{voted.code}/{path}"))
        assert "hidden" in page
        assert not re.search(r"\d %|\(2\)|<rect", page.partition("<main")[2])
        assert re.search(r'<strong class="figure">3</strong>', page)
    told = browser.get(f"/s/{voted.code}/results.json")
    assert told.status_code == 403
    assert told["Content-Type"] == "application/problem+json"
    assert told.json()["reason"] == "hidden"
    assert "questions" not in told.json()
    assert "67 %" in text(instructor.get(f"/s/{voted.code}/results/"))
    assert instructor.get(f"/s/{voted.code}/results.json").status_code == 200
    assert "67 %" not in text(instructor.get(screen(voted, "?q=1"))), "the class looks at the instructor's projector"
    instructor.post(screen(voted), {"action": "reveal"})
    assert "67 %" in text(browser.get(f"/s/{voted.code}/results/"))
    assert browser.get(f"/s/{voted.code}/results.json").status_code == 200


def test_hidden_results_are_in_no_fragment_either(browser: Client, instructor: Client, voted: Survey):
    shown = browser.get(screen(voted, "?q=1"), headers={"HX-Target": "stage"})
    instructor.post(screen(voted), {"action": "hide"})
    again = browser.get(screen(voted, "?q=1"), headers={"HX-Target": "stage", "If-None-Match": shown["ETag"]})
    assert again.status_code == 200
    assert "67 %" not in text(again)


def test_what_an_instructor_is_shown_of_a_reading_a_student_is_not(browser: Client, instructor: Client, voted: Survey):
    instructor.post(screen(voted), {"action": "hide"})
    live = {"HX-Request": "true"}
    for _ in range(2):  # the fragment of one reading is made once, and there are two of it
        assert "67 %" in text(instructor.get(f"/s/{voted.code}/results/", headers=live))
        assert "67 %" not in text(browser.get(f"/s/{voted.code}/results/", headers=live))
    instructor.post(screen(voted), {"action": "close"})
    assert "closed" in text(browser.get(f"/s/{voted.code}/results/", headers=live))
    instructor.post(screen(voted), {"action": "reveal"})
    assert "67 %" in text(browser.get(f"/s/{voted.code}/results/", headers=live))


def test_an_unchanged_screen_is_a_304(browser: Client, voted: Survey):
    first = browser.get(screen(voted, "?q=1"), headers={"HX-Target": "stage"})
    assert "<html" not in text(first)
    again = browser.get(screen(voted, "?q=1"), headers={"HX-Target": "stage", "If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert again["X-Served-Region"] in gateway.regions()


def test_two_rounds_stand_side_by_side(browser: Client, voted: Survey):
    assert "Compare rounds" not in text(browser.get(screen(voted, "?q=1&compare=1")))
    second = survey_reset(code=voted.code)
    cast(second, "voter-one", q1="o1")
    counted(second, 1)
    page = text(browser.get(screen(voted, "?q=1&compare=1")))
    assert "round 1: 67 % (2)" in page
    assert re.search(r"100 % <span class=\"stage-count\">\(1\)", page)
    assert "Votes in round 1" in page


def test_a_hidden_text_leaves_the_projector_and_comes_back(instructor: Client, voted: Survey):
    def texts() -> list[moderation.MarkedText]:
        return list(moderation.page(current(voted), "q4", limit=10, with_hidden=True).texts)

    assert {answer.text for answer in texts()} == {SCRIPT, "=1+1"}
    page = text(instructor.get(screen(voted, "?q=4")))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert SCRIPT not in page
    mark = next(answer.mark for answer in texts() if answer.text == SCRIPT)
    instructor.post(screen(voted, "?q=4"), {"action": "hide-text", "mark": mark})
    assert "alert(1)" not in text(instructor.get(screen(voted, "?q=4")))
    assert "Show on the projector" in text(instructor.get(f"/s/{voted.code}/results/"))
    instructor.post(screen(voted, "?q=4"), {"action": "show-text", "mark": mark, "back": "results"})
    assert "alert(1)" in text(instructor.get(screen(voted, "?q=4")))
    assert instructor.post(screen(voted), {"action": "hide-text", "mark": "../etc"}).status_code == 400


def test_a_screen_without_the_hidden_texts_is_as_full_as_it_was(make_survey: Callable[..., Survey]):
    survey = make_survey()
    for number in range(7):
        cast(survey, f"voter-{number:04}", q1="o1", q4=f"text {number}")
    wait_until(
        lambda: result_selectors.results(survey).value.tally.answered["q4"] == 7,
        within=10,
        what="seven texts are counted",
    )

    def shown(after: str = "") -> moderation.MarkedPage:
        return moderation.page(current(survey), "q4", after=after, limit=3, with_hidden=False)

    assert [one.text for one in shown().texts] == ["text 6", "text 5", "text 4"]
    for place in (0, 1):
        moderation.set_hidden(code=survey.code, mark=shown().texts[place].mark, hidden=True)
    first = shown()
    assert [one.text for one in first.texts] == ["text 5", "text 3", "text 2"]
    assert first.next is not None
    last = shown(first.next)
    assert [one.text for one in last.texts] == ["text 1", "text 0"]
    assert last.next is None


def test_while_no_region_answers_an_instructor_still_reads_the_texts_that_were_read(
    instructor: Client, voted: Survey, app: Lab
):
    page = f"/s/{voted.code}/results/"
    assert "=1+1" in text(instructor.get(page))
    for region in gateway.regions():
        app.fault(region, "refuse", "--for", "60")
    old = "these are the last counts that were read"
    wait_until(lambda: old in text(instructor.get(page)), within=20, what="the page says that it is of the last counts")
    assert "=1+1" in text(instructor.get(page))


def test_without_the_accounts_an_instructor_sees_what_students_see(instructor: Client, voted: Survey):
    instructor.post(screen(voted), {"action": "hide"})
    with connection.execute_wrapper(_broken):
        page = text(instructor.get(f"/s/{voted.code}/results/"))
    assert "The results are hidden" in page
    assert "67 %" not in page


def _broken(*_query: object) -> object:
    raise DatabaseError("disk I/O error")


def test_only_instructors_read_texts(browser: Client, voted: Survey):
    for path in ("results/", "present/?q=4"):
        assert "=1+1" not in text(browser.get(f"/s/{voted.code}/{path}"))


def test_more_texts_cannot_be_hidden_than_a_survey_can_hold(
    voted: Survey, monkeypatch: pytest.MonkeyPatch, instructor: Client
):
    monkeypatch.setattr(moderation, "MOST_HIDDEN", 1)
    moderation.set_hidden(code=voted.code, mark="q4." + "0" * 16, hidden=True)
    with pytest.raises(ServiceRefused, match="cannot be"):
        moderation.set_hidden(code=voted.code, mark="q4." + "1" * 16, hidden=True)
    moderation.set_hidden(code=voted.code, mark="q4." + "0" * 16, hidden=False)
    instructor.post(screen(voted, "?q=4"), {"action": "hide-text", "mark": "q4." + "1" * 16})
    assert "cannot be" in text(instructor.get(screen(voted, "?q=4")))


@pytest.mark.parametrize("query", ["?q=99", "?q=-1&zoom=x", "?q=4&after=0-%00", "?q=4&after=nonsense", "?zoom=999"])
def test_an_odd_address_shows_a_screen_all_the_same(instructor: Client, survey: Survey, query: str):
    assert instructor.get(screen(survey, query)).status_code == 200


@pytest.mark.parametrize("path", ["", "results.csv", "results.json", "ballots.csv", "ballots.json"])
def test_only_staff_export(survey: Survey, path: str):
    reply = Client().get(f"/admin/surveys/{survey.code}/export/{path}")
    assert reply.status_code == 302
    assert reply["Location"].startswith("/admin/login/")


def test_exports_hold_every_ballot_and_nobodys_name(instructor: Client, voted: Survey):
    def export(name: str) -> str:
        reply = instructor.get(f"/admin/surveys/{voted.code}/export/{name}")
        assert reply.status_code == 200
        assert reply["Content-Disposition"].startswith(f'attachment; filename="{voted.code}-round-1-')
        return b"".join(reply.streaming_content).decode()

    assert "ballots.csv" in text(instructor.get(f"/admin/surveys/{voted.code}/export/"))
    rows = list(csv.reader(io.StringIO(export("ballots.csv"), newline="")))
    assert rows[0][2:] == ["q1", "q1.text", "q2.o1", "q2.o2", "q2.o3", "q3", "q4"]
    assert sorted(row[2:] for row in rows[1:]) == [
        ["o1", "one", "", "", "", "", ""],
        ["o2", "two", "", "", "", "4", "'=1+1"],
        ["o2", "two", "", "", "", "5", SCRIPT],
    ]
    assert export("ballots.csv?bom=1").startswith("\ufeff")
    assert export("ballots.csv?separator=semicolon").startswith("ballot;minute_utc;q1;")
    assert export("ballots.csv?separator=tab").startswith("ballot,minute_utc,q1,")
    ballots = export("ballots.json")
    assert "voter" not in ballots
    assert sorted(ballot["ballot"] for ballot in json.loads(ballots)["ballots"]) == [1, 2, 3]
    assert json.loads(export("results.json"))["voters"] == 3
    assert "q1,Which?,single,o2,two,2,66.7,66.7,3,3," in export("results.csv")


def test_an_empty_export_is_a_whole_file(instructor: Client, make_survey: Callable[..., Survey]):
    empty = make_survey()
    reply = instructor.get(f"/admin/surveys/{empty.code}/export/ballots.json")
    assert json.loads(b"".join(reply.streaming_content))["ballots"] == []
