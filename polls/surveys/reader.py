"""Reads the survey JSON of import and export, and names every mistake in it at once. Start with
`parse`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from failover import gateway
from polls.surveys import codes
from polls.surveys.definitions import (
    DEFAULT_SCALE,
    LONGEST_HELP,
    LONGEST_TEXT,
    MOST_OPTIONS,
    MOST_QUESTIONS,
    SCALES,
    SENSIBLE_YEARS,
    Access,
    Definition,
    DefinitionInvalid,
    Kind,
    Option,
    Question,
    Visibility,
    is_too_large,
    to_json,
)
from polls.surveys.mistakes import Mistake

SURVEY_NAMES = {
    "title", "code", "allow_change", "questions", "help", "results", "access", "opens_at", "closes_at",
}  # fmt: skip
QUESTION_NAMES = {"id", "text", "kind", "required", "options", "scale", "help", "labels"}
OPTION_NAMES = {"id", "text"}
Word = TypeVar("Word", Visibility, Access)
ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def parse(raw: Any) -> Definition:
    """Read a survey from parsed JSON. Raises DefinitionInvalid with every mistake at once."""
    reader = Reader()
    definition = reader.survey(raw)
    if definition is None or reader.mistakes:
        raise DefinitionInvalid(reader.mistakes)
    if is_too_large(to_json(definition)):
        raise DefinitionInvalid([Mistake(_("The survey is larger than 200 KB."))])
    return definition


class Reader:
    """Collects every mistake instead of stopping at the first. Sentences name a field as the
    builder's form does.
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._question = self._option = 0

    def wrong(self, field: str, what: str) -> None:
        """Add a mistake about the question and the option that are being read."""
        self.mistakes.append(Mistake(what, self._question, self._option, field))

    def survey(self, raw: Any) -> Definition | None:
        if not isinstance(raw, dict):
            self.wrong("", _("A survey must be a JSON object with “title” and “questions”."))
            return None
        self.names(raw, SURVEY_NAMES)
        title = self.text(raw.get("title"), "title", _("Title"), _("Give the survey a title."))
        allow_change = self.flag(raw, "allow_change", _("A vote may be changed"))
        text = self.help(raw, _("Introduction"))
        results = self.word(raw, "results", _("Results"), Visibility.SHOWN)
        access = self.word(raw, "access", _("Who may vote"), Access.OPEN)
        opens_at = self.time(raw, "opens_at", _("Opens at"))
        closes_at = self.time(raw, "closes_at", _("Closes at"))
        if opens_at and closes_at and closes_at <= opens_at:
            self.wrong("closes_at", _("“Closes at” must be later than “Opens at”."))
        code = None
        if raw.get("code") is not None:
            code = codes.normalise(raw["code"]) if isinstance(raw["code"], str) else None
            if code is None:
                self.wrong("code", _("The join code must be 4 to 12 letters and digits."))
        listed = raw.get("questions")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_QUESTIONS:
            self.wrong("questions", _("A survey has 1 to %(most)d questions.") % {"most": MOST_QUESTIONS})
            return None
        questions = []
        for self._question, item in enumerate(listed, 1):
            questions.append(self.question(item, self._question))
        self._question = 0
        ids = [question.id for question in questions]
        self.unique(ids, "questions", _("The question id “%(value)s” is used twice."))
        return Definition(title, tuple(questions), allow_change, code, text, results, access, opens_at, closes_at)

    def question(self, raw: Any, place: int) -> Question:
        if not isinstance(raw, dict):
            self.wrong("", _("A question must be a JSON object."))
            return Question(f"q{place}", "", Kind.TEXT)
        self.names(raw, QUESTION_NAMES)
        name = self.id(raw.get("id"), f"q{place}")
        text = self.text(raw.get("text"), "text", _("Question"), _("Write the question."))
        required = self.flag(raw, "required", _("An answer is required"))
        try:
            kind = Kind(str(raw.get("kind")))
        except ValueError:
            self.wrong(
                "kind", _("“%(name)s” must be one of %(words)s.") % {"name": _("Kind"), "words": ", ".join(Kind)}
            )
            return Question(name, text, Kind.TEXT)
        options = self.options(raw, kind)
        scale = self.scale(raw, kind)
        labels = self.labels(raw, kind, scale)
        return Question(name, text, kind, required, options, scale, self.help(raw, _("Help text")), labels)

    def options(self, raw: Mapping[str, Any], kind: Kind) -> tuple[Option, ...]:
        if kind not in (Kind.SINGLE, Kind.MULTIPLE):
            if raw.get("options"):
                self.wrong("options", _("Only “Choose one” and “Choose several” have options."))
            return ()
        listed, fewest = raw.get("options"), 2 if kind is Kind.SINGLE else 1
        if not isinstance(listed, list) or not fewest <= len(listed) <= MOST_OPTIONS:
            values = {"fewest": fewest, "most": MOST_OPTIONS}
            self.wrong("options", _("Give %(fewest)d to %(most)d options.") % values)
            return ()
        options = []
        for self._option, item in enumerate(listed, 1):
            options.append(self.option(item, self._option))
        self._option = 0
        self.unique([option.id for option in options], "options", _("The option id “%(value)s” is used twice."))
        looks = [gateway.text.likeness(option.text) for option in options if option.text]
        self.unique(looks, "options", _("The option “%(value)s” is there twice."))
        return tuple(options)

    def option(self, raw: Any, place: int) -> Option:
        missing = _("Write the option.")
        if not isinstance(raw, dict):
            return Option(f"o{place}", self.text(raw, "", _("Option"), missing))
        self.names(raw, OPTION_NAMES)
        return Option(self.id(raw.get("id"), f"o{place}"), self.text(raw.get("text"), "text", _("Option"), missing))

    def scale(self, raw: Mapping[str, Any], kind: Kind) -> int:
        given = raw.get("scale")
        if kind is not Kind.RATING:
            if given is not None:
                self.wrong("scale", _("Only a rating has a scale."))
            return 0
        if given is None:
            return DEFAULT_SCALE
        if type(given) is not int or given not in SCALES:
            values = {"low": SCALES[0], "high": SCALES[-1]}
            self.wrong("scale", _("A rating goes from 1 to a whole number between %(low)d and %(high)d.") % values)
            return DEFAULT_SCALE
        return given

    def labels(self, raw: Mapping[str, Any], kind: Kind, scale: int) -> tuple[str, ...]:
        given = raw.get("labels")
        if given is None:
            return ()
        if kind is not Kind.RATING:
            self.wrong("labels", _("Only a rating has labels."))
            return ()
        if not isinstance(given, list) or len(given) not in (0, 2, scale):
            values = {"scale": scale}
            self.wrong("labels", _("Give 2 labels (for both ends) or %(scale)d (one for each number).") % values)
            return ()
        name, missing = _("Labels of the rating"), _("Write every label.")
        return tuple(self.text(item, "labels", name, missing) for item in given)

    def help(self, raw: Mapping[str, Any], name: str) -> str:
        given = raw.get("help")
        if given is None:
            return ""
        if not isinstance(given, str):
            self.wrong("help", _("“%(name)s” must be a text.") % {"name": name})
            return ""
        text = gateway.text.tidy(given, lines=True)
        if gateway.text.is_empty(text):
            return ""
        self.fitting(text, "help", name, LONGEST_HELP, lines=True)
        return text

    def word(self, raw: Mapping[str, Any], field: str, name: str, default: Word) -> Word:
        given = raw.get(field)
        if given is None:
            return default
        words = type(default)
        if isinstance(given, str) and given in list(words):
            return words(given)
        self.wrong(field, _("“%(name)s” must be one of %(words)s.") % {"name": name, "words": ", ".join(words)})
        return default

    def time(self, raw: Mapping[str, Any], field: str, name: str) -> datetime | None:
        given = raw.get(field)
        if given is None:
            return None
        try:
            # As UTC, so that a time whose zone leads out of the calendar is refused here and not
            # when it is shown.
            at = datetime.fromisoformat(given).astimezone(UTC) if isinstance(given, str) else None
            if at is None or datetime.fromisoformat(given).tzinfo is None:
                raise ValueError
        except (ValueError, OverflowError):
            self.wrong(
                field, _("“%(name)s” must be a time with its zone, such as 2026-03-31T14:00:00Z.") % {"name": name}
            )
            return None
        if at.year not in SENSIBLE_YEARS:
            values = {"name": name, "first": SENSIBLE_YEARS[0], "last": SENSIBLE_YEARS[-1]}
            self.wrong(field, _("“%(name)s” must lie in the years %(first)d to %(last)d.") % values)
            return None
        return at.replace(microsecond=0)

    def text(self, raw: Any, field: str, name: str, missing: str) -> str:
        text = gateway.text.tidy(raw) if isinstance(raw, str) else ""
        if gateway.text.is_empty(text):
            self.wrong(field, missing)
            return ""
        self.fitting(text, field, name, LONGEST_TEXT)
        return text

    def fitting(self, text: str, field: str, name: str, most: int, *, lines: bool = False) -> None:
        if len(text) > most:
            self.wrong(field, _("“%(name)s” is longer than %(most)d characters.") % {"name": name, "most": most})
        elif (character := gateway.text.harm(text, lines=lines)) is not None:
            values = {"name": name, "character": character}
            self.wrong(field, _("“%(name)s” holds a character that cannot be shown: %(character)s.") % values)

    def id(self, raw: Any, default: str) -> str:
        if raw is None:
            return default
        if isinstance(raw, str) and ID.fullmatch(raw):
            return raw
        self.wrong("id", _("An id must be 1 to 32 letters, digits, “-” or “_”."))
        return default

    def flag(self, raw: Mapping[str, Any], field: str, name: str) -> bool:
        given = raw.get(field, True)
        if not isinstance(given, bool):
            self.wrong(field, _("“%(name)s” must be true or false.") % {"name": name})
            return True
        return given

    def names(self, raw: Mapping[str, Any], known: set[str]) -> None:
        for name in sorted(set(raw) - known):
            shown = gateway.text.harmless(name, most=50)
            self.wrong(shown, _("“%(name)s” is not part of the format.") % {"name": shown})

    def unique(self, values: list[str], field: str, sentence: str) -> None:
        for value in sorted({value for value in values if values.count(value) > 1}):
            self.wrong(field, sentence % {"value": value})
