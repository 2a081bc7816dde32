"""A session lasts while its owner works, and not because a page stays open."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client

from polls.surveys.survey import Survey

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

SESSION = settings.SESSION_COOKIE_NAME
HTMX = {"HX-Request": "true"}
OPENED, ASKED = {"Sec-Fetch-Mode": "navigate"}, {"Sec-Fetch-Mode": "cors"}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/admin/surveys/", {}),
        ("/admin/surveys/new/", OPENED),
        ("/admin/failover/", {}),
        ("/s/{code}/present/", {}),
        ("/s/{code}/results/", OPENED),
    ],
)
def test_a_page_that_is_opened_makes_the_session_last(
    instructor: Client, survey: Survey, path: str, headers: dict[str, str]
):
    assert SESSION in instructor.get(path.format(code=survey.code), headers=headers).cookies


def test_a_form_that_is_sent_makes_the_session_last(instructor: Client, survey: Survey):
    assert SESSION in instructor.post(f"/admin/surveys/{survey.code}/close/", headers=HTMX).cookies
    assert SESSION in instructor.post("/admin/surveys/new/", {"title": "", "action": "add"}).cookies


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/admin/failover/live/", HTMX),
        ("/admin/failover/status.json", {}),
        ("/s/{code}/results.json", {}),
        ("/s/{code}/results/", HTMX),
        ("/s/{code}/present/", {**HTMX, "HX-Target": "stage"}),
        ("/s/{code}/results/", {"X-Requested-With": "retry"}),
        ("/s/{code}/qr.svg", {}),
        ("/admin/surveys/", ASKED),
        ("/admin/surveys/", {"Sec-Fetch-Mode": "no-cors"}),
    ],
)
def test_what_a_page_asks_by_itself_does_not(instructor: Client, survey: Survey, path: str, headers: dict[str, str]):
    assert SESSION not in instructor.get(path.format(code=survey.code), headers=headers).cookies


def test_a_session_ends_twelve_hours_after_the_last_work_and_not_after_the_first(
    instructor: Client, survey: Survey, monkeypatch: pytest.MonkeyPatch
):
    now, hour = signing.time.time(), 3600

    def at(hours: float) -> None:
        monkeypatch.setattr(signing.time, "time", lambda: now + hours * hour)

    for hours in (11, 22):
        at(hours)
        assert instructor.get("/admin/surveys/new/").status_code == 200
    for hours in (28, 33.9):
        at(hours)
        assert instructor.get("/admin/failover/status.json").status_code in (200, 503)
    at(34.1)
    assert instructor.get("/admin/surveys/new/").status_code == 302


def test_who_is_not_signed_in_gets_no_session(survey: Survey):
    student = Client()
    for path in ("/", f"/s/{survey.code}/", "/admin/login/"):
        student.get(path)
    student.cookies[SESSION] = "x"
    student.get(f"/s/{survey.code}/")
    assert student.cookies[SESSION].value in ("", "x")


def test_who_signs_out_stays_signed_out(instructor: Client):
    instructor.post("/admin/logout/")
    assert instructor.get("/admin/surveys/new/").status_code == 302
    assert User.objects.count() == 1
