"""Who a ballot belongs to: one browser is one voter in a round, a voting link is one in any browser, and nobody is
somebody else.
"""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from failover import gateway
from failover.core.fakes import FakeClock
from polls.ballots import browsers, voters, voting_links
from polls.ballots.services import vote_id_of
from polls.ballots.tokens import PageToken, Vote
from polls.ballots.vote_ids import mint, time_ms
from polls.surveys.definitions import Definition
from polls.surveys.survey import State, Survey

NOW_MS = 1_800_000_000_000
SURVEY = Survey("VOTERS", Definition("t", ()), State.OPEN, 3, 64, 2_000_000_000, born=2)
OTHER = replace(SURVEY, code="OTHERS")


@pytest.fixture
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is NOW_MS."""
    monkeypatch.setattr(gateway, "clock", FakeClock(wall=NOW_MS / 1000))


def page_of(browser: browsers.Browser, survey: Survey = SURVEY) -> PageToken:
    voter = voters.of_page(survey, browser)
    return PageToken.make(survey.code, survey.round, voter.name, link=voter.link, last=voter.known)


def vote(number: int, digest: str = "d") -> Vote:
    return Vote(mint(NOW_MS + number, number), digest)


def test_a_browser_is_one_voter_in_a_round_and_nobody_can_tell_that_it_is_one_in_another():
    browser = browsers.new()
    names = {
        browser.voter(SURVEY),
        browser.voter(replace(SURVEY, round=4)),
        browser.voter(OTHER),
        browsers.new().voter(SURVEY),
    }
    assert len(names) == 4
    changed = replace(SURVEY, definition=Definition("changed", ()), switch=State.CLOSED)
    assert browser.voter(changed) == browser.voter(SURVEY)
    assert all(len(name) == 22 and name.replace("-", "").replace("_", "").isalnum() for name in names)
    assert not any(browser.id in name for name in names)


def test_another_key_makes_other_voters_of_the_same_browser(settings: Any):
    browser = browsers.new()
    name = browser.voter(SURVEY)
    settings.SECRET_KEY = "another key of fifty characters, as long as they have to be"
    assert browser.voter(SURVEY) != name
    assert browsers.loads(browser.dumps()) == browser


def test_two_pages_that_were_made_before_any_cookie_are_one_voter_by_the_cookie():
    first, second = browsers.new(), browsers.new()
    names = {voters.of_ballot(SURVEY, page_of(browser), second).name for browser in (first, second)}
    assert names == {second.voter(SURVEY)}


def test_without_a_cookie_the_page_names_the_voter_and_without_both_it_is_nobody_known():
    browser = browsers.new()
    assert voters.of_ballot(SURVEY, page_of(browser), None).name == browser.voter(SURVEY)
    assert voters.of_ballot(SURVEY, None, browser).name == browser.voter(SURVEY)
    strangers = {voters.of_ballot(SURVEY, None, None).name for _ in range(10)}
    assert len(strangers) == 10


def test_a_page_that_another_stack_made_names_its_voter_whichever_cookie_is_here():
    there, here = browsers.new(), browsers.new()
    foreign = replace(page_of(there), issuer="elsewhere")
    assert voters.of_ballot(SURVEY, foreign, here).name == there.voter(SURVEY)
    assert voters.of_ballot(SURVEY, foreign, None).name == there.voter(SURVEY)
    # That browser stays this voter here, so that the next page in this stack is no second vote.
    voted = here.voted(SURVEY, there.voter(SURVEY), vote(1), link="")
    assert voted.voter(SURVEY) == there.voter(SURVEY)
    assert voted.voter(replace(SURVEY, round=4)) == here.voter(replace(SURVEY, round=4))


def test_a_page_of_an_earlier_round_names_nobody_any_more():
    there, here, later = browsers.new(), browsers.new(), replace(SURVEY, round=4)
    for page in (page_of(there), replace(page_of(there), issuer="elsewhere")):
        assert voters.of_ballot(later, page, here).name == here.voter(later)
        assert voters.of_ballot(later, page, None).name not in (there.voter(SURVEY), there.voter(later))


@pytest.mark.parametrize("issuer", ["", "elsewhere"])
def test_a_voting_link_names_its_voter_before_everything_else_and_in_every_round(issuer: str):
    link, browser = voting_links.make(SURVEY), browsers.new()
    name = voting_links.voter(link, SURVEY)
    page = PageToken(SURVEY.code, SURVEY.round, "whoever", issuer, link)
    for survey, cookie in itertools.product((SURVEY, replace(SURVEY, round=4)), (None, browser)):
        voter = voters.of_ballot(survey, page, cookie)
        assert (voter.name, voter.link) == (name, link)
    reborn = replace(SURVEY, round=9, born=9)
    assert voters.of_ballot(reborn, page, browser).name == browser.voter(reborn)
    assert voters.of_ballot(reborn, page, browser).link == ""


def test_two_links_in_one_browser_are_two_voters_and_the_last_one_stays():
    first, second = voting_links.make(SURVEY), voting_links.make(SURVEY)
    browser = browsers.new()
    pages = [PageToken.make(SURVEY.code, SURVEY.round, "x", link=link) for link in (first, second)]
    names = [voters.of_ballot(SURVEY, page, browser).name for page in pages]
    assert names == [voting_links.voter(first, SURVEY), voting_links.voter(second, SURVEY)]
    voted = browser.voted(SURVEY, names[0], vote(1), link=first).voted(SURVEY, names[1], vote(2), link=second)
    assert [voters.of_ballot(SURVEY, page, voted).name for page in pages] == names
    assert voters.of_page(SURVEY, voted).name == names[1]
    assert voted.voter(OTHER) == browser.voter(OTHER)


def test_the_cookie_stays_small_whatever_the_number_of_surveys():
    browser, sizes = browsers.new(), set()
    for number in range(200):
        survey = replace(SURVEY, code=f"TERM{number:08}", round=99_999)
        link = voting_links.make(survey)
        name = voting_links.voter(link, survey)
        assert name is not None
        browser = browser.voted(survey, name, Vote(mint(NOW_MS + number, 1), "0123456789abcdef"), link=link)
        sizes.add(len(browser.dumps()))
        assert browsers.loads(browser.dumps()) == browser
    assert max(sizes) <= 230
    assert len(sizes) == 1


@pytest.mark.parametrize("text", ["", ":", "a:b", "a.b.c:d", "\x00", "x" * 100_000, "...:" + "A" * 43, "ü:ü"])
def test_a_cookie_that_we_did_not_sign_is_nobody(text: str):
    request = RequestFactory().get("/")
    request.COOKIES[settings.VOTER_COOKIE_NAME] = text
    assert browsers.of(request) is None


def test_a_cookie_is_not_a_page_token_nor_the_other_way_round():
    browser = browsers.new()
    assert browsers.loads(page_of(browser).dumps()) is None
    forged = browser.dumps().replace(browser.id, browsers.new().id)
    assert browsers.loads(forged) is None


@pytest.mark.usefixtures("_now")
def test_a_repeat_keeps_its_name_and_whatever_else_is_sent_from_an_old_page_comes_after_the_last_vote():
    voted = browsers.new().voted(SURVEY, browsers.new().voter(SURVEY), vote(5, "said"), link="")
    voter = voters.of_page(SURVEY, voted)
    last = vote(5).id
    assert vote_id_of(last, voter, "said") == last
    for posted, digest in ((last, "other"), (vote(1).id, "said"), (None, "said"), ("", "said")):
        assert vote_id_of(posted or None, voter, digest) > last


@pytest.mark.usefixtures("_now")
def test_a_page_that_is_older_than_a_vote_in_another_survey_names_its_vote_above_it_and_the_same_each_time():
    old_page = vote(0).id
    browser = browsers.new().voted(OTHER, "v" * 22, vote(9), link="")
    voter = voters.of_page(SURVEY, browser)
    first, again = vote_id_of(old_page, voter, "d"), vote_id_of(old_page, voter, "d")
    assert first == again > vote(9).id
    assert time_ms(first) == NOW_MS + 10


@given(st.lists(st.tuples(st.integers(-60_000, 60_000), st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_whatever_the_hosts_clocks_say_a_new_vote_is_above_the_browsers_last_in_every_survey(
    moves: list[tuple[int, bool, bool]],
):
    browser, last = browsers.new(), ""
    for skew_ms, elsewhere, has_cookie in moves:
        survey = OTHER if elsewhere else SURVEY
        page = page_of(browser, survey)
        voter = voters.of_ballot(survey, page, browser if has_cookie or page.last is None else None)
        posted = mint(NOW_MS + skew_ms, 7, voter.floor or None)
        assert posted > voter.floor
        if has_cookie:
            assert voter.floor == last
        browser = browser.voted(survey, voter.name, Vote(posted, "d"), link="")
        assert browser.last is not None
        last = browser.last.vote.id


def test_a_vote_that_is_below_the_browsers_last_one_does_not_lower_it():
    browser = browsers.new().voted(OTHER, "v" * 22, vote(9), link="")
    assert browser.voted(SURVEY, "w" * 22, vote(3), link="").last == browser.last
