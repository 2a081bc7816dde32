"""The accounts' database cannot be written to, as on a full disk: that is said, and nothing typed
is lost.
"""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils.html import escape

PASSWORD = "correct horse battery"
TITLE = "A survey that took an hour to write"


@pytest.fixture
def _nothing_can_be_written(db: None) -> Iterator[None]:
    User.objects.create_user("instructor", password=PASSWORD, is_staff=True)
    connection.connection.execute("PRAGMA query_only = ON")
    yield
    connection.connection.execute("PRAGMA query_only = OFF")


@pytest.mark.usefixtures("_nothing_can_be_written")
@pytest.mark.parametrize("password", [PASSWORD, "a wrong one"])
def test_who_signs_in_is_told_what_does_not_work_and_what_does(password: str):
    response = Client().post("/admin/login/", {"username": "instructor", "password": password})

    page = response.content.decode()
    assert response.status_code == 503
    assert "its disk may be full" in page
    assert "Votes and results are not affected" in page


@pytest.mark.usefixtures("_nothing_can_be_written")
def test_a_survey_that_was_being_written_stays_in_the_page():
    typed = {"title": TITLE, "username": "instructor", "password": PASSWORD}
    response = Client().post("/admin/surveys/new/", typed)

    page = response.content.decode()
    assert response.status_code == 503
    assert escape(TITLE) in page
    assert PASSWORD not in page
