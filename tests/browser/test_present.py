"""An instructor presents in a real browser: keys, reveal, hidden and hostile texts, and a table that stays open."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import assert_accessible, assert_good, assert_stays_good, show_on
from tests.browser.conftest import LAPTOP, PHONE, OpenPage
from tests.integration.demo import PHONES, Demo

pytestmark = [pytest.mark.browser, pytest.mark.lab]
HALL = {"viewport": {"width": 1920, "height": 1080}}
CODE = "SHOWN2"
LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
HACK = "<script>window.hacked = 1</script>"
TWELVE = [f"Option {number}" for number in range(1, 12)] + [LONG]

SURVEY = {
    "title": HACK,
    "code": CODE,
    "questions": [
        {"text": "<img src=x onerror='window.hacked = 1'>", "kind": "single", "options": ["<b>one</b>", "two"]},
        {"text": "Twelve?", "kind": "multiple", "required": False, "options": TWELVE},
        {"text": "Why?", "kind": "text", "required": False},
    ],
}


@pytest.fixture(scope="module")
def shown(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo with a survey in which every text is hostile, and two ballots."""
    path: Path = tmp_path_factory.mktemp("survey") / "survey.json"
    path.write_text(json.dumps(SURVEY))
    demo.output_of("survey", "import", str(path))
    vote(demo, "voter-one", HACK)
    vote(demo, "voter-two", "W" * 300)
    return demo


def vote(demo: Demo, voter: str, text: str) -> None:
    body = {"voter": voter, "answers": {"q1": "o1", "q2": ["o12"], "q3": text}}
    reply = PHONES.post(f"{demo.url}/api/v1/surveys/{CODE}/ballots", json=body)
    assert reply.status_code == 201, reply.text


@pytest.fixture
def presenter(shown: Demo, open_page: OpenPage) -> Page:
    """The instructor's browser, at the join screen."""
    page = open_page(f"/s/{CODE}/present/", signed_in=True, **LAPTOP)
    expect(page.get_by_role("heading", level=1)).to_have_text("Join and vote")
    expect(page.get_by_role("button", name="Keys")).to_be_visible()  # its script runs: from here on keys work
    return page


def test_every_screen_is_accessible_and_no_wider_than_the_wall(shown: Demo, open_page: OpenPage) -> None:
    page = open_page(f"/s/{CODE}/present/", color_scheme="light", **LAPTOP)
    for address in (*(f"/s/{CODE}/present/?q={question}" for question in range(4)), f"/s/{CODE}/results/"):
        show_on(page, LAPTOP, "light")
        page.goto(address)
        expect(page.locator("h1")).to_be_visible()
        assert_good(page)
        assert_stays_good(page, PHONE, "light")
        assert_stays_good(page, LAPTOP, "dark")
        assert_stays_good(page, HALL, "dark")
        assert page.evaluate("window.hacked === undefined")


def test_the_back_row_can_read_it(shown: Demo, open_page: OpenPage) -> None:
    page = open_page(f"/s/{CODE}/present/", **LAPTOP)

    def sizes(selector: str) -> list[float]:
        script = "elements => elements.map(element => parseFloat(getComputedStyle(element).fontSize))"
        return page.locator(selector).evaluate_all(script)

    assert min(sizes(".join-code")) >= 64
    for question in (1, 2):
        page.goto(f"/s/{CODE}/present/?q={question}")
        assert min(sizes("#stage h1, .stage-text, .stage-value, .stage-letter, .projector-facts p")) >= 24
        assert min(sizes("#stage .figure")) >= 64


