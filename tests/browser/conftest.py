"""One live demo and one browser for all tests of this folder. A phone or a projector is a browser context."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import started
from tests.browser.keyboard import write
from tests.integration.demo import Demo, demo_in

PASSWORD = "a password for the tests"
PHONE = {"viewport": {"width": 390, "height": 844}}
LAPTOP = {"viewport": {"width": 1366, "height": 768}}
OpenPage = Callable[..., Page]


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A whole demo without added latency."""
    environment = {"LAB_RTT_MS": "0", "FAILOVER_HOLD_S": "1", "DEMO_PASSWORD": PASSWORD}
    with demo_in(tmp_path_factory.mktemp("browser"), **environment) as demo:
        yield demo


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for these tests."""
    with started() as browser:
        yield browser


@pytest.fixture(scope="package")
def surveys(demo: Demo) -> Demo:
    """The demo with the surveys of the walk."""
    demo.output_of("shell", "-c", "from tests.browser import surveys; surveys.make()")
    return demo


@pytest.fixture(scope="package")
def instructor(demo: Demo, browser: Browser) -> Any:
    """The cookies of an instructor who has signed in, by keyboard."""
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
    """Opens a page of the demo in a browser context of its own, of a new student or (`signed_in=True`) the instructor.

    An error in the page's scripts or on its console fails the test.
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
    """Whether it is an error of the page. A reply of 4xx or 5xx is not: some tests are about those."""
    return message.type == "error" and "Failed to load resource" not in message.text
