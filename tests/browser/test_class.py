"""A class votes in a real browser, also while regions fail: what students and the instructor see."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import assert_accessible, assert_good_in_light_and_dark
from tests.browser.conftest import LAPTOP, OpenPage
from tests.integration.demo import EAST, WEST, Demo

pytestmark = [pytest.mark.browser, pytest.mark.lab]


@pytest.fixture
def broken(demo: Demo) -> Iterator[Demo]:
    """The demo, for a test that breaks a region; mends it afterwards."""
    yield demo
    demo.mend()


def choose_and_send(page: Page, answer: str = "Yes, with AWS") -> None:
    page.get_by_label(answer).check()
    page.get_by_role("button", name=re.compile("^(Send|Change my vote)")).click()


def test_a_student_joins_by_code_votes_and_sees_the_results_on_a_phone(open_page: OpenPage) -> None:
    page = open_page("/")
    assert_good_in_light_and_dark(page)
    page.get_by_label("Join code").fill("demo20")
    page.get_by_role("button", name="Join").click()
    expect(page).to_have_url(re.compile(r"/s/DEMO20/$"))
    assert_good_in_light_and_dark(page)
    choose_and_send(page)
    expect(page).to_have_url(re.compile(r"/s/DEMO20/receipt/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Your vote is recorded")
    expect(page.locator("main")).to_contain_text(EAST)
    assert_good_in_light_and_dark(page)
    page.get_by_role("link", name="See the results").click()
    expect(page.locator("main")).to_contain_text("Yes, with AWS")
    assert_good_in_light_and_dark(page)


def test_without_javascript_a_student_votes_and_changes_the_vote(open_page: OpenPage) -> None:
    page = open_page("/s/DEMO20/", java_script_enabled=False)
    choose_and_send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your vote is recorded")
    page.get_by_role("link", name="Change my vote").click()
    expect(page.get_by_label("Yes, with AWS")).to_be_checked()
    choose_and_send(page, "No, not yet")
    expect(page.get_by_role("heading", level=1)).to_contain_text("changed")


def test_a_forgotten_answer_is_named_on_top_takes_the_focus_and_loses_nothing(open_page: OpenPage) -> None:
    page = open_page("/s/DEMO20/")
    page.get_by_label("DNS", exact=True).check()
    page.get_by_role("button", name=re.compile("^(Send|Change my vote)")).click()
    expect(page).to_have_title(re.compile("^Error:"))
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link").first.click()
    expect(page.get_by_label("No, not yet")).to_be_focused()
    expect(page.get_by_label("DNS", exact=True)).to_be_checked()
    assert_accessible(page)


def test_while_dns_answers_empty_a_vote_goes_through_and_the_receipt_says_how(
    open_page: OpenPage, broken: Demo
) -> None:
    page = open_page("/s/DEMO20/")
    broken.fault(EAST, "dns-empty")
    choose_and_send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your vote is recorded")
    expect(page.locator("main")).to_contain_text(f"{WEST} recorded your vote")
    assert_accessible(page)


def test_when_no_region_answers_the_student_is_told_so_and_the_repeat_counts_once(
    open_page: OpenPage, broken: Demo
) -> None:
    page = open_page("/s/DEMO20/")
    broken.fault(EAST, "refuse")
    broken.fault(WEST, "refuse")
    choose_and_send(page, "Yes, with another cloud")
    expect(page.get_by_text("No region could take your vote")).to_be_visible()
    expect(page.get_by_label("Yes, with another cloud")).to_be_checked()
    assert_accessible(page)
    vote_id = page.locator("input[name=vote_id]").input_value()
    broken.fault("--clear")
    page.get_by_role("button", name=re.compile("Send")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("recorded")
    standing = [ballot for ballot in broken.store().merged if ballot.vote_id == vote_id]
    assert len(standing) == 1


def test_the_instructor_sees_which_region_serves_and_why(open_page: OpenPage, broken: Demo) -> None:
    page = open_page("/admin/failover/", signed_in=True, **LAPTOP)
    expect(page.get_by_role("status")).to_contain_text(f"Serving from {EAST}")
    broken.fault(EAST, "dns-empty")
    expect(page.get_by_role("status")).to_contain_text(f"Serving from {WEST}", timeout=20_000)
    expect(page.get_by_role("status")).to_contain_text("DNS answers empty")
    assert_accessible(page)
    broken.mend()
    expect(page.get_by_role("status")).to_contain_text(f"Serving from {EAST}", timeout=20_000)
