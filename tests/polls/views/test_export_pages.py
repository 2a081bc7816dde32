"""Results and ballots as files."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from django.test import Client

from polls.surveys.survey import Survey
from tests.polls.views.pages import text
from tests.polls.views.projector import SCRIPT

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


@pytest.mark.parametrize("path", ["", "results.csv", "results.json", "ballots.csv", "ballots.json"])
def test_only_staff_export(survey: Survey, path: str):
    reply = Client().get(f"/admin/surveys/{survey.code}/export/{path}")
    assert reply.status_code == 302
    assert reply["Location"].startswith("/admin/login/")


def test_exports_hold_every_ballot_and_nobodys_name(instructor: Client, voted: Survey):
    def export(name: str) -> str:
        reply = instructor.get(f"/admin/surveys/{voted.code}/export/{name}")
        assert reply.status_code == 200
        assert reply["Content-Disposition"].startswith(f'attachment; filename="{voted.code}-round-1-')
        return b"".join(reply.streaming_content).decode()

    assert "ballots.csv" in text(instructor.get(f"/admin/surveys/{voted.code}/export/"))
    rows = list(csv.reader(io.StringIO(export("ballots.csv"), newline="")))
    assert rows[0][2:] == ["q1", "q1.text", "q2.o1", "q2.o2", "q2.o3", "q3", "q4"]
    assert sorted(row[2:] for row in rows[1:]) == [
        ["o1", "one", "", "", "", "", ""],
        ["o2", "two", "", "", "", "4", "'=1+1"],
        ["o2", "two", "", "", "", "5", SCRIPT],
    ]
    assert export("ballots.csv?bom=1").startswith("\ufeff")
    assert export("ballots.csv?separator=semicolon").startswith("ballot;minute_utc;q1;")
    assert export("ballots.csv?separator=tab").startswith("ballot,minute_utc,q1,")
    ballots = export("ballots.json")
    assert "voter" not in ballots
    assert sorted(ballot["ballot"] for ballot in json.loads(ballots)["ballots"]) == [1, 2, 3]
    assert json.loads(export("results.json"))["voters"] == 3
    assert "q1,Which?,single,o2,two,2,66.7,66.7,3,3," in export("results.csv")


def test_an_empty_export_is_a_whole_file(instructor: Client, make_survey: Callable[..., Survey]):
    empty = make_survey()
    reply = instructor.get(f"/admin/surveys/{empty.code}/export/ballots.json")
    assert json.loads(b"".join(reply.streaming_content))["ballots"] == []
