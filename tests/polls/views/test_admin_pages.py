"""The instructor's surveys against the live lab: for staff only, and a reset is typed, not clicked."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from polls.surveys import codes, selectors
from polls.surveys.survey import Survey
from tests.polls.clocks import in_days

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


def current(survey: Survey) -> Survey:
    return selectors.survey_get(survey.code).value


@pytest.mark.parametrize("path", ["", "{}/open/", "{}/close/", "{}/reset/"])
def test_only_staff_come_in(survey: Survey, path: str):
    student = Client()
    address = "/admin/surveys/" + path.format(survey.code)
    for reply in (student.get(address), student.post(address, {"confirm": survey.code})):
        assert reply.status_code == 302
        assert reply["Location"].startswith("/admin/login/")
    assert current(survey) == survey


def test_the_list_shows_state_round_and_voters(instructor: Client, survey: Survey):
    page = instructor.get("/admin/surveys/").content.decode()
    assert survey.code in page
    assert f"/admin/surveys/{survey.code}/close/" in page
    assert f"/s/{survey.code}/results/" in page
    assert page.count("<h1") == 1


def test_close_and_open_are_buttons_that_say_what_happened(instructor: Client, survey: Survey):
    page = instructor.post(f"/admin/surveys/{survey.code}/close/", follow=True)
    assert f"{survey.code} is closed." in page.content.decode()
    assert not current(survey).is_open
    instructor.post(f"/admin/surveys/{survey.code}/open/")
    assert current(survey).is_open
    assert instructor.get(f"/admin/surveys/{survey.code}/open/").status_code == 405


def test_a_reset_needs_the_code_to_be_typed(instructor: Client, survey: Survey):
    page = f"/admin/surveys/{survey.code}/reset/"
    assert survey.code in instructor.get(page).content.decode()
    for typed in ("", "DEMO20", "yes"):
        reply = instructor.post(page, {"confirm": typed})
        assert reply.status_code == 422
        assert "nothing was changed" in reply.content.decode()
    assert current(survey).round == 1
    assert instructor.post(page, {"confirm": survey.code.lower()}).status_code == 302
    assert current(survey).round == 2


def test_a_double_click_resets_once(instructor: Client, survey: Survey):
    page = f"/admin/surveys/{survey.code}/reset/"
    assert 'name="ends" value="1"' in instructor.get(page).content.decode()
    for _click in range(2):
        assert instructor.post(page, {"confirm": survey.code, "ends": "1"}).status_code == 302
    assert current(survey).round == 2


def test_an_unknown_survey_is_404(instructor: Client):
    assert instructor.get("/admin/surveys/NOSUCH/reset/").status_code == 404
    assert instructor.post("/admin/surveys/NOSUCH/close/").status_code == 404


def test_a_file_makes_a_survey(instructor: Client):
    code = codes.make()
    raw = {"title": "Uploaded", "code": code, "questions": [{"text": "Q", "kind": "text"}]}
    reply = instructor.post("/admin/surveys/", {"file": uploaded(raw)}, follow=True)
    assert f"{code} is saved; it is closed until you open it." in reply.content.decode()
    assert selectors.survey_get(code).value.definition.title == "Uploaded"
    assert not selectors.survey_get(code).value.is_open


@pytest.mark.parametrize(
    ("more", "button", "sentence", "is_open"),
    [
        ({}, {"open": "1"}, "is saved and open: it takes votes", True),
        ({"opens_at": in_days(90)}, {}, "is saved; it opens at the time that you set", False),
        ({"opens_at": in_days(90)}, {"open": "1"}, "is saved; it opens at the time that you set", False),
        ({"opens_at": "2020-01-01T10:00:00Z"}, {}, "is saved and open: it takes votes", True),
    ],
)
def test_a_file_opens_by_its_own_button_or_at_its_own_time(
    instructor: Client, more: dict[str, str], button: dict[str, str], sentence: str, is_open: bool
):
    code = codes.make()
    raw = {"title": "Uploaded", "code": code, "questions": [{"text": "Q", "kind": "text"}], **more}
    reply = instructor.post("/admin/surveys/", {"file": uploaded(raw), **button}, follow=True)
    assert f"{code} {sentence}" in reply.content.decode()
    assert selectors.survey_get(code).value.is_open is is_open


def uploaded(raw: dict[str, Any]) -> SimpleUploadedFile:
    return SimpleUploadedFile("s.json", json.dumps(raw).encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "Choose a file."),
        (b"{", "Not valid JSON"),
        (b'{"title": "T", "questions": []}', "1 to 50"),
        (b" " * 210_000, "larger than 200 KB"),
        (b"", "empty"),
    ],
)
def test_a_broken_file_is_told_and_changes_nothing(instructor: Client, content: bytes | None, words: str):
    files = {} if content is None else {"file": SimpleUploadedFile("s.json", content)}
    reply = instructor.post("/admin/surveys/", files)
    assert reply.status_code == 422
    assert words in reply.content.decode()
    assert "<title>Error: " in reply.content.decode()
