"""The projector's view and hidden results, as a browser without JavaScript sees them."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import Client

from failover import gateway
from polls.surveys.services import survey_reset
from polls.surveys.survey import Survey
from tests.polls.views.pages import text
from tests.polls.views.projector import cast, counted, current, screen

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


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


def test_without_the_accounts_an_instructor_sees_what_students_see(instructor: Client, voted: Survey):
    instructor.post(screen(voted), {"action": "hide"})
    with connection.execute_wrapper(_broken):
        page = text(instructor.get(f"/s/{voted.code}/results/"))
    assert "The results are hidden" in page
    assert "67 %" not in page


def _broken(*_query: object) -> object:
    raise DatabaseError("disk I/O error")


@pytest.mark.parametrize("query", ["?q=99", "?q=-1&zoom=x", "?q=4&after=0-%00", "?q=4&after=nonsense", "?zoom=999"])
def test_an_odd_address_shows_a_screen_all_the_same(instructor: Client, survey: Survey, query: str):
    assert instructor.get(screen(survey, query)).status_code == 200
