"""The survey JSON: what it may hold, and one sentence for each mistake."""

import json
from pathlib import Path
from typing import Any

import pytest

from polls.surveys.definitions import DefinitionInvalid, Kind, Option, to_json
from polls.surveys.reader import parse

MINIMAL = {"title": "T", "questions": [{"text": "Q", "kind": "single", "options": ["a", "b"]}]}


def with_question(**changes: Any) -> dict[str, Any]:
    question = {**MINIMAL["questions"][0], **changes}
    return {**MINIMAL, "questions": [{name: value for name, value in question.items() if value is not ...}]}


def mistakes(raw: Any) -> list[str]:
    with pytest.raises(DefinitionInvalid) as caught:
        parse(raw)
    return caught.value.messages


def test_ids_that_are_not_given_come_from_the_place():
    definition = parse(MINIMAL)
    assert definition.questions[0].id == "q1"
    assert definition.questions[0].options == (Option("o1", "a"), Option("o2", "b"))
    assert definition.allow_change
    assert definition.questions[0].required


def test_what_is_written_is_read_again_as_the_same_survey():
    raw = {
        "title": "T",
        "code": "abcd",
        "allow_change": False,
        "questions": [
            {"id": "mood", "text": "How?", "kind": "rating", "required": False, "scale": 7},
            {"text": "Which?", "kind": "multiple", "options": [{"id": "x", "text": "one"}, "two"]},
            {"text": "Why?", "kind": "text"},
        ],
    }
    definition = parse(raw)
    assert definition.code == "ABCD"
    assert parse(json.loads(json.dumps(to_json(definition)))) == definition


def test_a_rating_is_of_five_unless_told_otherwise():
    question = parse(with_question(kind="rating", options=...)).questions[0]
    assert (question.kind, question.scale) == (Kind.RATING, 5)
    assert [option.id for option in question.choices] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ([], "must be a JSON object"),
        ({**MINIMAL, "title": " "}, "Give the survey a title"),
        ({**MINIMAL, "title": "x" * 201}, "“Title” is longer than 200"),
        ({**MINIMAL, "title": "a\x00b"}, "cannot be shown"),
        ({**MINIMAL, "titel": "x"}, "“titel” is not part"),
        ({**MINIMAL, "code": "a"}, "join code must be"),
        ({**MINIMAL, "code": 7}, "join code must be"),
        ({**MINIMAL, "allow_change": "yes"}, "“A vote may be changed” must be true or false"),
        ({**MINIMAL, "questions": []}, "1 to 50"),
        ({**MINIMAL, "questions": MINIMAL["questions"] * 51}, "1 to 50"),
        ({**MINIMAL, "questions": ["x"]}, "Question 1: A question must be a JSON object"),
        (with_question(kind="essay"), "Question 1: “Kind” must be one of single, multiple"),
        (with_question(kind=...), "Question 1: “Kind” must be one of single, multiple"),
        (with_question(kind=["single"]), "Question 1: “Kind” must be one of single, multiple"),
        (with_question(text=...), "Question 1: Write the question"),
        (with_question(options=...), "2 to 30"),
        (with_question(options=["a"]), "2 to 30"),
        (with_question(options=[str(n) for n in range(31)]), "2 to 30"),
        (with_question(options=["a", "a"]), "“a” is there twice"),
        (with_question(options=["a", ""]), "Question 1, option 2: Write the option"),
        (with_question(options=["a", 5]), "Question 1, option 2: Write the option"),
        (with_question(options=["a", {"id": "o1", "text": "b"}]), "“o1” is used twice"),
        (with_question(id="a b"), "An id must be"),
        (with_question(id="q#1"), "An id must be"),
        (with_question(scale=3), "Only a rating has a scale"),
        (with_question(kind="rating", options=..., scale=11), "between 2 and 10"),
        (with_question(kind="rating", options=..., scale=True), "between 2 and 10"),
        (with_question(kind="rating"), "“Choose several” have options"),
        (with_question(required=1), "must be true or false"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_mistake_is_one_clear_sentence(raw: Any, sentence: str):
    found = mistakes(raw)
    assert len(found) == 1, found
    assert sentence in found[0]


def test_all_mistakes_are_told_at_once():
    assert len(mistakes({"title": "", "questions": [{"text": "", "kind": "x"}, {"text": "Q", "kind": "single"}]})) == 4


def test_two_questions_cannot_share_an_id():
    questions = [{"id": "q2", "text": "A", "kind": "text"}, {"text": "B", "kind": "text"}]
    assert mistakes({"title": "T", "questions": questions}) == ["The question id “q2” is used twice. (questions)"]


def test_a_survey_larger_than_200_kb_is_refused():
    options = [("😀" * 190) + str(number) for number in range(30)]
    question = {"text": "Q", "kind": "multiple", "options": options}
    assert mistakes({"title": "T", "questions": [question] * 20}) == ["The survey is larger than 200 KB."]


def test_the_demo_survey_begins_as_promised():
    demo = parse(json.loads(Path("polls/demo_survey.json").read_text()))
    first = demo.questions[0]
    assert demo.code == "DEMO20"
    assert demo.allow_change
    assert first.text == "Have you deployed anything to a cloud before?"
    assert [option.text for option in first.options] == ["No, not yet", "Yes, with AWS", "Yes, with another cloud"]
    assert len(demo.questions) == 3
