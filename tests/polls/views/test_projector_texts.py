"""Free texts on the projector: an instructor reads and hides them."""

from collections.abc import Callable

import pytest
from django.test import Client

from failover import gateway
from polls.results import moderation
from polls.results import selectors as result_selectors
from polls.surveys.services import ServiceRefused, survey_hide
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.polls.views.pages import text
from tests.polls.views.projector import SCRIPT, cast, current, screen
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


def test_what_the_class_is_shown_holds_no_text_and_nothing_hidden_whoever_shows_it(instructor: Client, voted: Survey):
    results = f"/s/{voted.code}/results/"
    assert "=1+1" in text(instructor.get(results))
    assert "=1+1" not in text(instructor.get(f"{results}?for=class"))
    survey_hide(code=voted.code)
    assert "Only you see these results" in text(instructor.get(results))
    for headers in ({}, {"HX-Request": "true"}):
        page = text(instructor.get(f"{results}?for=class", headers=headers))
        assert "The results are hidden" in page
        assert "bar-fill" not in page


def test_a_hidden_text_leaves_the_projector_and_comes_back(instructor: Client, voted: Survey):
    def texts() -> list[moderation.MarkedText]:
        return list(moderation.page(current(voted), "q4", limit=10, with_hidden=True).texts)

    assert {answer.text for answer in texts()} == {SCRIPT, "=1+1"}
    page = text(instructor.get(screen(voted, "?q=4")))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert SCRIPT not in page
    mark = next(answer.mark for answer in texts() if answer.text == SCRIPT)
    instructor.post(screen(voted, "?q=4"), {"action": "hide-text", "mark": mark})
    assert "alert(1)" not in text(instructor.get(screen(voted, "?q=4")))
    assert "Show on the projector" in text(instructor.get(f"/s/{voted.code}/results/"))
    instructor.post(screen(voted, "?q=4"), {"action": "show-text", "mark": mark, "back": "results"})
    assert "alert(1)" in text(instructor.get(screen(voted, "?q=4")))
    assert instructor.post(screen(voted), {"action": "hide-text", "mark": "../etc"}).status_code == 400


def test_a_screen_without_the_hidden_texts_is_as_full_as_it_was(make_survey: Callable[..., Survey]):
    survey = make_survey()
    for number in range(7):
        cast(survey, f"voter-{number:04}", q1="o1", q4=f"text {number}")
    wait_until(
        lambda: result_selectors.results(survey).value.tally.answered["q4"] == 7,
        within=10,
        what="seven texts are counted",
    )

    def shown(after: str = "") -> moderation.MarkedPage:
        return moderation.page(current(survey), "q4", after=after, limit=3, with_hidden=False)

    assert [text.text for text in shown().texts] == ["text 6", "text 5", "text 4"]
    for place in (0, 1):
        moderation.set_hidden(code=survey.code, mark=shown().texts[place].mark, hidden=True)
    first = shown()
    assert [text.text for text in first.texts] == ["text 5", "text 3", "text 2"]
    assert first.next is not None
    last = shown(first.next)
    assert [text.text for text in last.texts] == ["text 1", "text 0"]
    assert last.next is None


def test_while_no_region_answers_an_instructor_still_reads_the_texts_that_were_read(
    instructor: Client, voted: Survey, app: Lab
):
    page = f"/s/{voted.code}/results/"
    assert "=1+1" in text(instructor.get(page))
    for region in gateway.regions():
        app.fault(region, "refuse", "--for", "60")
    old = "these are the last counts that were read"
    wait_until(lambda: old in text(instructor.get(page)), within=20, what="the page says that it is of the last counts")
    assert "=1+1" in text(instructor.get(page))


def test_only_instructors_read_texts(browser: Client, voted: Survey):
    for path in ("results/", "present/?q=4"):
        assert "=1+1" not in text(browser.get(f"/s/{voted.code}/{path}"))


def test_more_texts_cannot_be_hidden_than_a_survey_can_hold(
    voted: Survey, monkeypatch: pytest.MonkeyPatch, instructor: Client
):
    monkeypatch.setattr(moderation, "MOST_HIDDEN", 1)
    moderation.set_hidden(code=voted.code, mark="q4." + "0" * 16, hidden=True)
    with pytest.raises(ServiceRefused, match="cannot be"):
        moderation.set_hidden(code=voted.code, mark="q4." + "1" * 16, hidden=True)
    moderation.set_hidden(code=voted.code, mark="q4." + "0" * 16, hidden=False)
    instructor.post(screen(voted, "?q=4"), {"action": "hide-text", "mark": "q4." + "1" * 16})
    assert "cannot be" in text(instructor.get(screen(voted, "?q=4")))
