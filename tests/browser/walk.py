"""Every page of the survey as a list of stations: the address, the actions of a person there, and the text to see."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.browser.surveys import LONG

A4 = {"width": 718, "height": 1047}  # CSS pixels within the margins
MARGIN = dict.fromkeys(("top", "right", "bottom", "left"), "10mm")
# Returns a line for each mistake in a page that is printed without its background colours.
ON_PAPER = """() => {
  const wrong = [];
  const shown = [...document.querySelectorAll("body, body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1;
  });
  const light = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
    return alpha === 0 ? null : (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  };
  const name = (element) => element.outerHTML.slice(0, 120);
  for (const element of shown) {
    const style = getComputedStyle(element);
    if (element.matches("a, button, input, select, textarea, summary, nav, [tabindex='0']")) {
      wrong.push(`a control: ${name(element)}`);
    }
    const ground = light(style.backgroundColor);
    if (ground !== null && ground < 0.8) wrong.push(`dark ground ${style.backgroundColor}: ${name(element)}`);
    if (light(style.color) > 0.5) wrong.push(`pale text ${style.color}: ${name(element)}`);
    if (element.matches(".bar, .text-list > li, .links li") && style.breakInside !== "avoid") {
      wrong.push(`may be cut: ${name(element)}`);
    }
    const borders = [element.offsetWidth - element.clientWidth, element.offsetHeight - element.clientHeight];
    if (element.matches(".bar") && Math.min(...borders) < 2) {
      wrong.push(`a bar without a border: ${name(element)}`);
    }
  }
  for (const bar of document.querySelectorAll(".bar")) {
    const part = bar.querySelector("rect");
    const percent = parseFloat(bar.querySelector(".bar-value").textContent);
    const drawn = 100 * part.getBoundingClientRect().width / bar.clientWidth;
    if (Math.abs(drawn - percent) > 1.5) wrong.push(`a bar of ${drawn} % for ${percent} %: ${name(bar)}`);
    const line = getComputedStyle(part);
    if (line.stroke === "none" || light(line.stroke) > 0.5) wrong.push(`a part without a line: ${name(bar)}`);
  }
  return wrong;
}"""


@dataclass(frozen=True)
class Station:
    """A state of a page. `arrive` does what leads there from the address.

    `hostile`: a page that another station has already, with texts that try to run a script.
    """

    name: str
    path: str
    seen: str
    arrive: Callable[[Page], None] = lambda _page: None
    hostile: bool = False


def student() -> Iterator[Station]:
    """The pages of a student, in the order of a lesson."""
    yield Station("join", "/", "Join a survey")
    yield Station("join-mistake", "/?code=no", "A code has 4 to 12")
    yield Station("join-unknown", "/?code=nosuch", "No survey has the code")
    yield Station("vote", "/s/WALK22/", "Which database would you take on call?")
    yield Station("vote-error", "/s/WALK22/", "There is a problem", send)
    yield Station("vote-sent-in-vain", "/s/WALK22/", "Your vote was not sent yet", sent_in_vain)
    yield Station("receipt", "/s/WALK22/", "Your vote is recorded", voted)
    yield Station("change", "/s/WALK22/", "You have voted")
    yield Station("results", "/s/WALK22/results/", "voters")
    yield Station("results-data", "/s/WALK22/results/", "of answers", open_data)
    yield Station("results-empty", "/s/EMPTY2/results/", "No votes yet")
    yield Station("results-hidden", "/s/HIDE22/results/", "The results are hidden")
    yield Station("results-many", "/s/MANY22/results/", "Question number 50")
    yield Station("closed", "/s/SHUT22/", "This survey is closed")
    yield Station("results-closed", "/s/SHUT22/results/", "Voting is closed.")
    yield Station("no-receipt", "/s/EMPTY2/receipt/", "This browser has not voted")
    yield Station("needs-link", "/s/LINK22/", "A voting link is needed")
    yield Station("bad-link", "/s/LINK22/link/nothing/", "not valid")
    yield Station("not-open-yet", "/s/LATER2/", "not open yet")
    yield Station("gone", "/s/GONE22/", "This survey was deleted")
    yield Station("not-found", "/s/NOSUCH/", "There is nothing here")
    yield Station("present-public", "/s/WALK22/present/?q=1", "Sign in to control")


def instructor() -> Iterator[Station]:
    """The pages of an instructor who is signed in."""
    yield Station("admin", "/admin/", "For instructors")
    yield Station("list", "/admin/surveys/", "WALK22")
    yield Station("list-more", "/admin/surveys/", "Export results", open_more)
    yield Station("builder-new", "/admin/surveys/new/", "New survey")
    yield Station("builder-error", "/admin/surveys/new/", "There is a problem", save)
    yield Station("builder-sent-in-vain", "/admin/surveys/new/", "Everything you typed is still here", saved_in_vain)
    yield Station("builder-signed-out", "/admin/surveys/new/", "Sign in to go on", saved_signed_out)
    yield Station("begin-anew", "/admin/surveys/WALK22/reset/", "Nothing was changed", reset_in_vain)
    yield Station("builder-edit", "/admin/surveys/WALK22/edit/", "Edit “Which database")
    yield Station("builder-breaks", "/admin/surveys/WALK22/edit/", "does not fit the votes", remove_and_save)
    yield Station("builder-many", "/admin/surveys/MANY22/edit/", "As many questions as there may be")
    yield Station("conflict", "/admin/surveys/EMPTY2/edit/", "Somebody else changed the same parts", conflict)
    yield Station("versions", "/admin/surveys/SPLIT2/versions/", "The version from")
    yield Station("versions-notice", "/admin/surveys/SPLIT2/edit/", "See both versions")
    yield Station("versions-refused", "/admin/surveys/SPLIT2/edit/", "this part has several versions", retitle)
    yield Station("preview", "/admin/surveys/WALK22/preview/", "Nothing can be sent from here")
    yield Station("links", "/admin/surveys/LINK22/links/", "How many links")
    yield Station("links-made", "/admin/surveys/LINK22/links/", "Print or copy them now", make_links)
    yield Station("reset", "/admin/surveys/WALK22/reset/", "Type WALK22 to confirm")
    yield Station("delete-mistake", "/admin/surveys/WALK22/delete/", "nothing was changed", delete)
    yield Station("export", "/admin/surveys/WALK22/export/", "Ballots as CSV")
    yield Station("results-instructor", "/s/WALK22/results/", "Only instructors see this list")
    yield Station("present-join", "/s/WALK22/present/", "Join and vote")
    for number in range(1, 5):
        yield Station(f"present-{number}", f"/s/WALK22/present/?q={number}", f"{number}/4")
    yield Station("present-hidden", "/s/HIDE22/present/?q=1", "results hidden")
    yield Station("present-closed", "/s/SHUT22/present/", "Voting is closed.")
    yield Station("present-empty", "/s/EMPTY2/present/?q=1", "No texts yet")
    yield Station("present-many", "/s/MANY22/present/?q=50", "Option 30 of question 50")
    yield Station("present-keys", "/s/WALK22/present/?q=2", "Use these keys", open_keys)
    for name, path in (
        ("builder", "/admin/surveys/HACK22/edit/"),
        ("preview", "/admin/surveys/HACK22/preview/"),
        ("export", "/admin/surveys/HACK22/export/"),
        ("delete", "/admin/surveys/HACK22/delete/"),
        ("links", "/admin/surveys/HACK22/links/"),
        ("results", "/s/HACK22/results/"),
        ("present", "/s/HACK22/present/?q=1"),
        ("present-rating", "/s/HACK22/present/?q=2"),
        ("present-text", "/s/HACK22/present/?q=3"),
        ("vote", "/s/HACK22/"),
    ):
        yield Station(f"hostile-{name}", path, "<script>window.hacked", hostile=True)


def send(page: Page) -> None:
    page.locator(".submit-bar button").press("Enter")


def voted(page: Page) -> None:
    page.get_by_label("Yes, and it failed over").press("Space")
    page.get_by_label("9", exact=True).press("Space")
    page.get_by_label(LONG).press("Space")
    page.locator("textarea").press_sequentially("Nothing, it is the weekend")
    send(page)


def out_of_date(page: Page) -> None:
    """Invalidates the page's tokens, as a sign-in or sign-out in another tab does."""
    page.evaluate("document.querySelectorAll('[name=csrfmiddlewaretoken]').forEach(field => field.value = 'old')")


