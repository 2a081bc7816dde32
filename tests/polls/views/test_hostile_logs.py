"""Whatever is refused is logged without its content, in both shapes: the kind, the method and the address's pattern."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from polls.common.limits import Guesses
from polls.surveys import selectors
from polls.surveys.survey import Survey
from surveyapp.logs import FORMATTERS, RouteNotPath

pytestmark = [pytest.mark.lab, pytest.mark.django_db]
MARKER = "MARK5HEARD9"  # could be a join code, too
SCRIPT = f"<script>{MARKER}</script>"
FORMULA = f'=HYPERLINK("{MARKER}")'
FORM = {"title": SCRIPT, "q0-id": "q1", "q0-text": MARKER, "q0-kind": "single", "q0-options": f"{MARKER}\n{MARKER}"}


@dataclass
class World:
    """Who sends, and to which survey."""

    student: Client
    instructor: Client
    survey: Survey

    def ballot(self, **body: object) -> HttpResponse:
        whole = {"voter": "a-voter-of-tests", "answers": {}, **body}
        return self.raw(json.dumps(whole).encode())

    def raw(self, body: bytes, code: str = "") -> HttpResponse:
        address = f"/api/v1/surveys/{code or self.survey.code}/ballots"
        return self.student.post(address, body, content_type="application/json")

    def vote(self, **fields: object) -> HttpResponse:
        return self.student.post(f"/s/{self.survey.code}/", {"q_q1": "o1", **fields})

    def build(self, **fields: str) -> HttpResponse:
        return self.instructor.post("/admin/surveys/new/", {**FORM, "action": "save", **fields})

    def upload(self, content: bytes) -> HttpResponse:
        file = SimpleUploadedFile(f"{MARKER}.json", content, content_type="application/json")
        return self.instructor.post("/admin/surveys/", {"file": file})

    def log_in(self, times: int) -> HttpResponse:
        fields = {"username": f"{MARKER}-{times}", "password": f"{MARKER} secret"}
        return [self.student.post("/admin/login/", fields) for _time in range(times)][-1]


@pytest.fixture
def world(survey: Survey) -> World:
    instructor = Client()
    instructor.force_login(
        User.objects.create_user("instructor", is_staff=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    return World(Client(), instructor, survey)


@pytest.fixture
def logged() -> Iterator[Callable[[], dict[str, str]]]:
    """Everything that would be written, in each shape, with our own loggers as talkative as they can be."""
    shapes = {shape: io.StringIO() for shape in FORMATTERS}
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ("polls", "failover")]
    handlers = [logging.StreamHandler(stream) for stream in shapes.values()]
    levels = [logger.level for logger in ours]
    for handler, formatter in zip(handlers, FORMATTERS.values(), strict=True):
        handler.setFormatter(formatter())
        handler.addFilter(RouteNotPath())
        root.addHandler(handler)
    for logger in ours:
        logger.setLevel(logging.DEBUG)
    yield lambda: {shape: stream.getvalue() for shape, stream in shapes.items()}
    for handler in handlers:
        root.removeHandler(handler)
    for logger, level in zip(ours, levels, strict=True):
        logger.setLevel(level)


BALLOTS = "POST api/v1/surveys/<str:code>/ballots"
SURVEY, BUILDER, IMPORT = "POST s/<code:code>/", "POST admin/surveys/new/", "POST admin/surveys/"
LARGE = MARKER * 100_000
REFUSALS: dict[str, tuple[Callable[[World], HttpResponse], int, str]] = {
    "a ballot too large": (lambda to: to.ballot(answers={"q4": LARGE}), 413, f"Request Entity Too Large: {BALLOTS}"),
    "a form too large": (lambda to: to.vote(q_q4=LARGE), 400, f"RequestDataTooBig: {SURVEY}"),
    "a form of too many fields": (
        lambda to: to.vote(**{f"{MARKER}{n}": "" for n in range(2_001)}),
        400,
        f"TooManyFieldsSent: {SURVEY}",
    ),
    "a form that is none": (
        lambda to: to.student.post(f"/s/{to.survey.code}/", MARKER.encode(), content_type=f"multipart/{MARKER}"),
        422,
        f"Unprocessable Entity: {SURVEY}",
    ),
    "a form in parts without an end": (
        lambda to: to.student.post(f"/s/{to.survey.code}/", b"x", content_type=f"multipart/form-data; boundary={'é'}"),
        400,
        f"Bad Request: {SURVEY}",
    ),
    "a negative rating": (
        lambda to: to.ballot(answers={"q1": "o1", "q3": -4, "q4": MARKER}),
        422,
        f"Unprocessable Entity: {BALLOTS}",
    ),
    "a rating that is a word": (lambda to: to.vote(q_q3=MARKER), 422, f"Unprocessable Entity: {SURVEY}"),
    "an unknown option": (lambda to: to.ballot(answers={"q1": MARKER}), 422, f"Unprocessable Entity: {BALLOTS}"),
    "an unknown option of a form": (lambda to: to.vote(q_q1=MARKER), 422, f"Unprocessable Entity: {SURVEY}"),
    "an unknown question": (
        lambda to: to.ballot(answers={"q1": "o1", MARKER: 1}),
        422,
        f"Unprocessable Entity: {BALLOTS}",
    ),
    "a voter's name with blanks": (
        lambda to: to.ballot(voter=f"{MARKER} {MARKER}", answers={"q1": "o1"}),
        422,
        f"Unprocessable Entity: {BALLOTS}",
    ),
    "a field of no ballot": (lambda to: to.ballot(**{MARKER: 1}), 400, f"Bad Request: {BALLOTS}"),
    "malformed JSON": (lambda to: to.raw(f'{{"voter": {MARKER}'.encode()), 400, f"Bad Request: {BALLOTS}"),
    "JSON with a name twice": (
        lambda to: to.raw(f'{{"{MARKER}": 1, "{MARKER}": 2}}'.encode()),
        400,
        f"Bad Request: {BALLOTS}",
    ),
    "a text too long, a script": (
        lambda to: to.vote(q_q4=SCRIPT * 100),
        422,
        f"Unprocessable Entity: {SURVEY}",
    ),
    "a formula with a control character": (
        lambda to: to.vote(q_q4=f"{FORMULA}\x07"),
        422,
        f"Unprocessable Entity: {SURVEY}",
    ),
    "a code that cannot be one": (
        lambda to: to.student.get("/", {"code": f"{MARKER}#{MARKER}"}),
        400,
        "Bad Request: GET ",
    ),
    "a bad builder form": (lambda to: to.build(), 422, f"Unprocessable Entity: {BUILDER}"),
    "five thousand options": (
        lambda to: to.build(**{"q0-options": "\n".join(f"{MARKER}{n}" for n in range(5_000))}),
        422,
        f"Unprocessable Entity: {BUILDER}",
    ),
    "an import that is no JSON": (lambda to: to.upload(MARKER.encode()), 422, f"Unprocessable Entity: {IMPORT}"),
    "an import that is no survey": (
        lambda to: to.upload(json.dumps({"title": MARKER, MARKER: 1, "questions": []}).encode()),
        422,
        f"Unprocessable Entity: {IMPORT}",
    ),
    "an import too large": (lambda to: to.upload(LARGE.encode()[:300_000]), 422, f"Unprocessable Entity: {IMPORT}"),
    "a survey deleted by a wrong word": (
        lambda to: to.instructor.post(f"/admin/surveys/{to.survey.code}/delete/", {"confirm": MARKER}),
        422,
        "Unprocessable Entity: POST admin/surveys/<survey_code:code>/delete/",
    ),
    "a button that is not there": (
        lambda to: to.instructor.post(f"/s/{to.survey.code}/present/", {"action": MARKER}),
        400,
        "Bad Request: POST s/<code:code>/present/",
    ),
    "five wrong passwords": (lambda to: to.log_in(5), 429, "Too Many Requests: POST admin/login/"),
}
UNTOLD: dict[str, tuple[Callable[[World], HttpResponse], int]] = {
    "a guessed code": (lambda to: to.student.get("/", {"code": MARKER}), 404),
    "a guessed address": (lambda to: to.student.get(f"/s/{MARKER}/?{MARKER}=1"), 404),
    "a guessed code of the API": (lambda to: to.raw(b'{"voter": "x", "answers": {}}', code=MARKER), 404),
    "a guessed voting link": (lambda to: to.student.get(f"/s/{to.survey.code}/link/{MARKER}/"), 404),
    "a text that a spreadsheet would run": (lambda to: to.ballot(answers={"q1": "o1", "q4": FORMULA}), 201),
    "a script that is inert": (lambda to: to.vote(q_q4=SCRIPT), 302),
    "one wrong password": (lambda to: to.log_in(1), 200),
}


def assert_without_content(lines: dict[str, str]) -> None:
    for shape, text in lines.items():
        assert MARKER.lower() not in text.lower(), f"{shape}: {text}"


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_one_line_that_says_what_and_where_and_nothing_of_what_was_sent(
    case: str, world: World, logged: Callable[[], dict[str, str]]
) -> None:
    send, status, line = REFUSALS[case]
    assert send(world).status_code == status
    assert_without_content(logged())
    lines = [json.loads(text) for text in logged()["json"].splitlines()]
    assert [entry["message"] for entry in lines if entry.get("event") == "request-refused"] == [line]
    assert f"{line}\n" in logged()["line"]


@pytest.mark.parametrize("case", UNTOLD)
def test_what_is_not_there_or_inert_is_no_line_at_all(
    case: str, world: World, logged: Callable[[], dict[str, str]]
) -> None:
    send, status = UNTOLD[case]
    assert send(world).status_code == status
    assert_without_content(logged())
    assert "request-" not in logged()["json"]


def test_the_code_that_is_one_too_many_is_not_told(
    world: World, logged: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = Guesses(lambda: 0.0)
    for _guess in range(Guesses.BURST):
        spent.missed()
    monkeypatch.setattr(selectors, "guesses", spent)
    replies = [
        world.student.get("/", {"code": MARKER}),
        world.student.get(f"/s/{MARKER}/"),
        world.raw(b'{"voter": "x", "answers": {}}', code=MARKER),
    ]
    assert [reply.status_code for reply in replies] == [429] * 3
    assert_without_content(logged())
    assert logged()["json"].count('"request-refused"') == 3


def test_a_form_that_comes_from_elsewhere_is_told_without_the_address_that_it_came_from(
    world: World, logged: Callable[[], dict[str, str]]
) -> None:
    foreign = Client(enforce_csrf_checks=True)
    headers = {"Origin": f"https://{MARKER}.example", "Referer": f"https://x.example/s/ABCD/link/{MARKER}/"}
    assert foreign.post(f"/s/{world.survey.code}/", {"q_q4": MARKER}, headers=headers).status_code == 403
    assert_without_content(logged())
    assert "Origin checking failed: POST s/<code:code>/" in logged()["line"]


def test_a_wrong_host_is_told_without_its_name(world: World, logged: Callable[[], dict[str, str]]) -> None:
    reply = world.student.get(f"/?code={MARKER}", headers={"Host": f"{MARKER}.example"})
    assert reply.status_code == 400
    assert_without_content(logged())
    assert "DisallowedHost" in logged()["line"]
