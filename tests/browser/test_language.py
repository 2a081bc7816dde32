"""German by keyboard alone: the switch, a vote, its receipt; and the dashboard."""

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_good
from tests.browser.conftest import LAPTOP, OpenPage
from tests.browser.keyboard import press, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.lab]


def test_a_student_switches_to_german_by_keyboard_votes_and_reads_the_receipt(open_page: OpenPage) -> None:
    page = open_page("/s/DEMO20/", locale="en-GB")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    press(page, "input[type=radio]", "Space")
    press(page, ".languages button[value=de]")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("input[type=radio]").first).to_be_checked()  # the choice is kept
    expect(page.get_by_role("button", name="Deutsch")).to_have_attribute("aria-current", "true")
    assert_good(page)
    tab_to(page, "input[type=radio]")
    press(page, ".submit-bar button")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ihre Stimme ist aufgezeichnet")
    expect(page.locator(".story-ok")).to_contain_text("hat Ihre Stimme aufgezeichnet")
    assert_good(page)


def test_the_switch_works_without_javascript_and_is_remembered(open_page: OpenPage) -> None:
    page = open_page("/", locale="de-DE", java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("An einer Umfrage teilnehmen")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Join a survey")
    page.goto("/s/DEMO20/results/")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_dashboard_in_german_is_accessible_and_its_script_speaks_german(open_page: OpenPage) -> None:
    page = open_page("/admin/failover/", signed_in=True, locale="de-DE", **LAPTOP)
    expect(page.get_by_role("heading", level=1, name="Umschaltung")).to_be_visible()
    expect(page.locator("#panel-sentence")).to_contain_text("bedient seit")
    expect(page.locator("#freshness-text")).to_contain_text("s aktualisiert")
    page.get_by_role("button", name="Anhalten").click()
    expect(page.locator("#freshness-text")).to_contain_text("angehalten, vor")
    page.get_by_role("button", name="Fortsetzen").click()
    assert_good(page)


def test_the_presenter_in_german_counts_live(open_page: OpenPage) -> None:
    page = open_page("/s/DEMO20/present/?q=1", locale="de-DE", **LAPTOP)
    expect(page.locator(".projector-voters")).to_contain_text("Stimme")
    expect(page.get_by_role("button", name="English")).to_be_visible()
    assert_good(page)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page).to_have_url("/s/DEMO20/present/?q=1")
