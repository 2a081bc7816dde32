"""Reads a stored definition back. Nothing is refused here: a survey stays readable when a rule
becomes stricter, when two changes contradict each other, or when a newer version of this program
wrote it.

What is not understood is left out of the definition and named, so that no save removes it
unnoticed. What breaks a rule is read as it stands; `mistakes` names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from polls.surveys.definitions import (
    DEFAULT_SCALE,
    Access,
    Definition,
    DefinitionInvalid,
    Kind,
    Option,
    Question,
    Visibility,
    to_json,
)
from polls.surveys.merge import JSON
from polls.surveys.mistakes import Mistake
from polls.surveys.reader import ID, OPTION_NAMES, QUESTION_NAMES, parse

LARGEST_SCALE = 100  # more than any version has taken, and as many buttons as a page can show
SHOWABLE_YEARS = range(2, 9999)  # a time in these is a date in every time zone
Word = TypeVar("Word", Visibility, Access)


@dataclass(frozen=True)
class Stored:
    """A definition as far as it is understood. `unread` names the properties that were not fully
    understood. `votable` is false where these include a question, a time or the rule who may vote:
    then no ballots can be taken.
    """

    definition: Definition
    unread: frozenset[str]
    votable: bool


def read(document: Mapping[str, JSON], code: str | None = None) -> Stored:
    """The definition in stored properties. Never fails."""
    return _Reader().survey(document, code)


def mistakes(definition: Definition) -> tuple[Mistake, ...]:
    """The mistakes in a definition by the rules for authors, in the current language; empty for a
    good one.
    """
    try:
        parse(to_json(definition))
    except DefinitionInvalid as error:
        return error.mistakes
    return ()


def instant(text: JSON) -> datetime | None:
    """A stored time, aware; None for another value, or a time that is no date in some time zone."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        at = at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at and at.year in SHOWABLE_YEARS else None


class _Reader:
    """Reads one definition, and collects the names of what it does not understand."""

    def __init__(self) -> None:
        self._unread: set[str] = set()
        self._votable = True

    def survey(self, raw: Mapping[str, JSON], code: str | None) -> Stored:
        title = self._text(raw, "title") or code or ""
        listed = raw.get("questions")
        if not isinstance(listed, list):
            self._lost("questions")
            listed = []
        questions: dict[str, Question] = {}
        for item in listed:
            question = self._question(item)
            if question is None or question.id in questions:
                self._lost("questions")
            else:
                questions[question.id] = question
        definition = Definition(
            title,
            tuple(questions.values()),
            self._flag(raw, "allow_change", "allow_change"),
            code,
            self._text(raw, "help"),
            self._word(raw, "results", Visibility.SHOWN, unknown=Visibility.HIDDEN),
            self._word(raw, "access", Access.OPEN, unknown=Access.LINK),
            self._time(raw, "opens_at"),
            self._time(raw, "closes_at"),
        )
        votable = self._votable and "access" not in self._unread and bool(questions)
        return Stored(definition, frozenset(self._unread), votable)

    def _lost(self, name: str) -> None:
        """Note a part that is not understood, and without which no ballot should be taken."""
        self._unread.add(name)
        self._votable = False

    def _question(self, raw: JSON) -> Question | None:
        if not isinstance(raw, dict) or raw.get("kind") not in list(Kind):
            return None
        if not isinstance(raw.get("id"), str) or not ID.fullmatch(raw["id"]):
            return None
        if not raw.keys() <= QUESTION_NAMES:
            self._unread.add("questions")
        kind = Kind(raw["kind"])
        labels = raw.get("labels", [])
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            self._unread.add("questions")
            labels = []
        return Question(
            raw["id"],
            self._text(raw, "text", "questions"),
            kind,
            self._flag(raw, "required", "questions"),
            self._options(raw.get("options", []), kind),
            self._scale(raw.get("scale", DEFAULT_SCALE)) if kind is Kind.RATING else 0,
            self._text(raw, "help", "questions"),
            tuple(labels),
        )

    def _options(self, listed: JSON, kind: Kind) -> tuple[Option, ...]:
        if kind not in (Kind.SINGLE, Kind.MULTIPLE):
            self._unread |= {"questions"} if listed else set()
            return ()
        if not listed or not isinstance(listed, list):
            self._lost("questions")
            return ()
        options: dict[str, Option] = {}
        for place, item in enumerate(listed, 1):
            raw = item if isinstance(item, dict) else {"id": f"o{place}", "text": item}
            name, text = raw.get("id"), raw.get("text")
            if not isinstance(name, str) or not ID.fullmatch(name) or not isinstance(text, str) or name in options:
                self._lost("questions")
                continue
            if not raw.keys() <= OPTION_NAMES:
                self._unread.add("questions")
            options[name] = Option(name, text)
        return tuple(options.values())

    def _scale(self, given: JSON) -> int:
        if type(given) is int and 1 <= given <= LARGEST_SCALE:
            return given
        self._lost("questions")
        return DEFAULT_SCALE

    def _text(self, raw: Mapping[str, JSON], field: str, name: str | None = None) -> str:
        given = raw.get(field)
        if given is None or isinstance(given, str):
            return given or ""
        self._unread.add(name or field)
        return ""

    def _flag(self, raw: Mapping[str, JSON], field: str, name: str) -> bool:
        given = raw.get(field)
        if given is None or isinstance(given, bool):
            return given is not False
        self._unread.add(name)
        return True

    def _word(self, raw: Mapping[str, JSON], name: str, default: Word, *, unknown: Word) -> Word:
        given = raw.get(name)
        if given is None:
            return default
        words = type(default)
        if isinstance(given, str) and given in list(words):
            return words(given)
        self._unread.add(name)
        return unknown

    def _time(self, raw: Mapping[str, JSON], name: str) -> datetime | None:
        given = raw.get(name)
        at = instant(given)
        if at is None and given is not None:
            self._lost(name)
        return at
