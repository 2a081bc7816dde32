"""What is final is read strongly where that is possible; where it is not, every page and file says what was given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client

from failover.gateway import Consistency
from polls.ballots.selectors import ballots
from polls.results.selectors import results
from polls.surveys import selectors
from polls.surveys.services import survey_close
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.polls.views.pages import hidden, text, url
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

EAST, WEST = "us-east-1", "us-west-2"
SAID = f"This was read in {WEST}, because the region of first choice did not answer"
ASKED = Consistency.STRONG_ELSE_EVENTUAL.value
STRONG = f"asked={ASKED}, given=strong"
DEGRADED = f"asked={ASKED}, given=eventual"


@pytest.fixture
def instructor() -> Client:
    """A browser that is signed in."""
    browser = Client()
    browser.force_login(User.objects.create_user("instructor", is_staff=True, is_superuser=True))
    return browser


@pytest.fixture
def closed(survey: Survey, browser: Client) -> Survey:
    """A survey with one vote, of this browser, that is closed and whose vote both regions hold and have counted."""
    page = browser.get(url(survey))
    assert browser.post(url(survey), {**hidden(page), "q_q1": "o1"}).status_code == 302
    survey_close(code=survey.code)
    shut = selectors.survey_get(survey.code).value
    for region in (EAST, WEST):
        there = partial(ballots, shut, region=region)
        wait_until(lambda look=there: look().value, within=10, what=f"the vote is in {region}")
    wait_until(lambda: results(shut).value.tally.voters == 1, within=10, what="the vote is counted")
    return shut


@pytest.fixture
def east_is_away(closed: Survey, app: Lab) -> Iterator[Survey]:
    """us-east-1 refuses connections."""
    app.fault(EAST, "refuse")
    wait_until(lambda: results(closed).region == WEST, within=10, what="us-west-2 serves")
    yield closed
    app.fault("--clear")
    wait_until(lambda: results(closed).region == EAST, within=20, what="us-east-1 serves again")


def body(response: HttpResponse) -> str:
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # of a streaming response only


def export(browser: Client, survey: Survey, rest: str = "") -> HttpResponse:
    return browser.get(f"/admin/surveys/{survey.code}/export/{rest}")


def test_the_results_of_an_open_survey_ask_for_nothing_special_and_say_nothing_of_it(
    browser: Client, survey: Survey
) -> None:
    reply = browser.get(url(survey, "results/"))

    assert "X-Consistency" not in reply
    assert browser.get(url(survey, "results.json")).json()["consistency"] == {"asked": "eventual", "given": "eventual"}


def test_where_nothing_is_degraded_nothing_is_said(browser: Client, instructor: Client, closed: Survey) -> None:
    pages = [
        browser.get(url(closed, "results/")),
        browser.get(url(closed)),
        browser.get(url(closed, "present/")),
        export(instructor, closed),
    ]

    assert [SAID in text(page) for page in pages] == [False] * 4
    assert pages[0]["X-Consistency"] == STRONG
    assert export(instructor, closed, "ballots.csv")["X-Consistency"] == STRONG


def test_results_of_a_closed_survey_that_another_region_tells_say_that_votes_may_be_missing(
    browser: Client, east_is_away: Survey
) -> None:
    page = browser.get(url(east_is_away, "results/"))
    assert SAID in text(page)
    assert page["X-Consistency"] == DEGRADED
    assert SAID in text(browser.get(url(east_is_away, "present/")))

    counts = browser.get(url(east_is_away, "results.json"))

    assert counts["X-Consistency"] == DEGRADED
    assert counts.json()["consistency"] == {"asked": ASKED, "given": "eventual"}


def test_a_file_of_ballots_says_how_it_was_read_and_the_page_before_it_warns(
    instructor: Client, east_is_away: Survey
) -> None:
    assert SAID in text(export(instructor, east_is_away))
    for file in ("ballots.csv", "ballots.json", "results.csv", "results.json"):
        assert export(instructor, east_is_away, file)["X-Consistency"] == DEGRADED
    for file in ("ballots.json", "results.json"):
        taken = json.loads(body(export(instructor, east_is_away, file)))
        assert taken["consistency"] == {"asked": ASKED, "given": "eventual"}


def test_the_command_line_warns_beside_what_it_prints(east_is_away: Survey) -> None:
    out, err = StringIO(), StringIO()

    call_command("survey", "export", east_is_away.code, "--ballots", stdout=out, stderr=err)

    assert json.loads(out.getvalue())["consistency"] == {"asked": ASKED, "given": "eventual"}
    assert SAID in err.getvalue()


def test_one_regions_own_replica_is_read_strongly_and_nothing_is_degraded(closed: Survey) -> None:
    read = ballots(closed, region=WEST)

    assert (read.region, read.asked, read.given, read.degraded) == (
        WEST,
        Consistency.STRONG,
        Consistency.STRONG,
        False,
    )


def test_who_comes_back_to_their_vote_by_another_region_is_told_so(browser: Client, survey: Survey, app: Lab) -> None:
    page = browser.get(url(survey))
    browser.post(url(survey), {**hidden(page), "q_q1": "o1"})
    wait_until(lambda: ballots(survey, region=WEST).value, within=10, what="the vote is in us-west-2")
    assert SAID not in text(browser.get(url(survey)))

    app.fault(EAST, "refuse")

    shown = text(browser.get(url(survey)))
    assert "You have voted" in shown
    assert SAID in shown
