"""Voting links: each counts once, in any browser, and nobody else votes where only links may."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from polls.ballots import voting_links
from polls.ballots.selectors import ballots
from polls.surveys.services import survey_reset
from polls.surveys.survey import Survey

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


@pytest.fixture
def closed_shop(make_survey: Callable[..., Survey]) -> Survey:
    """Only by link, and votes may be changed."""
    return make_survey(access="link")


def hidden(page: Any) -> dict[str, str]:
    return {
        name: found[1]
        for name in ("token", "vote_id")
        if (found := re.search(rf'name="{name}" value="([^"]+)"', page.content.decode()))
    }


def vote(browser: Client, survey: Survey, token: str, option: str) -> Any:
    page = browser.get(f"/s/{survey.code}/link/{token}/")
    return browser.post(f"/s/{survey.code}/", {**hidden(page), "q_q1": option}, follow=True)


def counted(survey: Survey) -> list[Any]:
    return [cast.answers["q1"] for cast in ballots(survey).value]


def test_a_link_is_a_voter_of_its_survey_only(closed_shop: Survey, survey: Survey):
    token = voting_links.make(closed_shop)
    voter = voting_links.voter(token, closed_shop)
    assert voter is not None
    assert token not in voter
    assert voting_links.voter(token, survey) is None
    assert voting_links.voter(token, replace(closed_shop, born=7)) is None
    assert voting_links.voter(token, replace(closed_shop, round=7)) == voter


@pytest.mark.parametrize("forge", [lambda t: "A" + t[1:], lambda t: t[:-1] + "!", lambda t: t[:-1], lambda t: ""])
def test_a_link_that_we_did_not_make_is_nobody(closed_shop: Survey, forge: Callable[[str], str]):
    made = voting_links.make(closed_shop)
    if not made.startswith("A"):
        assert voting_links.voter(forge(made), closed_shop) is None


def test_the_same_link_in_two_browsers_is_one_vote_and_the_last_one_counts(closed_shop: Survey):
    token = voting_links.make(closed_shop)
    assert "Your vote is recorded" in vote(Client(), closed_shop, token, "o1").content.decode()
    assert "Your vote is changed" in vote(Client(), closed_shop, token, "o2").content.decode()
    vote(Client(), closed_shop, voting_links.make(closed_shop), "o1")
    assert sorted(counted(closed_shop)) == ["o1", "o2"]


def test_where_votes_cannot_be_changed_a_second_browser_is_told_so(make_survey: Callable[..., Survey]):
    survey = make_survey(access="link", allow_change=False)
    token = voting_links.make(survey)
    both = Client(), Client()
    pages = [hidden(browser.get(f"/s/{survey.code}/link/{token}/")) for browser in both]
    replies = [
        browser.post(f"/s/{survey.code}/", {**page, "q_q1": "o1"}) for browser, page in zip(both, pages, strict=True)
    ]
    assert [reply.status_code for reply in replies] == [302, 409]
    assert "You have voted" in Client().get(f"/s/{survey.code}/link/{token}/").content.decode()
    assert counted(survey) == ["o1"]


def test_a_browser_without_cookies_votes_by_link(closed_shop: Survey):
    page = hidden(Client().get(f"/s/{closed_shop.code}/link/{voting_links.make(closed_shop)}/"))
    assert Client().post(f"/s/{closed_shop.code}/", {**page, "q_q1": "o1"}).status_code == 302
    assert counted(closed_shop) == ["o1"]


def test_without_a_link_nobody_votes_where_links_are_asked_for(closed_shop: Survey, survey: Survey):
    student = Client()
    page = student.get(f"/s/{closed_shop.code}/")
    assert "A voting link is needed" in page.content.decode()
    assert "<form" not in page.content.decode().partition("<footer")[0]
    other = hidden(student.get(f"/s/{survey.code}/"))
    assert student.post(f"/s/{closed_shop.code}/", {**other, "q_q1": "o1"}).status_code == 403
    bad = student.get(f"/s/{closed_shop.code}/link/{'A' * 38}/")
    assert bad.status_code == 404
    assert "not valid" in bad.content.decode()
    assert counted(closed_shop) == []


def test_the_api_takes_a_link_as_the_voter(closed_shop: Survey):
    token = voting_links.make(closed_shop)
    address = f"/api/v1/surveys/{closed_shop.code}/ballots"

    def post(voter: str) -> Any:
        body = json.dumps({"voter": voter, "answers": {"q1": "o1"}})
        return Client().post(address, body, content_type="application/json")

    refused = post("somebody-else")
    assert (refused.status_code, refused.json()["reason"]) == (403, "link")
    voter = voting_links.voter(token, closed_shop)
    assert voter is not None
    assert post(voter).status_code == 403
    assert post(token).status_code == 201
    vote(Client(), closed_shop, token, "o2")
    assert counted(closed_shop) == ["o2"]


def test_after_a_reset_a_link_votes_again_also_from_a_page_of_the_round_before(closed_shop: Survey):
    token, browser = voting_links.make(closed_shop), Client()
    vote(browser, closed_shop, token, "o1")
    old_page = hidden(browser.get(f"/s/{closed_shop.code}/"))
    second = survey_reset(code=closed_shop.code)
    reset = browser.post(f"/s/{closed_shop.code}/", {**old_page, "q_q1": "o2"})
    assert reset.status_code == 409
    assert browser.post(f"/s/{closed_shop.code}/", {**hidden(reset), "q_q1": "o2"}).status_code == 302
    vote(Client(), closed_shop, token, "o1")
    assert counted(second) == ["o1"]


@pytest.mark.parametrize(("kind", "content"), [("page", "text/html"), ("csv", "text/csv"), ("text", "text/plain")])
def test_an_instructor_gets_as_many_links_as_asked_for(
    instructor: Client, closed_shop: Survey, kind: str, content: str
):
    address = f"/admin/surveys/{closed_shop.code}/links/"
    reply = instructor.post(address, {"number": "7", "format": kind})
    assert reply["Content-Type"].startswith(content)
    tokens = re.findall(rf"/s/{closed_shop.code}/link/([\w-]+)/", reply.content.decode())
    assert len(set(tokens)) == 7
    assert all(voting_links.voter(token, closed_shop) for token in tokens)
    slips = reply.content.decode().count("data:image/svg+xml")
    assert slips == (7 if kind == "page" else 0)
    for wrong in ("0", "501", "-1", "x", "", "9" * 5000):
        assert instructor.post(address, {"number": wrong, "format": kind}).status_code == 422
