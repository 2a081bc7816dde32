"""An instructor writes a survey with the keyboard alone, on a phone and on a laptop, with and without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LAPTOP, PASSWORD, PHONE, OpenPage, assert_accessible, assert_no_sideways_scrolling

pytestmark = pytest.mark.browser
DARK = {"color_scheme": "dark"}


def signed_in(open_page: OpenPage, **options: object) -> Page:
    page = open_page("/admin/", **options)
    page.fill("#id_username", "instructor")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Surveys").first).to_be_visible()
    return page


def pressed(page: Page, selector: str) -> None:
    page.focus(selector)
    page.keyboard.press("Enter")


def good(page: Page) -> None:
    assert_accessible(page)
    assert_no_sideways_scrolling(page)


@pytest.mark.parametrize(
    "screen",
    [LAPTOP, {**PHONE, **DARK}, {**PHONE, "java_script_enabled": False}],
    ids=["laptop", "phone in the dark", "phone without JavaScript"],
)
def test_a_survey_is_written_moved_and_saved_with_the_keyboard_alone(open_page: OpenPage, screen: dict[str, object]):
    scripted = screen.get("java_script_enabled", True)
    page = signed_in(open_page, **screen)
    page.goto("/admin/surveys/new/")
    page.fill("#title", "Written with the keyboard")
    page.fill("#q0-text", "Which?")
    page.fill("#q0-options", "one\ntwo")
    pressed(page, "button[value=add]")
    expect(page.locator("#q1-text")).to_be_focused()
    page.keyboard.type("Why?")
    page.select_option("#q1-kind", "text")
    if scripted:
        expect(page.locator("#q1-options")).to_be_hidden()
        good(page)
    pressed(page, "button[value=up-1]")
    expect(page.locator("#q0-text")).to_have_value("Why?")
    page.focus("#title")
    page.keyboard.press("Enter")  # saves, as Enter in a field does
    expect(page.get_by_text(re.compile(r"\w+ is saved\."))).to_be_visible()
    if scripted:
        good(page)


def test_the_second_of_two_instructors_sees_both_versions_and_chooses(open_page: OpenPage):
    first, second = signed_in(open_page, **LAPTOP), signed_in(open_page, **{**PHONE, **DARK})
    first.goto("/admin/surveys/new/")
    first.fill("#title", "For two")
    first.fill("#q0-text", "Which?")
    first.fill("#q0-options", "one\ntwo")
    pressed(first, ".save-bar button")
    saved = first.get_by_text(re.compile(r"\w+ is saved\."))
    expect(saved).to_be_visible()
    edit = f"/admin/surveys/{saved.inner_text().split()[0]}/edit/"
    for page, title in ((first, "By the first"), (second, "By the second")):
        page.goto(edit)
        page.fill("#title", title)
    pressed(first, ".save-bar button")
    expect(first.get_by_role("status")).to_contain_text("is saved")
    pressed(second, ".save-bar button")
    expect(second.get_by_role("alert")).to_be_focused()
    good(second)
    second.focus("input[value=mine]")
    second.keyboard.press("Space")
    pressed(second, "button[value=settle]")
    expect(second.get_by_role("heading", name="By the second")).to_be_visible()
