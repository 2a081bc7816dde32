"""Surveys of a test's own in the live lab."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from failover import gateway
from failover.wiring import Wired
from polls import definitions, services
from polls.surveys import Survey
from tests.conftest import rows_held
from tests.waiting import wait_until

QUESTIONS = [
    {"text": "Which?", "kind": "single", "options": ["one", "two"]},
    {"text": "All?", "kind": "multiple", "required": False, "options": ["a", "b", "c"]},
    {"text": "How?", "kind": "rating", "required": False},
    {"text": "Why?", "kind": "text", "required": False},
]


@pytest.fixture
def make_survey(wired: Wired, request: pytest.FixtureRequest) -> Callable[..., Survey]:
    """Makes a survey with a code that nobody has; for a test that breaks regions, one that every region holds."""

    def make(**changes: Any) -> Survey:
        raw = {"title": "A survey of tests", "questions": QUESTIONS, **changes}
        made = services.survey_create(definition=definitions.parse(raw))
        if "app" in request.fixturenames:
            everywhere = dict.fromkeys(gateway.regions(), 1)
            wait_until(lambda: rows_held(made.code) == everywhere, within=20, what="every region holds the survey")
        return made

    return make


@pytest.fixture
def survey(make_survey: Callable[..., Survey]) -> Survey:
    """An open survey whose votes may be changed."""
    return make_survey()


@pytest.fixture
def browser(wired: Wired) -> Client:
    """A student's browser, cookies and CSRF included."""
    return Client(enforce_csrf_checks=True)
