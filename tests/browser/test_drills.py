"""The pages of the drills: the list, and a report as it is served, on a laptop, a phone and paper."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessibility import assert_good_in_light_and_dark, assert_stays_good
from tests.browser.conftest import LAPTOP, PHONE, OpenPage
from tests.failover.drills.runs import EAST, WEST, World
from tests.failover.drills.test_report import report_in
from tests.integration.demo import Demo

pytestmark = pytest.mark.browser
PAGES_ON_PAPER = 4


def night(strategy: str) -> World:
    """A minute of votes with an outage that our application does not notice."""
    world = World(strategy=strategy, broken=10, mended=38)
    for number in range(60):
        is_out = 10 <= number < 38
        fails = is_out and strategy != "router"
        world.vote(f"student-{number}", http=(503, 503) if fails else (201,), region=WEST if is_out else EAST)
    if strategy == "router":
        for kind, at in (("circuit-opened", 10.2), ("failover", 10.3), ("circuit-closed", 43.0), ("failback", 43.1)):
            world.switch(kind, at)
    return world


@pytest.fixture(scope="module")
def played(demo: Demo) -> Path:
    """A report among those of the demo."""
    directory = demo.lab_dir / "drills" / "20261201-120000-night"
    directory.mkdir(parents=True)
    report_in(directory, *map(night, ("router", "single-region", "retries", "global-tables-only")))
    return directory


def test_an_instructor_finds_the_drills_beside_the_dashboard_and_opens_a_report(
    open_page: OpenPage, played: Path
) -> None:
    page = open_page("/admin/failover/", signed_in=True, **LAPTOP)
    page.get_by_role("link", name="Drills").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Drills")
    assert_good_in_light_and_dark(page)
    assert_stays_good(page, PHONE, "light")
    page.get_by_role("link", name=re.compile("^test, ")).click()
    expect(page.get_by_text("The hypothesis held.")).to_be_visible()
    expect(page.locator("svg[role=img] rect")).to_have_count(4 * 60)
    assert page.evaluate("getComputedStyle(document.querySelector('.verdict')).borderTopWidth") == "2px", "it is styled"
    assert_good_in_light_and_dark(page)
    assert_stays_good(page, PHONE, "light")
    assert_stays_good(page, PHONE, "dark")


def test_a_report_fits_on_four_sheets_of_paper(browser: Browser, played: Path) -> None:
    """It is opened as a file, as by somebody to whom it was sent."""
    page = browser.new_page()
    page.goto((played / "report.html").as_uri())
    sheets = page.pdf(format="A4").count(b"/Type /Page\n")
    page.close()
    assert 0 < sheets <= PAGES_ON_PAPER
