"""One set of rules for answers."""

from typing import Any

import pytest

from polls.ballots.answers import AnswerInvalid, check, check_all, digest
from polls.surveys.definitions import Kind, Option, Question

OPTIONS = (Option("o1", "one"), Option("o2", "two"), Option("o3", "three"))
SINGLE = Question("q1", "S", Kind.SINGLE, True, OPTIONS)
MULTIPLE = Question("q2", "M", Kind.MULTIPLE, False, OPTIONS)
RATING = Question("q3", "R", Kind.RATING, False, (), 5)
TEXT = Question("q4", "T", Kind.TEXT, False)


@pytest.mark.parametrize(
    ("question", "raw", "answer"),
    [
        (SINGLE, "o2", "o2"),
        (MULTIPLE, ["o3", "o1"], ["o1", "o3"]),
        (MULTIPLE, [], None),
        (RATING, 5, 5),
        (RATING, None, None),
        (TEXT, " a\r\nb ", "a\nb"),
        (TEXT, "   ", None),
        (TEXT, "x" * 1000, "x" * 1000),
        (TEXT, "\u200b\u3164", None),
        (TEXT, "\U0001faea", "\U0001faea"),
        (TEXT, "a\u2028b", "a\nb"),
        (TEXT, "u\u0308" * 1000, "ü" * 1000),
        (TEXT, "call \u202a+49 1\u202c", "call \u202a+49 1\u202c"),
    ],
)
def test_an_answer_has_one_canonical_form(question: Question, raw: Any, answer: Any):
    assert check(question, raw) == answer


@pytest.mark.parametrize(
    ("question", "raw"),
    [
        (SINGLE, None),
        (SINGLE, ""),
        (SINGLE, "o9"),
        (SINGLE, ["o1"]),
        (SINGLE, {"o1": 1}),
        (SINGLE, 1),
        (MULTIPLE, "o1"),
        (MULTIPLE, ["o1", "o1"]),
        (MULTIPLE, ["o9"]),
        (MULTIPLE, [["o1"]]),
        (MULTIPLE, {"o1": True}),
        (RATING, 0),
        (RATING, 6),
        (RATING, "5"),
        (RATING, 4.0),
        (RATING, True),
        (TEXT, 5),
        (TEXT, "x" * 1001),
        (TEXT, "a\x00b"),
        (TEXT, "a\x1bb"),
    ],
)
def test_a_wrong_answer_is_refused_with_a_sentence(question: Question, raw: Any):
    with pytest.raises(AnswerInvalid, match=r"^[A-Z].*\.$"):
        check(question, raw)


def test_every_question_with_a_mistake_has_its_own_message_and_unknown_ones_too():
    given, mistakes = check_all((SINGLE, MULTIPLE, RATING), {"q2": ["o9"], "q3": 3, "zz": 1})
    assert given == {"q3": 3}
    assert set(mistakes) == {"q1", "q2", "zz"}


def test_the_digest_tells_answers_apart_and_not_their_order():
    assert digest({"a": 1, "b": "x"}) == digest({"b": "x", "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert len(digest({})) == 16


@pytest.mark.parametrize("unseen", ["\u200b", "\u2800", "\u3164", "\u115f", "\ufe0f", "\u0301"], ids=ascii)
def test_a_required_answer_is_not_given_by_what_nobody_sees(unseen: str):
    with pytest.raises(AnswerInvalid, match="Write an answer"):
        check(Question("q1", "T", Kind.TEXT), unseen)


@pytest.mark.parametrize("harmful", ["\u202eoN", "\u2067a", "a\x00", "\ufffe", "\x85a\x85b", "\udcfc"], ids=ascii)
def test_an_answer_that_would_read_otherwise_than_it_is_says_which_character(harmful: str):
    with pytest.raises(AnswerInvalid, match=r"cannot be shown: U\+"):
        check(TEXT, harmful)
