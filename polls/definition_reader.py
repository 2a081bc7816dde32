"""Reads the survey JSON of import and export, and says everything that is wrong with it at once."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from . import codes
from .definitions import (
    DEFAULT_SCALE,
    LONGEST_HELP,
    LONGEST_TEXT,
    MOST_OPTIONS,
    MOST_QUESTIONS,
    SCALES,
    Access,
    Definition,
    Kind,
    Option,
    Question,
    Visibility,
)

SURVEY_NAMES = {
    "title", "code", "allow_change", "questions", "help", "results", "access", "opens_at", "closes_at",
}  # fmt: skip
QUESTION_NAMES = {"id", "text", "kind", "required", "options", "scale", "help", "labels"}
Word = TypeVar("Word", Visibility, Access)
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Reader:
    """Collects a sentence for every mistake instead of stopping at the first."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.places: list[int] = []
        self._place = 0

    def wrong(self, where: str, what: str) -> None:
        """One more mistake."""
        self.mistakes.append(f"{where}: {what}")
        self.places.append(self._place)

    def survey(self, raw: Any) -> Definition | None:
        where = _("Survey")
        if not isinstance(raw, dict):
            self.wrong(where, _("must be a JSON object with “title” and “questions”."))
            return None
        self.names(raw, SURVEY_NAMES, where)
        title = self.text(raw.get("title"), where, "title")
        allow_change = self.flag(raw, "allow_change", where)
        text = self.help(raw, where)
        results = self.word(raw, "results", Visibility.SHOWN, where)
        access = self.word(raw, "access", Access.OPEN, where)
        opens_at, closes_at = self.time(raw, "opens_at", where), self.time(raw, "closes_at", where)
        if opens_at and closes_at and closes_at <= opens_at:
            self.wrong(where, _("“closes_at” must be later than “opens_at”."))
        code = None
        if raw.get("code") is not None:
            code = codes.normalise(raw["code"]) if isinstance(raw["code"], str) else None
            if code is None:
                self.wrong(where, _("“code” must be 4 to 12 letters and digits."))
        listed = raw.get("questions")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_QUESTIONS:
            self.wrong(where, _("“questions” must be a list of 1 to %(most)d questions.") % {"most": MOST_QUESTIONS})
            return None
        questions = []
        for self._place, item in enumerate(listed, 1):
            questions.append(self.question(item, self._place))
        self._place = 0
        self.unique([question.id for question in questions], where, _("the question id “%(value)s” is used twice."))
        return Definition(title, tuple(questions), allow_change, code, text, results, access, opens_at, closes_at)

    def question(self, raw: Any, place: int) -> Question:
        where = _("Question %(place)d") % {"place": place}
        if not isinstance(raw, dict):
            self.wrong(where, _("must be a JSON object."))
            return Question(f"q{place}", "", Kind.TEXT)
        self.names(raw, QUESTION_NAMES, where)
        name = self.id(raw.get("id"), f"q{place}", where)
        text = self.text(raw.get("text"), where, "text")
        required = self.flag(raw, "required", where)
        try:
            kind = Kind(str(raw.get("kind")))
        except ValueError:
            self.wrong(where, _("“kind” must be one of %(kinds)s.") % {"kinds": ", ".join(Kind)})
            return Question(name, text, Kind.TEXT)
        options = self.options(raw, kind, where)
        scale = self.scale(raw, kind, where)
        labels = self.labels(raw, kind, scale, where)
        return Question(name, text, kind, required, options, scale, self.help(raw, where), labels)

    def options(self, raw: Mapping[str, Any], kind: Kind, where: str) -> tuple[Option, ...]:
        if kind not in (Kind.SINGLE, Kind.MULTIPLE):
            if raw.get("options"):
                self.wrong(where, _("a %(kind)s question has no “options”.") % {"kind": kind})
            return ()
        listed, fewest = raw.get("options"), 2 if kind is Kind.SINGLE else 1
        if not isinstance(listed, list) or not fewest <= len(listed) <= MOST_OPTIONS:
            self.wrong(
                where,
                _("“options” must be a list of %(fewest)d to %(most)d options.")
                % {"fewest": fewest, "most": MOST_OPTIONS},
            )
            return ()
        options = []
        for place, item in enumerate(listed, 1):
            here = _("%(where)s, option %(place)d") % {"where": where, "place": place}
            if isinstance(item, dict):
                self.names(item, {"id", "text"}, here)
            given = item if isinstance(item, dict) else {"text": item}
            options.append(
                Option(self.id(given.get("id"), f"o{place}", here), self.text(given.get("text"), here, "text"))
            )
        self.unique([option.id for option in options], where, _("the option id “%(value)s” is used twice."))
        self.unique(
            [option.text for option in options if option.text], where, _("the option “%(value)s” is there twice.")
        )
        return tuple(options)

    def scale(self, raw: Mapping[str, Any], kind: Kind, where: str) -> int:
        given = raw.get("scale")
        if kind is not Kind.RATING:
            if given is not None:
                self.wrong(where, _("only a rating has a “scale”."))
            return 0
        if given is None:
            return DEFAULT_SCALE
        if type(given) is not int or given not in SCALES:
            self.wrong(
                where,
                _("“scale” must be a whole number from %(low)d to %(high)d.") % {"low": SCALES[0], "high": SCALES[-1]},
            )
            return DEFAULT_SCALE
        return given

    def labels(self, raw: Mapping[str, Any], kind: Kind, scale: int, where: str) -> tuple[str, ...]:
        given = raw.get("labels")
        if given is None:
            return ()
        if kind is not Kind.RATING:
            self.wrong(where, _("only a rating has “labels”."))
            return ()
        if not isinstance(given, list) or len(given) not in (0, 2, scale):
            self.wrong(
                where,
                _("“labels” must be a list of 2 texts (for both ends) or of %(scale)d (one a number).")
                % {"scale": scale},
            )
            return ()
        return tuple(self.text(item, where, "labels") for item in given)

    def help(self, raw: Mapping[str, Any], where: str) -> str:
        given = raw.get("help")
        if given is None:
            return ""
        if not isinstance(given, str):
            self.wrong(where, _("“help” must be a text."))
            return ""
        text = "\n".join(given.strip().splitlines())
        if len(text) > LONGEST_HELP:
            self.wrong(where, _("“help” is longer than %(most)d characters.") % {"most": LONGEST_HELP})
        elif not text.replace("\n", "").replace("\t", "").isprintable():
            self.wrong(where, _("“%(name)s” holds characters that cannot be shown.") % {"name": "help"})
        return text

    def word(self, raw: Mapping[str, Any], name: str, default: Word, where: str) -> Word:
        given = raw.get(name)
        if given is None:
            return default
        words = type(default)
        if isinstance(given, str) and given in list(words):
            return words(given)
        self.wrong(where, _("“%(name)s” must be one of %(words)s.") % {"name": name, "words": ", ".join(words)})
        return default

    def time(self, raw: Mapping[str, Any], name: str, where: str) -> datetime | None:
        given = raw.get(name)
        if given is None:
            return None
        try:
            # As UTC, so that a time whose zone leads out of the calendar is refused here and not when it is shown.
            at = datetime.fromisoformat(given).astimezone(UTC) if isinstance(given, str) else None
            if at is None or datetime.fromisoformat(given).tzinfo is None:
                raise ValueError
        except (ValueError, OverflowError):
            self.wrong(
                where,
                _("“%(name)s” must be a time with its zone, such as 2026-03-31T14:00:00Z.") % {"name": name},
            )
            return None
        return at.replace(microsecond=0)

    def text(self, raw: Any, where: str, name: str) -> str:
        text = raw.strip() if isinstance(raw, str) else ""
        if not text:
            self.wrong(where, _("“%(name)s” must be a text that is not empty.") % {"name": name})
        elif len(text) > LONGEST_TEXT:
            self.wrong(
                where, _("“%(name)s” is longer than %(most)d characters.") % {"name": name, "most": LONGEST_TEXT}
            )
        elif not text.isprintable():
            self.wrong(where, _("“%(name)s” holds characters that cannot be shown.") % {"name": name})
        return text

    def id(self, raw: Any, default: str, where: str) -> str:
        if raw is None:
            return default
        if isinstance(raw, str) and _ID.fullmatch(raw):
            return raw
        self.wrong(where, _("“id” must be 1 to 32 letters, digits, “-” or “_”."))
        return default

    def flag(self, raw: Mapping[str, Any], name: str, where: str) -> bool:
        given = raw.get(name, True)
        if not isinstance(given, bool):
            self.wrong(where, _("“%(name)s” must be true or false.") % {"name": name})
            return True
        return given

    def names(self, raw: Mapping[str, Any], known: set[str], where: str) -> None:
        for name in sorted(set(raw) - known):
            self.wrong(where, _("“%(name)s” is not part of the format.") % {"name": name[:50]})

    def unique(self, values: list[str], where: str, sentence: str) -> None:
        for value in sorted({value for value in values if values.count(value) > 1}):
            self.wrong(where, sentence % {"value": value})