@pytest.fixture(scope="module")
def second_round(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A survey in its second round, with a vote: its bar has every button, and its longest question takes two lines."""
    survey = {
        "title": "Ratings",
        "code": "RATE22",
        "questions": [
            {
                "text": "How sure are you that your application would survive the loss of a region?",
                "kind": "rating",
                "labels": ["Not at all", "I would bet on it"],
            },
            {"text": "Six?", "kind": "single", "options": ["Yes", "No", "Maybe", "Later", "Never", "Who knows"]},
        ],
    }
    path: Path = tmp_path_factory.mktemp("rating") / "survey.json"
    path.write_text(json.dumps(survey))
    demo.output_of("survey", "import", str(path))
    demo.output_of("survey", "reset", "RATE22")
    body = {"voter": "voter-one", "answers": {"q1": 4, "q2": "o1"}}
    assert PHONES.post(f"{demo.url}/api/v1/surveys/RATE22/ballots", json=body).status_code == 201
    return "RATE22"


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_on_a_laptop_every_answer_stands_above_the_bar_which_is_one_row(
    second_round: str, open_page: OpenPage, locale: str
) -> None:
    page = open_page(f"/s/{second_round}/present/?q=1", signed_in=True, locale=locale, **LAPTOP)
    for question in (1, 2):
        page.goto(f"/s/{second_round}/present/?q={question}")
        expect(page.locator(".stage-value", has_text="100 %")).to_be_visible()
        expect(page.locator("#full-screen")).to_be_visible()
        bar, last = page.locator(".projector-bar").bounding_box(), page.locator(".stage-bar").last.bounding_box()
        assert bar is not None
        assert last is not None
        assert last["y"] + last["height"] <= bar["y"]
        tops = "buttons => new Set(buttons.map(button => Math.round(button.getBoundingClientRect().top))).size"
        assert page.locator(".projector-bar .btn:visible").evaluate_all(tops) == 1


def test_the_results_that_the_presenter_opens_have_no_texts_and_a_link_back(shown: Demo, presenter: Page) -> None:
    presenter.get_by_role("link", name="All results").click()
    expect(presenter.get_by_role("heading", level=1)).to_be_visible()
    expect(presenter.locator(".text-words")).to_have_count(0)
    expect(presenter.get_by_text("Only instructors see this list")).to_have_count(0)
    presenter.get_by_role("link", name="Back to presenting").click()
    presenter.get_by_role("link", name="Surveys").click()
    expect(presenter.get_by_role("heading", level=1)).to_have_text("Surveys")


def test_keys_lead_through_the_survey_reveal_and_close(shown: Demo, presenter: Page) -> None:
    presenter.keyboard.press("ArrowRight")
    expect(presenter).to_have_url(re.compile(r"\?q=1$"))
    expect(presenter.locator(".stage-value").first).to_contain_text("100 %")
    presenter.keyboard.press("Space")
    expect(presenter.get_by_role("button", name="Reveal results")).to_be_visible()
    expect(presenter.locator(".stage-value")).to_have_count(0)
    presenter.keyboard.press("Space")
    expect(presenter.locator(".stage-value").first).to_contain_text("100 %")
    presenter.keyboard.press("c")
    expect(presenter.get_by_role("button", name="Open voting")).to_be_visible()
    presenter.keyboard.press("c")
    expect(presenter.get_by_role("button", name="Close voting")).to_be_visible()
    presenter.keyboard.press("?")
    expect(presenter.get_by_role("dialog")).to_be_visible()
    assert_accessible(presenter)
    presenter.get_by_label("Use these keys").uncheck()
    presenter.keyboard.press("Escape")
    presenter.keyboard.press("ArrowRight")
    expect(presenter).to_have_url(re.compile(r"\?q=1$"))
    presenter.get_by_role("button", name="Keys").click()
    presenter.get_by_label("Use these keys").check()
    presenter.get_by_role("button", name="Done").click()
    presenter.keyboard.press("ArrowLeft")
    expect(presenter.get_by_role("heading", level=1)).to_have_text("Join and vote")
    presenter.keyboard.press("r")
    expect(presenter).to_have_url(re.compile(r"/results/\?for=class$"))


def test_the_next_question_does_not_end_the_full_screen(shown: Demo, presenter: Page) -> None:
    presenter.keyboard.press("f")
    expect(presenter.locator("html:fullscreen")).to_have_count(1)
    presenter.keyboard.press("ArrowRight")
    expect(presenter).to_have_url(re.compile(r"\?q=1$"))
    presenter.keyboard.press("ArrowRight")
    expect(presenter.get_by_role("heading", level=1)).to_contain_text("Twelve?")
    expect(presenter.locator("html:fullscreen")).to_have_count(1)


def test_a_new_vote_appears_by_itself_and_an_open_table_stays_open(shown: Demo, open_page: OpenPage) -> None:
    page = open_page(f"/s/{CODE}/present/?q=1", **LAPTOP)
    page.get_by_text("Show data").click()
    votes = page.get_by_role("cell", name=re.compile(r"^\d+$")).first
    before = int(votes.inner_text())
    vote(shown, f"voter-{before + 10}", "another")
    expect(votes).to_have_text(str(before + 1), timeout=15_000)
    expect(page.get_by_role("table")).to_be_visible()


def test_a_screen_follows_what_another_instructor_does(presenter: Page, open_page: OpenPage) -> None:
    other = open_page(f"/s/{CODE}/present/", signed_in=True)
    other.get_by_role("button", name="Close voting").click()
    expect(presenter.get_by_role("button", name="Open voting")).to_be_visible()
    expect(presenter.get_by_text("Voting is closed.")).to_be_visible()
    other.get_by_role("button", name="Open voting").click()
    expect(presenter.get_by_role("button", name="Close voting")).to_be_visible()


def test_the_wall_shows_that_its_counts_are_not_live(shown: Demo, browser: Browser) -> None:
    # Not open_page: htmx rightly complains on the console when the network is gone.
    page = browser.new_page(base_url=shown.url, **LAPTOP)
    page.goto(f"/s/{CODE}/present/?q=1")
    lost = page.get_by_text("Reconnecting")
    expect(lost).to_be_hidden()
    page.context.set_offline(True)
    expect(lost).to_be_visible()
    expect(page.locator(".stage-value").first).to_contain_text("%")
    page.context.set_offline(False)
    expect(lost).to_be_hidden()
    page.close()


def test_a_text_is_hidden_with_one_press(shown: Demo, presenter: Page) -> None:
    presenter.goto(f"/s/{CODE}/present/?q=3")
    texts = presenter.locator(".stage-texts > li")
    expect(texts.filter(has_text="W" * 50)).to_have_count(1)
    texts.filter(has_text="W" * 50).get_by_role("button", name="Hide").click()
    expect(texts.filter(has_text="W" * 50)).to_have_count(0)
    expect(texts.filter(has_text="<script>")).to_have_count(1)
    expect(presenter.get_by_role("heading", level=1)).to_contain_text("Why?")


def test_without_javascript_links_and_forms_do_the_same(shown: Demo, open_page: OpenPage) -> None:
    page = open_page(f"/s/{CODE}/present/", signed_in=True, java_script_enabled=False, **LAPTOP)
    page.get_by_role("link", name="First question").click()
    page.get_by_role("button", name="Hide results").click()
    expect(page.locator(".stage-value")).to_have_count(0)
    page.get_by_role("button", name="Reveal results").click()
    expect(page.locator(".stage-value").first).to_contain_text("%")
    page.get_by_role("link", name="Next").click()
    page.get_by_role("link", name="Next").click()
    texts = page.locator(".stage-texts > li").filter(has=page.get_by_role("button", name="Hide", exact=True))
    before = texts.count()
    texts.last.get_by_role("button").click()
    expect(texts).to_have_count(before - 1)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Why?")


def test_bars_do_not_move_where_motion_is_unwelcome(shown: Demo, open_page: OpenPage) -> None:
    page = open_page(f"/s/{CODE}/present/?q=1", reduced_motion="reduce", **LAPTOP)
    duration = page.locator(".fill-now").first.evaluate("element => getComputedStyle(element).transitionDuration")
    assert duration == "0s"
