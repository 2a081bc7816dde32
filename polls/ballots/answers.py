"""The rules for answers, which pages and the API share."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from failover import gateway
from polls.surveys.definitions import Kind, Question
from polls.surveys.merge import canonical

LONGEST_ANSWER = 1_000  # characters of a free text


class AnswerInvalid(ValueError):
    """An answer that its question does not allow; the message tells the voter what to do."""


def check(question: Question, raw: Any) -> Any:
    """The answer in its canonical form: an option id, a list of option ids in the question's order,
    a number or a text; None for no answer. Raises AnswerInvalid.
    """
    answer: Any
    match question.kind:
        case Kind.SINGLE:
            answer = _single(question, raw)
        case Kind.MULTIPLE:
            answer = _multiple(question, raw)
        case Kind.RATING:
            answer = _rating(question, raw)
        case Kind.TEXT:
            answer = _text(raw)
    if answer is None and question.required:
        raise AnswerInvalid(_missing(question))
    return answer


def check_all(questions: tuple[Question, ...], raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Canonical answers, and a message for each question that has a mistake. An answer to an
    unknown question is a mistake too.
    """
    given, mistakes = {}, {}
    for question in questions:
        try:
            answer = check(question, raw.get(question.id))
        except AnswerInvalid as error:
            mistakes[question.id] = str(error)
        else:
            if answer is not None:
                given[question.id] = answer
    for unknown in sorted(set(raw) - {question.id for question in questions}):
        mistakes[unknown[:50]] = _("This survey has no such question.")
    return given, mistakes


def digest(answers: Mapping[str, Any]) -> str:
    """16 hexadecimal characters that tell two sets of answers apart."""
    return hashlib.sha256(canonical(answers).encode()).hexdigest()[:16]


def _single(question: Question, raw: Any) -> str | None:
    if raw is None or raw == "":
        return None
    if not isinstance(raw, str) or raw not in {option.id for option in question.options}:
        raise AnswerInvalid(_("Choose one of the options shown."))
    return raw


def _multiple(question: Question, raw: Any) -> list[str] | None:
    if raw is None or raw == []:
        return None
    known = [option.id for option in question.options]
    if not isinstance(raw, list) or not all(isinstance(item, str) and item in known for item in raw):
        raise AnswerInvalid(_("Choose from the options shown."))
    if len(set(raw)) != len(raw):
        raise AnswerInvalid(_("Choose each option at most once."))
    return sorted(raw, key=known.index)


def _rating(question: Question, raw: Any) -> int | None:
    if raw is None or raw == "":
        return None
    if type(raw) is not int or not 1 <= raw <= question.scale:
        raise AnswerInvalid(_("Choose a whole number from 1 to %(scale)d.") % {"scale": question.scale})
    return raw


def _text(raw: Any) -> str | None:
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise AnswerInvalid(_("Answer with a text."))
    text = gateway.text.tidy(raw, lines=True)
    if gateway.text.is_empty(text):
        return None
    if len(text) > LONGEST_ANSWER:
        raise AnswerInvalid(
            _("Your answer has %(length)d characters; at most %(most)d fit. Shorten it.")
            % {"length": len(text), "most": LONGEST_ANSWER}
        )
    if (character := gateway.text.harm(text, lines=True)) is not None:
        raise AnswerInvalid(
            _("Your answer holds a character that cannot be shown: %(character)s.") % {"character": character}
        )
    return text


def _missing(question: Question) -> str:
    match question.kind:
        case Kind.SINGLE:
            return _("Choose an answer.")
        case Kind.MULTIPLE:
            return _("Choose at least one answer.")
        case Kind.RATING:
            return _("Choose a number.")
        case Kind.TEXT:
            return _("Write an answer.")
