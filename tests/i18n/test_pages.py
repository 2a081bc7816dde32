"""Every page of surveys, for students and for instructors, rendered in the pseudo language: nothing stays in English
but what an author wrote. What they write here has no Latin letters.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import escape

from failover import gateway
from polls.ballots import services, voting_links
from polls.results.selectors import results
from polls.surveys import listing, reader, selectors
from polls.surveys.listing import Shelf
from polls.surveys.merge import change, put_on
from polls.surveys.models import SurveyRow
from polls.surveys.packing import packed
from polls.surveys.reader import Reader
from polls.surveys.services import (
    survey_archive,
    survey_change,
    survey_close,
    survey_create,
    survey_delete,
    survey_reset,
)
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.i18n.pseudo import leftovers
from tests.polls.clocks import in_days
from tests.polls.views.builder_form import fields
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.django_db]
QUESTIONS = [
    {"text": "1?", "kind": "single", "options": ["11", "12"]},
    {"text": "2?", "kind": "multiple", "required": False, "options": ["21", "22", "23"]},
    {"text": "3?", "kind": "rating", "required": False, "labels": ["−", "+"]},
    {"text": "4?", "kind": "text", "required": False},
]
Pages = Iterator[tuple[str, Any]]


@pytest.fixture
def instructor(wired: object) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("Ω", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def make(wired: object) -> Callable[..., Survey]:
    def make(**changes: Any) -> Survey:
        raw = {"title": "Ω", "questions": QUESTIONS, "help": "∀ ∃", **changes}
        return survey_create(definition=reader.parse(raw))

    return make


def untranslated(pages: Pages, *, known: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """By page, what stayed in English. Taken out first: join codes, which are letters that mean nothing, and titles,
    since the list shows other tests' surveys too.
    """
    leftovers_by_page = {}
    shown = [(name, reply, reply.content.decode()) for name, reply in pages]
    surveys = [listed.survey for shelf in Shelf for listed in listing.every(shelf)]
    typed = {survey.code for survey in surveys} | {escape(survey.definition.title) for survey in surveys}
    for name, reply, html in shown:
        assert reply["Content-Type"].startswith("text/html"), name
        for text in sorted(typed, key=len, reverse=True):  # as whole words: a title may be one letter
            html = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", "", html) if text else html
        if plain := leftovers(html, known=known):
            leftovers_by_page[name] = plain
    return leftovers_by_page


def _with(survey: Survey, **answers: str) -> dict[str, str]:
    return {f"q_{name}": answer for name, answer in answers.items()}


def _voted(survey: Survey, **answers: Any) -> None:
    services.ballot_cast(survey=survey, voter="voter-number-one", vote_id=services.name_vote(), answers=answers)

    def counted() -> bool:
        return results(survey).value.tally.voters == 1

    wait_until(counted, within=15, what="the vote is counted")


def test_students_pages(make: Callable[..., Survey], pseudo_language: None) -> None:
    open_, closed, fixed = make(), make(), make(allow_change=False)
    by_link, waits, hidden = make(access="link"), make(opens_at=in_days(90)), make(results="hidden")
    survey_close(code=closed.code)
    deleted = make()
    survey_delete(code=deleted.code)

    def pages() -> Pages:
        student = Client()
        yield "join", student.get("/")
        yield "join, empty", student.get("/", {"code": ""})
        yield "join, odd", student.get("/", {"code": "??"})
        yield "join, unknown", student.get("/", {"code": "23456789"})
        yield "ballot", student.get(f"/s/{open_.code}/")
        yield "ballot, mistakes", student.post(f"/s/{open_.code}/", _with(open_, q3="9", q4="7" * 1001))
        yield "receipt", student.post(f"/s/{open_.code}/", _with(open_, q1="o1", q4="Ω"), follow=True)
        yield "ballot again", student.get(f"/s/{open_.code}/")
        survey_reset(code=open_.code)
        yield "ballot after a reset", student.get(f"/s/{open_.code}/")
        yield "receipt of the round before", student.get(f"/s/{open_.code}/receipt/")
        yield "receipt of nobody", Client().get(f"/s/{closed.code}/receipt/")
        yield "closed", student.get(f"/s/{closed.code}/")
        yield "not open yet", student.get(f"/s/{waits.code}/")
        yield "a link is needed", student.get(f"/s/{by_link.code}/")
        yield "a link of another survey", student.get(f"/s/{by_link.code}/link/{voting_links.make(open_)}/")
        yield "not to be changed", student.post(f"/s/{fixed.code}/", _with(fixed, q1="o1"), follow=True)
        yield "voted, and not to be changed", student.get(f"/s/{fixed.code}/")
        gone = student.get(f"/s/{deleted.code}/")
        gone.content = gone.content.replace(deleted.code.encode(), b"")  # no list has it any more
        yield "deleted", gone
        yield "results", student.get(f"/s/{open_.code}/results/")
        yield "results, refreshed", student.get(f"/s/{open_.code}/results/", headers={"hx-request": "true"})
        yield "results, hidden", student.get(f"/s/{hidden.code}/results/")
        for number in range(len(QUESTIONS) + 1):
            yield f"presenter {number}", student.get(f"/s/{open_.code}/present/", {"q": number})
            yield f"presenter {number}, hidden", student.get(f"/s/{hidden.code}/present/", {"q": number})
        yield "not found", student.get("/nowhere/")
        yield "no cookies", Client(enforce_csrf_checks=True).post(f"/s/{open_.code}/", {})

    assert untranslated(pages()) == {}


def test_instructors_pages(make: Callable[..., Survey], instructor: Client, pseudo_language: None) -> None:
    survey, hidden, archived = make(), make(results="hidden", closes_at=in_days(90)), make()
    survey_archive(code=archived.code)
    _voted(survey, q1="o1", q3=2, q4="Ω")
    before, after = survey, survey_reset(code=survey.code)
    _voted(after, q1="o2", q3=3, q4="Ω")
    at = f"/admin/surveys/{survey.code}"

    def pages() -> Pages:
        yield "sign in", Client().get("/admin/login/")
        yield "signed in wrongly", Client().post("/admin/login/", {"username": "", "password": ""})
        yield "start", instructor.get("/admin/")
        yield "password", instructor.get("/admin/password_change/")
        yield "list", instructor.get("/admin/surveys/")
        yield "archive", instructor.get("/admin/surveys/?shelf=archived&after=2-CODE-us-east-1")
        yield "import of nothing", instructor.post("/admin/surveys/", {})
        yield "new", instructor.get("/admin/surveys/new/")
        blank = fields(instructor.get("/admin/surveys/new/"))
        yield "new, empty", instructor.post("/admin/surveys/new/", {**blank, "action": "save"})
        yield "edit", instructor.get(f"{at}/edit/")
        form = fields(instructor.get(f"{at}/edit/"))
        yield "a question more", instructor.post(f"{at}/edit/", {**form, "action": "add"})
        yield "breaks counts", instructor.post(f"{at}/edit/", {**form, "q0-kind": "text", "action": "save"})
        changed = {"title": "ΩΩ", "help": "∃", "results": "hidden", "access": "link", "q0-text": "0?"}
        assert instructor.post(f"{at}/edit/", {**form, **changed, "action": "save"}).status_code == 302
        other = {"title": "ΩΩΩ", "help": "∀", "q0-text": "00?", "q0-help": "∀"}
        yield "saved", instructor.get("/admin/surveys/")
        conflict = instructor.post(f"{at}/edit/", {**form, **other, "action": "save"})
        yield "conflict", conflict
        yield "conflict, not settled", instructor.post(f"{at}/edit/", {**fields(conflict), "action": "settle"})
        yield "preview", instructor.get(f"{at}/preview/")
        yield "links", instructor.get(f"{at}/links/")
        yield "links, too many", instructor.post(f"{at}/links/", {"number": "0", "format": "page"})
        yield "export", instructor.get(f"{at}/export/")
        yield "export of the round before", instructor.get(f"{at}/export/", {"round": before.round})
        yield "reset", instructor.get(f"{at}/reset/")
        yield "reset, not confirmed", instructor.post(f"{at}/reset/", {"confirm": "9"})
        yield "delete", instructor.get(f"{at}/delete/")
        yield "closed", instructor.post(f"{at}/close/", follow=True)
        yield "copied", instructor.post(f"{at}/duplicate/", follow=True)
        yield "results", instructor.get(f"/s/{survey.code}/results/")
        yield "results, hidden", instructor.get(f"/s/{hidden.code}/results/")
        for number in range(len(QUESTIONS) + 1):
            yield f"presenter {number}", instructor.get(f"/s/{survey.code}/present/", {"q": number, "compare": "1"})
            yield f"presenter {number}, hidden", instructor.get(f"/s/{hidden.code}/present/", {"q": number})

    assert before.round < after.round
    names = frozenset({"Axes", "title", "text", "options"})  # a library's, and those of the survey JSON
    assert untranslated(pages(), known=names) == {}


def test_pages_of_a_survey_with_two_versions(make: Callable[..., Survey], instructor: Client, pseudo_language) -> None:
    survey = make()
    was = selectors.found_now(survey.code).row
    questions = was.value("questions")
    elsewhere = gateway.regions()[1]
    with gateway.at(elsewhere):
        theirs = change(was, {"questions": questions[1:], "help": "∃", "results": "hidden"}, now_ms=1)
        SurveyRow(survey.code, elsewhere, round=1, fields=packed(put_on(None, theirs, region=elsewhere))).put()
    ours = {"questions": questions[:2], "help": "∀∀", "results": "shown"}
    now = survey_change(code=survey.code, values=ours, since=was)
    services.ballot_cast(survey=now, voter="voter-0001", vote_id=services.name_vote(), answers={"q1": "o1"})
    at = f"/admin/surveys/{survey.code}"

    def pages() -> Pages:
        yield "list", instructor.get("/admin/surveys/")
        form = fields(instructor.get(f"{at}/edit/"))
        yield "edit", instructor.get(f"{at}/edit/")
        yield "written over both", instructor.post(f"{at}/edit/", {**form, "q0-text": "0?", "action": "save"})
        shown = instructor.get(f"{at}/versions/")
        yield "versions", shown
        offered = re.findall(r'name="shown" value="([^"]+)"', shown.content.decode())
        yield "nothing chosen", instructor.post(f"{at}/versions/", {"shown": offered})
        chosen = {f"choice-{place}": "1" for place in range(10)}
        yield "breaks counts", instructor.post(f"{at}/versions/", {"shown": offered, **chosen})

    names = frozenset({"title", "text", "options"})  # of the survey JSON
    assert untranslated(pages(), known=names) == {}


def test_pages_while_no_region_answers(
    app: Lab, make: Callable[..., Survey], instructor: Client, pseudo_language
) -> None:
    survey = make()
    student = Client()
    student.get(f"/s/{survey.code}/")
    form = fields(instructor.get(f"/admin/surveys/{survey.code}/edit/"))
    for region in gateway.regions():
        app.fault(region, "refuse", "--for", "120")

    def pages() -> Pages:
        yield "no vote", student.post(f"/s/{survey.code}/", _with(survey, q1="o1"))
        yield "no results", student.get(f"/s/{survey.code}/results/")
        yield "no survey", student.get("/s/99999999/")
        yield "nothing saved", instructor.post(f"/admin/surveys/{survey.code}/edit/", {**form, "title": "ΩΩ"})
        yield "not ready", instructor.get("/admin/failover/")

    replies = list(pages())
    app.fault("--clear")
    assert untranslated(iter(replies)) == {}


@pytest.mark.parametrize(
    "raw",
    [
        [],
        {
            "title": "",
            "questions": 7,
            "code": "?",
            "x1": 1,
            "allow_change": 7,
            "help": 7,
            "results": "?",
            "opens_at": 7,
        },
        {
            "title": "Ω" * 201,
            "questions": [7, {"kind": "?"}],
            "opens_at": "2031-01-01T00:00Z",
            "closes_at": "2030-01-01T00:00Z",
        },
        {"title": "\x07", "questions": [{"id": "?", "text": "1?", "kind": "single", "options": ["1"], "scale": 3}]},
        {"title": "Ω", "questions": [{"text": "1?", "kind": "single", "options": ["1", "1", {"id": "?", "text": ""}]}]},
        {"title": "Ω", "questions": [{"text": "1?", "kind": "rating", "scale": 99, "labels": [1], "options": ["1"]}]},
    ],
    ids=str,
)
def test_what_is_wrong_with_a_survey_is_told_in_the_readers_language(raw: Any, pseudo_language: None) -> None:
    reading = Reader()
    reading.survey(raw)
    machine = {"title", "questions", "single", "multiple", "rating", "text", "true", "false", "shown", "hidden"}
    assert reading.mistakes
    for mistake in reading.mistakes:
        assert leftovers(mistake.words, known=frozenset(machine)) == []


def test_the_page_of_an_unexpected_error_needs_no_request_and_speaks_the_readers_language(
    pseudo_language: None,
) -> None:
    from django.template.loader import render_to_string

    html = render_to_string("500.html")
    assert leftovers(html) == []
    assert "<form" not in html
