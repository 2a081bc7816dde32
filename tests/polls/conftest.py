"""Surveys of a test's own in the live lab."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from failover import gateway
from failover.wiring import Wired
from polls.surveys import reader
from polls.surveys.selectors import SurveyUnknown
from polls.surveys.services import survey_close, survey_create
from polls.surveys.survey import Survey
from tests.conftest import rows_held
from tests.waiting import wait_until

QUESTIONS = [
    {"text": "Which?", "kind": "single", "options": ["one", "two"]},
    {"text": "All?", "kind": "multiple", "required": False, "options": ["a", "b", "c"]},
    {"text": "How?", "kind": "rating", "required": False},
    {"text": "Why?", "kind": "text", "required": False},
]


@pytest.fixture
def make_survey(wired: Wired, request: pytest.FixtureRequest) -> Iterator[Callable[..., Survey]]:
    """Makes a survey with a code that nobody has; for a test that breaks regions, one that every region holds."""
    breaks_regions, codes = "app" in request.fixturenames, []

    def make(**changes: Any) -> Survey:
        raw = {"title": "A survey of tests", "questions": QUESTIONS, **changes}
        made = survey_create(definition=reader.parse(raw))
        codes.append(made.code)
        if breaks_regions:
            everywhere = dict.fromkeys(gateway.regions(), 1)
            wait_until(lambda: rows_held(made.code) == everywhere, within=20, what="every region holds the survey")
        return made

    yield make
    if not breaks_regions:
        for code in codes:
            with suppress(SurveyUnknown):  # the lab compares the tallies of what is open with its ballots all the time
                survey_close(code=code)


@pytest.fixture
def survey(make_survey: Callable[..., Survey]) -> Survey:
    """An open survey whose votes may be changed."""
    return make_survey()


@pytest.fixture
def browser(wired: Wired) -> Client:
    """A student's browser, cookies and CSRF included."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def instructor(wired: Wired, db: None) -> Client:
    """The browser of an instructor who is signed in."""
    client = Client()
    client.force_login(User.objects.create_user("instructor", is_staff=True))
    return client
