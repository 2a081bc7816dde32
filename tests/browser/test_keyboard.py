"""By keyboard alone: joining, exports, two versions, hidden texts, reset, archive, delete, and the failover toggle.

For the ballot and the language see test_language, for the builder test_builder.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LAPTOP, PHONE, OpenPage
from tests.browser.keyboard import assert_focus_is_seen, press, tab_to, write
from tests.integration.demo import EAST, WEST, Demo

pytestmark = [pytest.mark.browser, pytest.mark.lab]
EXPORTS = [
    f"{what}.{kind}?round=1{more}"
    for what in ("results", "ballots")
    for kind, more in (("csv", ""), ("csv", "&bom=1"), ("json", ""))
]


def slip(page: Page, field: str, wrong: str, *, error: str) -> None:
    """Sends a mistake in a field, which then shows `error` and has the focus; selects its text."""
    write(page, field, wrong)
    page.keyboard.press("Enter")
    expect(page.locator(f"{field}-error")).to_contain_text(error)
    expect(page.locator(field)).to_be_focused()
    assert_focus_is_seen(page, "the field with the mistake")
    page.keyboard.press("Control+A")


@pytest.mark.parametrize("screen", [PHONE, {**LAPTOP, "color_scheme": "dark"}], ids=["phone", "laptop in the dark"])
def test_a_student_joins_by_code_after_a_slip(open_page: OpenPage, screen: dict[str, object]) -> None:
    page = open_page("/", **screen)
    page.keyboard.press("Tab")
    assert_focus_is_seen(page, "the skip link")
    page.keyboard.press("Enter")
    slip(page, "#code", "no", error="4 to 12 letters")
    page.keyboard.type("demo20")
    tab_to(page, ".join-form button")
    tab_to(page, "#code", key="Shift+Tab")
    press(page, ".join-form button", "Space")
    expect(page).to_have_url(re.compile(r"/s/DEMO20/$"))


def test_exports_begin_to_download(surveys: Demo, open_page: OpenPage) -> None:
    page = open_page("/admin/surveys/WALK22/export/", signed_in=True, **LAPTOP)
    for address in EXPORTS:
        what, _question, _rest = address.partition("?")
        kind, _dot, ending = what.partition(".")
        with page.expect_download() as download:
            press(page, f"a[href$='/export/{address}']")
        assert re.fullmatch(rf"WALK22-round-1-{kind}-\d{{4}}-\d\d-\d\d\.{ending}", download.value.suggested_filename)
        assert download.value.path().stat().st_size > 100
    press(page, "a[href$='/s/WALK22/results/']")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Which database")


def test_two_versions_are_settled(surveys: Demo, open_page: OpenPage) -> None:
    page = open_page("/admin/surveys/KEYED3/edit/", signed_in=True, **PHONE)
    press(page, "a[href$='/KEYED3/versions/']")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Versions of")
    press(page, ".surveys button[type=submit]")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Choose one version for every part.")
    for place, group in enumerate(page.locator("fieldset.conflict").all()):
        tab_to(page, f"input[name=choice-{place}]")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
        assert_focus_is_seen(page, "the second version")
        expect(group.locator("input").nth(1)).to_be_checked()
    chosen = page.locator(".version:has(:checked) li").first.inner_text()
    press(page, ".surveys button[type=submit]")
    expect(page.get_by_role("status")).to_contain_text("KEYED3 is saved, as you chose.")
    expect(page.locator("#survey-KEYED3")).to_have_text(chosen)


def test_texts_are_hidden_one_after_the_other_and_shown_again(surveys: Demo, open_page: OpenPage) -> None:
    page = open_page("/s/WALK22/present/?q=4", signed_in=True, **LAPTOP)
    texts = page.locator(".stage-texts .text-words")
    before = texts.all_inner_texts()
    assert len(before) > 2
    press(page, ".stage-texts button")
    expect(texts.first).to_have_text(before[1])
    expect(page.locator(".stage-texts button").first).to_be_focused()  # the next one is one press away
    assert_focus_is_seen(page, "the next text's button")
    page.keyboard.press("Enter")
    expect(texts.first).to_have_text(before[2])
    page.goto("/s/WALK22/results/")
    shown = page.locator(".text-list button[value=show-text]")
    expect(shown).to_have_count(2)
    for remaining in (1, 0):
        press(page, ".text-list button[value=show-text]", "Space")
        expect(shown).to_have_count(remaining)


def opened(page: Page, code: str) -> None:
    """Opens the menu with more buttons of a survey in the list."""
    press(page, f"section[aria-labelledby=survey-{code}] summary")
    expect(page.locator(f"a[href$='/{code}/reset/']")).to_be_visible()


def confirmed(page: Page, code: str) -> None:
    """Types the code as confirmation, wrongly at first."""
    slip(page, "#confirm", "nothing", error="nothing was changed")
    page.keyboard.type(code.lower())
    press(page, ".btn-danger")


def test_a_survey_is_reset_archived_and_deleted(surveys: Demo, open_page: OpenPage) -> None:
    page = open_page("/admin/surveys/", signed_in=True, **PHONE)
    opened(page, "KEYED2")
    press(page, "a[href$='/KEYED2/reset/']")
    confirmed(page, "KEYED2")
    expect(page.get_by_role("status")).to_contain_text("KEYED2 was reset; it is in round 2.")
    opened(page, "KEYED2")
    press(page, "form[action$='/KEYED2/archive/'] button")
    expect(page.get_by_role("status")).to_contain_text("KEYED2 is closed and in the archive.")
    press(page, "a[href$='?shelf=archived']")
    opened(page, "KEYED2")
    press(page, "a[href$='/KEYED2/delete/']")
    confirmed(page, "KEYED2")
    expect(page.get_by_role("status")).to_contain_text("KEYED2 is deleted.")
    expect(page.locator("#survey-KEYED2")).to_have_count(0)


def choose(page: Page, name: str, value: str) -> None:
    """Chooses a radio button of a group with the arrow keys."""
    tab_to(page, f"input[name={name}]")
    wanted = page.locator(f"input[name={name}][value={value}]")
    for _press in range(4):
        if wanted.is_checked():
            break
        page.keyboard.press("ArrowDown")
    expect(wanted).to_be_checked()
    assert_focus_is_seen(page, value)


def test_traffic_is_pinned_and_unpinned(demo: Demo, open_page: OpenPage) -> None:
    page = open_page("/admin/failover/", signed_in=True, **LAPTOP)
    says = page.get_by_role("status")
    try:
        choose(page, "mode", "pinned")
        choose(page, "region", WEST)
        write(page, "input[name=reason]", "by keyboard")
        page.keyboard.press("Enter")
        expect(page.locator("input[name=confirm]")).to_be_focused()  # the missing field has the cursor
        assert_focus_is_seen(page, "the field with the mistake")
        page.keyboard.type(WEST)
        press(page, ".toggle button")
        expect(says).to_contain_text("pinned by instructor", timeout=20_000)
        expect(says).to_contain_text(f"Serving from {WEST}", timeout=20_000)
        choose(page, "mode", "auto")
        write(page, "input[name=reason]", "over")
        press(page, ".toggle button")
        expect(says).to_contain_text(f"Serving from {EAST}", timeout=30_000)
    finally:
        demo.mend()