def sent_in_vain(page: Page) -> None:
    out_of_date(page)
    send(page)


def saved_in_vain(page: Page) -> None:
    out_of_date(page)
    save(page)


def saved_signed_out(page: Page) -> None:
    cookies = page.context.cookies()
    page.context.clear_cookies(name=re.compile("^sessionid_"))
    save(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to go on")
    page.context.add_cookies(cookies)  # for the stations that follow


def reset_in_vain(page: Page) -> None:
    out_of_date(page)
    page.locator("[name=confirm]").press("Enter")


def open_data(page: Page) -> None:
    page.locator("summary").first.press("Enter")


def open_more(page: Page) -> None:
    page.locator("#survey-WALK22").locator("xpath=ancestor::section").locator("summary").press("Enter")


def save(page: Page) -> None:
    page.locator(".save-bar .btn-primary").press("Enter")


def remove_and_save(page: Page) -> None:
    page.locator("button[value=remove-1]").press("Enter")
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    save(page)


def retitle(page: Page) -> None:
    page.fill("#title", "Mine")
    save(page)


def conflict(page: Page) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    other.fill("#title", "Theirs")
    save(other)
    expect(other.get_by_role("status").first).to_contain_text("is saved")
    other.close()
    retitle(page)


def make_links(page: Page) -> None:
    page.fill("#number", "3")
    page.locator("button[value=page]").press("Enter")


def delete(page: Page) -> None:
    page.locator(".btn-danger").press("Enter")


def open_keys(page: Page) -> None:
    page.keyboard.press("?")
