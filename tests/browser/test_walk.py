"""Every page on a phone and on a laptop, light and dark: accessible, not too wide, and no typed text runs as a script.

With WALK_PICTURES=1 pictures of every page are written to reports/walk/, for people to look at.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from failover.drills.ledger import Ledger
from tests.browser import walk
from tests.browser.accessibility import (
    assert_accessible,
    assert_no_sideways_scrolling,
    assert_stays_good,
    show_on,
)
from tests.browser.conftest import LAPTOP, PHONE, OpenPage
from tests.integration.demo import PHONES, Demo, Students
from tests.processes import ROOT
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.lab, pytest.mark.timeout(400)]
PICTURES = ROOT / "reports" / "walk" if os.environ.get("WALK_PICTURES") else None
STUDENTS = 300
UNTOUCHED = """window.hacked === undefined &&
  document.querySelectorAll("script:not([src]), img[src=x], a[href^='javascript:']").length === 0"""


def walked(page: Page, stations: Iterable[walk.Station]) -> None:
    """Opens each page on a phone in light colours and checks everything; then checks what a dark laptop can change."""
    wrong: list[str] = []

    def must(where: str, check: Callable[[], object]) -> None:
        try:
            assert check() is not False
        except AssertionError as error:
            wrong.append(f"{where}: {error}")

    for station in stations:
        page.set_viewport_size(PHONE["viewport"])
        page.emulate_media(color_scheme="light")
        page.goto(station.path)
        station.arrive(page)
        must(station.name, partial(expect(page.locator("body")).to_contain_text, station.seen, timeout=20_000))
        must(f"{station.name}: nothing in it runs", lambda: page.evaluate(UNTOUCHED))
        must(f"{station.name} on a phone", lambda: assert_no_sideways_scrolling(page))
        if not station.hostile:
            must(f"{station.name} on a phone", lambda: assert_accessible(page))
        if PICTURES:
            take_pictures(page, station.name)
        if station.hostile:
            show_on(page, LAPTOP, "dark")
            must(f"{station.name} on a laptop", lambda: assert_no_sideways_scrolling(page))
        else:
            must(f"{station.name} on a dark laptop", lambda: assert_stays_good(page, LAPTOP, "dark"))
    assert not wrong, "\n".join(wrong)


def take_pictures(page: Page, name: str) -> None:
    """The whole page on a phone and on a laptop, light and dark, below PICTURES."""
    for screen in (PHONE, LAPTOP):
        for scheme in ("light", "dark"):
            show_on(page, screen, scheme)
            folder = PICTURES / f"{screen['viewport']['width']}-{scheme}"
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}.png", full_page=True)


def test_the_pages_of_a_student(surveys: Demo, open_page: OpenPage):
    walked(open_page("/"), walk.student())


def test_the_pages_of_an_instructor(surveys: Demo, open_page: OpenPage):
    walked(open_page("/admin/", signed_in=True), walk.instructor())


def test_results_on_paper_have_no_controls_no_dark_grounds_and_no_cut_rows(surveys: Demo, open_page: OpenPage):
    for reader in ("student", "instructor"):
        page = open_page("/s/WALK22/results/", signed_in=reader == "instructor", viewport=walk.A4, color_scheme="dark")
        for code in ("WALK22", "MANY22"):
            page.goto(f"/s/{code}/results/")
            page.emulate_media(media="print")
            expect(page.locator(".bar").first).to_be_visible()
            assert page.evaluate(walk.ON_PAPER) == [], f"{reader}, {code}"
            has_texts = page.locator(".text-words").count() >= 9
            assert has_texts is ((reader, code) == ("instructor", "WALK22"))
            expect(page.locator(".print-only")).to_contain_text(f"/s/{code}/")
            if PICTURES:
                (PICTURES / "paper").mkdir(parents=True, exist_ok=True)
                page.pdf(path=PICTURES / "paper" / f"{code}-{reader}.pdf", format="A4", margin=walk.MARGIN)
    page.goto("/admin/surveys/LINK22/links/")
    page.emulate_media(media="screen")
    walk.make_links(page)
    expect(page.locator(".links li")).to_have_count(3)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")  # the admin's own switch
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(walk.ON_PAPER) == []


def voters(ledger: Ledger) -> set[str]:
    return {vote.voter for vote in ledger.votes.values()}


def test_three_hundred_students_in_a_minute_are_counted_once_and_the_tallies_equal_the_ballots(demo: Demo):
    with Students(demo, "minute", rate=60) as students:
        wait_until(
            lambda: len(voters(students.ledger())) >= STUDENTS, within=50, what="300 students have voted", every=0.2
        )
        ledger = students.stop()
    times = [vote.at for vote in ledger.votes.values()]
    assert max(times) - min(times) <= 60
    verdict = demo.verdict(ledger)
    assert verdict.ok, verdict.summary()
    assert verdict.acknowledged == verdict.found == len(ledger.votes)
    audit = demo.output_of("survey", "audit", demo.code).splitlines()
    assert [line.split("\t")[1] for line in audit] == ["equal", "equal"]
    ballots = json.loads(demo.output_of("survey", "export", demo.code, "--ballots"))["ballots"]
    results = PHONES.get(f"{demo.url}/s/{demo.code}/results.json").json()
    assert results["voters"] == len(ballots)
    for question in results["questions"]:
        answers = [ballot["answers"][question["id"]] for ballot in ballots if question["id"] in ballot["answers"]]
        choices = (choice for answer in answers for choice in (answer if isinstance(answer, list) else [answer]))
        chosen = Counter(map(str, choices))
        assert {option["id"]: option["count"] for option in question["options"] if option["count"]} == chosen
