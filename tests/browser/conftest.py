"""One live demo and one browser for the walks; phones and projectors are contexts of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import started
from tests.browser.keyboard import write
from tests.integration.demo import Demo, demo_in

PASSWORD = "a password for the tests"
PHONE = {"viewport": {"width": 390, "height": 844}}
LAPTOP = {"viewport": {"width": 1366, "height": 768}}
OpenPage = Callable[..., Page]
SETTLED = "document.getAnimations().forEach(one => one.finish())"  # as they would end by themselves, a moment later
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE = """async (values) => (await axe.run({runOnly: {type: "rule", values}, resultTypes: ["violations"]})).violations
  .flatMap(found => found.nodes.map(node => `${found.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`))"""


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A whole demo, near at hand: no added distance, one worker for each of two cores."""
    told = {"LAB_RTT_MS": "0", "FAILOVER_HOLD_S": "1", "DEMO_PASSWORD": PASSWORD}
    with demo_in(tmp_path_factory.mktemp("browser"), **told) as demo:
        yield demo


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for these tests."""
    with started() as browser:
        yield browser


@pytest.fixture(scope="package")
def surveys(demo: Demo) -> Demo:
    """The demo with the surveys of the walk."""
    demo.told("shell", "-c", "from tests.browser import surveys; surveys.make()")
    return demo


@pytest.fixture(scope="package")
def instructor(demo: Demo, browser: Browser) -> Any:
    """The cookies of an instructor, who signed in once, by keyboard."""
    context = browser.new_context(base_url=demo.url, **LAPTOP)
    page = context.new_page()
    page.goto("/admin/login/?next=/admin/surveys/")
    write(page, "#id_username", "instructor")
    write(page, "#id_password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Surveys")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_page(demo: Demo, browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Opens a page of the demo in a fresh browser context: a student of their own, or the instructor with
    `signed_in=True`. What it complains about fails the test.
    """
    complaints: list[str] = []
    contexts = []

    def opened(path: str, *, signed_in: bool = False, **options: object) -> Page:
        if signed_in:
            options["storage_state"] = request.getfixturevalue("instructor")
        context = browser.new_context(base_url=demo.url, **{**PHONE, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if _is_ours(message) else None)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _is_ours(message: object) -> bool:
    """Errors of the page itself; that the server said 4xx or 5xx is what some tests are about."""
    return message.type == "error" and "Failed to load resource" not in message.text


def assert_accessible(page: Page) -> None:
    """axe finds nothing against WCAG 2.2 AA."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def assert_readable_in_other_colours(page: Page, scheme: str) -> None:
    """What `assert_accessible` has just looked at, in another colour scheme: nothing but contrast can differ there."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate(SETTLED)  # the admin's links change their colour slowly
    assert page.evaluate(AXE, ["color-contrast"]) == []


def assert_no_sideways_scrolling(page: Page) -> None:
    """The page is no wider than the screen."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def assert_good(page: Page) -> None:
    """Accessible, and no wider than the screen."""
    assert_accessible(page)
    assert_no_sideways_scrolling(page)


def assert_good_in_light_and_dark(page: Page) -> None:
    """Good in light colours, and readable in dark ones, which it keeps."""
    page.emulate_media(color_scheme="light")
    page.evaluate(SETTLED)
    assert_good(page)
    assert_readable_in_other_colours(page, "dark")
