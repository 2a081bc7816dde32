"""Earlier rounds can still be taken away, also when the questions were changed since."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from polls.ballots import services
from polls.results import past_rounds
from polls.surveys import reader, selectors
from polls.surveys.services import survey_change
from polls.surveys.survey import Survey, defined_values
from tests.waiting import wait_until

DEFINITION = reader.parse(
    {
        "title": "T",
        "questions": [
            {"text": "Which?", "kind": "single", "options": ["one", "two"]},
            {"text": "How?", "kind": "rating", "scale": 3},
            {"text": "Why?", "kind": "text"},
        ],
    }
)


def test_what_is_no_longer_asked_is_shown_by_its_id_and_the_rest_in_todays_words():
    then = {"q1": ["o2", "o9"], "q2": ["1", "2", "3", "4"], "q3": [], "q7": ["o1"], "q8": []}
    questions = past_rounds.asked(DEFINITION.questions, then)
    assert [question.text for question in questions] == ["Which?", "How?", "Why?", "q7", "q8"]
    assert [option.text for option in questions[0].options] == ["two", "o9"]
    assert {question.id: [option.id for option in question.choices] for question in questions} == then
    assert past_rounds.asked(DEFINITION.questions, {"q1": ["o1", "o2"]}) == DEFINITION.questions[:1]


def sent(instructor: Client, path: str) -> str:
    return b"".join(instructor.get(path).streaming_content).decode()


@pytest.mark.lab
@pytest.mark.django_db
def test_a_round_before_a_change_of_questions_is_exported_with_everything_that_was_voted(
    instructor: Client, survey: Survey
):
    answers: dict[str, Any] = {"q1": "o2", "q3": 4, "q4": "=because"}
    services.ballot_cast(survey=survey, voter="voter-0001", vote_id=services.name_vote(), answers=answers)
    wait_until(lambda: past_rounds.with_votes(replace(survey, round=2)) == [(1, 1)], within=20, what="a counted vote")
    raw = defined_values(survey.definition)["questions"]
    current = selectors.found_now(survey.code)
    values = {"questions": raw[1:], "allow_change": False}
    survey_change(code=survey.code, values=values, since=current.row, new_round=True)

    export = f"/admin/surveys/{survey.code}/export/"
    page = instructor.get(export).content.decode()
    assert "Round 1 (1 voter)" in page
    assert f"{export}ballots.csv?round=2" in page
    assert f"{export}ballots.csv?round=1" in instructor.get(f"{export}?round=1").content.decode()
    rows = list(csv.reader(io.StringIO(sent(instructor, f"{export}ballots.csv?round=1"))))
    cells = dict(zip(rows[0], rows[1], strict=True))
    assert cells.items() >= {"q1.o1": "0", "q1.o2": "1", "q3": "4", "q4": "'=because"}.items()
    counted = list(csv.DictReader(io.StringIO(sent(instructor, f"{export}results.csv?round=1"))))
    assert [row["count"] for row in counted if row["question_id"] == "q1"] == ["0", "1"]
    assert '"ballots": [\n]' in sent(instructor, f"{export}ballots.json")
    for wrong in ("0", "3", "x", "-1", "²", "9" * 20):
        assert instructor.get(f"{export}ballots.csv?round={wrong}").status_code == 404, wrong
        assert instructor.get(f"{export}?round={wrong}").status_code == 404, wrong
