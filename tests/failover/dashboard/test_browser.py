"""The open page in a real browser: it follows the status, keeps what is typed, and says when it is
old.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.accessibility import WCAG, assert_accessible, assert_stays_good, show_on
from tests.browser.chromium import started
from tests.failover.dashboard.conftest import Publish
from tests.failover.dashboard.documents import behind, east_down, healthy, pinned, unknown

pytestmark = pytest.mark.browser
LAPTOP = {"viewport": {"width": 1366, "height": 768}}
PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for this file."""
    with started() as browser:
        yield browser


@pytest.fixture
def page(
    request: pytest.FixtureRequest, browser: Browser, transactional_db: None, staff: Client, live_server: Any
) -> Iterator[Page]:
    """A signed-in page in a context of its own, not yet opened. Whatever the browser complains
    about fails the test.
    """
    options = {**LAPTOP, "color_scheme": "light"} | getattr(request, "param", {})
    complaints: list[str] = []
    context = browser.new_context(base_url=live_server.url, **options)
    context.add_cookies(
        [{"name": name, "value": cookie.value, "url": live_server.url} for name, cookie in staff.cookies.items()]
    )
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    # A request that a test cuts off is the one thing that htmx and Chromium may complain about.
    assert [text for text in complaints if "ERR_FAILED" not in text and not text.startswith("htmx:")] == []


def test_the_page_follows_the_status_with_its_sentence_title_and_icon(page: Page, monitor: Publish) -> None:
    monitor(healthy)
    page.goto("/admin/failover/")
    expect(page).to_have_title("Healthy: us-east-1 | surveyapp")
    monitor(east_down)
    expect(page.get_by_role("status")).to_contain_text("us-east-1's DNS fails")
    expect(page).to_have_title("Attention: us-west-2 | surveyapp")
    expect(page.locator("#icon")).to_have_attribute("href", "/static/failover/icon-warn.svg")
    expect(page.get_by_role("log").get_by_role("listitem").first).to_contain_text("Failover")


def test_an_admin_without_an_icon_of_its_own_gets_the_one_of_the_state(page: Page, monitor: Publish) -> None:
    def without_icon(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, body=re.sub('<link rel="icon"[^>]*>', "", reply.text()))

    monitor(healthy)
    page.route("**/admin/failover/", without_icon)
    page.goto("/admin/failover/")
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/failover/icon-ok.svg")
    monitor(east_down)
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/failover/icon-warn.svg")


def test_a_refresh_leaves_what_is_typed_and_what_has_not_changed_alone(page: Page, monitor: Publish) -> None:
    monitor(pinned)
    page.goto("/admin/failover/")
    page.get_by_label("Pin a region").check()
    page.get_by_label("Reason").fill("half a reas")
    page.evaluate("document.querySelector('[data-part=said]').kept = true")
    page.evaluate("document.querySelector('[data-event]').kept = true")

    def busier(at: float) -> Any:
        document = pinned(at)
        document["regions"][0]["requests_2m"] = 7777
        return {**document, **behind(document, 0.9)}

    kept_at = monitor(pinned)["routing"]["since"]
    monitor(lambda at: {**busier(at), "routing": {**pinned(at)["routing"], "since": kept_at}})
    expect(page.get_by_text("7777")).to_be_visible()
    expect(page.get_by_text("0.9 s behind")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("half a reas")
    expect(page.get_by_label("Reason")).to_be_focused()
    expect(page.get_by_label("Pin a region")).to_be_checked()


def test_the_sentence_is_not_read_out_again_when_only_the_lag_has_changed(page: Page, monitor: Publish) -> None:
    first = monitor(healthy)
    page.goto("/admin/failover/")
    page.evaluate("document.querySelector('[data-part=said]').kept = true")
    monitor(lambda at: {**healthy(at), **behind(first, 0.9)})
    expect(page.get_by_text("0.9 s behind")).to_be_visible()
    assert page.evaluate("document.querySelector('[data-part=said]').kept")


def test_a_pause_stops_the_questions_until_it_is_ended(page: Page, monitor: Publish) -> None:
    monitor(healthy)
    page.goto("/admin/failover/")
    page.get_by_role("button", name="Pause updates").click()
    monitor(east_down)
    expect(page.locator("#freshness")).to_contain_text(re.compile(r"paused, updated \d+ s ago"))
    expect(page.get_by_role("status")).to_contain_text("it is the first choice")
    page.get_by_role("button", name="Resume updates").click()
    expect(page.get_by_role("status")).to_contain_text("us-east-1's DNS fails")


def test_a_server_that_no_longer_answers_is_said_and_so_is_its_return(page: Page, monitor: Publish) -> None:
    monitor(healthy)
    page.goto("/admin/failover/")
    page.route("**/live/", lambda route: route.abort())
    expect(page.get_by_role("status")).to_contain_text("The server has not answered since", timeout=15_000)
    expect(page).to_have_title("No answer | surveyapp")
    page.unroute("**/live/")
    monitor(healthy)
    expect(page.get_by_role("status")).not_to_contain_text("The server has not answered", timeout=15_000)
    expect(page).to_have_title("Healthy: us-east-1 | surveyapp")


def test_a_monitor_that_falls_silent_is_said(page: Page, monitor: Publish) -> None:
    monitor(healthy)
    page.goto("/admin/failover/")
    expect(page.get_by_role("status")).to_contain_text("The monitor has been silent since", timeout=15_000)
    expect(page).to_have_title("Monitor silent | surveyapp")


def test_an_unchanged_status_is_answered_with_304(page: Page, monitor: Publish) -> None:
    monitor(healthy)
    page.goto("/admin/failover/")
    with page.expect_response(lambda reply: reply.url.endswith("/live/") and reply.status == 304):
        pass


@pytest.mark.parametrize("document", [healthy, east_down, pinned])
def test_the_whole_page_fits_a_small_laptop(document, page: Page, monitor: Publish) -> None:
    monitor(document)
    page.goto("/admin/failover/")
    assert page.evaluate("document.documentElement.scrollHeight") <= 768


@pytest.mark.parametrize("page", [{"viewport": {"width": 320, "height": 640}}], indirect=True)
def test_a_narrow_phone_needs_no_sideways_scrolling(page: Page, monitor: Publish) -> None:
    monitor(east_down)
    page.goto("/admin/failover/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize(("document", "age_s"), [(healthy, 0), (east_down, 0), (east_down, 60), (unknown, 0)])
def test_axe_finds_nothing_on_a_laptop_or_a_phone_in_light_or_dark(
    document: Any, age_s: float, page: Page, monitor: Publish
) -> None:
    monitor(document, age_s)
    page.goto("/admin/failover/")
    page.get_by_label("Pin a region").check()
    assert_accessible(page, (*WCAG, "best-practice"))
    assert_stays_good(page, LAPTOP, "dark")
    show_on(page, PHONE, "light")  # where the panels have another order
    assert_accessible(page, (*WCAG, "best-practice"))
