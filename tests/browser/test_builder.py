"""An instructor writes a survey with the keyboard alone, on a phone and on a laptop, with and without JavaScript."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_good
from tests.browser.conftest import LAPTOP, PHONE, OpenPage
from tests.browser.keyboard import press, tab_to, write
from tests.integration.demo import Demo

pytestmark = pytest.mark.browser
DARK = {"color_scheme": "dark"}


@pytest.mark.parametrize(
    "screen",
    [LAPTOP, {**PHONE, **DARK}, {**PHONE, "java_script_enabled": False}],
    ids=["laptop", "phone in the dark", "phone without JavaScript"],
)
def test_a_survey_is_written_moved_and_saved_with_the_keyboard_alone(open_page: OpenPage, screen: dict[str, object]):
    scripted = screen.get("java_script_enabled", True)
    page = open_page("/admin/surveys/new/", signed_in=True, **screen)
    page.keyboard.type("Written with the keyboard")  # the cursor stands in the title
    write(page, "#q0-text", "Which?")
    write(page, "#q0-options", "one")
    press(page, ".save-bar .btn-primary")
    expect(page.locator("#q0-options-error")).to_contain_text("Give 2 to 30 options.")
    if scripted:
        expect(page.get_by_role("alert")).to_be_focused()
        assert_good(page)
    press(page, "#summary a")
    expect(page.locator("#q0-options")).to_be_focused()
    write(page, "#q0-options", "one\ntwo")
    press(page, "#add")
    expect(page.locator("#q1-text")).to_be_focused()
    page.keyboard.type("Why?")
    tab_to(page, "#q1-kind")
    page.keyboard.type("Text")
    expect(page.locator("#q1-kind")).to_have_value("text")
    if scripted:
        expect(page.locator("#q1-options")).to_be_hidden()
        assert_good(page)
    press(page, "button[value=up-1]")
    expect(page.locator("#q0-text")).to_have_value("Why?")
    tab_to(page, "#title", key="Shift+Tab")
    page.keyboard.press("Enter")  # saves, as Enter in a field does
    expect(page.get_by_text(re.compile(r"\w+ is saved"))).to_be_visible()
    if scripted:
        assert_good(page)


def test_the_second_of_two_instructors_sees_both_versions_and_chooses(open_page: OpenPage):
    first = open_page("/admin/surveys/new/", signed_in=True, **LAPTOP)
    second = open_page("/admin/surveys/", signed_in=True, **PHONE, **DARK)
    write(first, "#title", "For two")
    write(first, "#q0-text", "Which?")
    write(first, "#q0-options", "one\ntwo")
    press(first, ".save-bar .btn-primary")
    saved = first.get_by_text(re.compile(r"\w+ is saved"))
    expect(saved).to_be_visible()
    edit = f"/admin/surveys/{saved.inner_text().split()[0]}/edit/"
    for page, title in ((first, "By the first"), (second, "By the second")):
        page.goto(edit)
        write(page, "#title", title)
    press(first, ".save-bar .btn-primary")
    expect(first.get_by_role("status")).to_contain_text("is saved")
    press(second, ".save-bar .btn-primary")
    expect(second.get_by_role("alert")).to_be_focused()
    assert_good(second)
    tab_to(second, "input[name=choice-0]")
    second.keyboard.press("Space")  # theirs
    second.keyboard.press("ArrowDown")
    expect(second.locator("input[value=mine]")).to_be_checked()
    press(second, "button[value=settle]")
    expect(second.get_by_role("heading", name="By the second")).to_be_visible()


def test_more_opens_without_moving_any_button(surveys: Demo, open_page: OpenPage) -> None:
    page = open_page("/admin/surveys/", signed_in=True, **LAPTOP)
    card = page.locator("section", has=page.locator("#survey-WALK22"))
    places = (
        "buttons => buttons.map(button => { const {x, y} = button.getBoundingClientRect(); return [x, y + scrollY]; })"
    )
    before = card.locator("> .survey-row-actions > *").evaluate_all(places)
    card.locator("summary").click()
    expect(card.get_by_role("link", name="Voting links")).to_be_visible()
    assert card.locator("> .survey-row-actions > *").evaluate_all(places) == before
    card.get_by_role("link", name="Voting links").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Voting links")
