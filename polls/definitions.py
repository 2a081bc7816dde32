"""What a survey asks: its parts, and reading them from the survey JSON of import and export."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from . import codes
from .merge import canonical

MOST_QUESTIONS = 50
MOST_OPTIONS = 30
LONGEST_TEXT = 200  # characters
LARGEST_BYTES = 200 * 1024  # the whole definition, encoded; DynamoDB's item limit is 400 KB
SCALES = range(2, 11)
DEFAULT_SCALE = 5
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Kind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    RATING = "rating"
    TEXT = "text"


@dataclass(frozen=True)
class Option:
    """One answer to choose; its id is fixed for ever."""

    id: str
    text: str


@dataclass(frozen=True)
class Question:
    """One question; its id is fixed for ever. `scale` is 0 except for ratings, `options` empty except for choices."""

    id: str
    text: str
    kind: Kind
    required: bool = True
    options: tuple[Option, ...] = ()
    scale: int = 0

    @property
    def choices(self) -> tuple[Option, ...]:
        """What can be chosen; a rating's are its numbers."""
        if self.kind is Kind.RATING:
            return tuple(Option(str(number), str(number)) for number in range(1, self.scale + 1))
        return self.options


@dataclass(frozen=True)
class Definition:
    """A survey as its author wrote it. `code` is None when the author leaves it to us."""

    title: str
    questions: tuple[Question, ...]
    allow_change: bool = True
    code: str | None = None


class DefinitionInvalid(ValueError):
    """The survey JSON breaks the format; `messages` holds one sentence a mistake."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


def parse(raw: Any) -> Definition:
    """Read a survey from parsed JSON. Raises DefinitionInvalid with every mistake at once."""
    reader = _Reader()
    definition = reader.survey(raw)
    if definition is None or reader.mistakes:
        raise DefinitionInvalid(reader.mistakes)
    if len(canonical(to_json(definition)).encode()) > LARGEST_BYTES:
        raise DefinitionInvalid([_("The survey is larger than 200 KB.")])
    return definition


def to_json(definition: Definition) -> dict[str, Any]:
    """The survey JSON, such that reading it again gives an equal definition."""
    document: dict[str, Any] = {"title": definition.title}
    if definition.code:
        document["code"] = definition.code
    document["allow_change"] = definition.allow_change
    document["questions"] = [question_to_json(question) for question in definition.questions]
    return document


def question_to_json(question: Question) -> dict[str, Any]:
    """One question; an option is a plain text while its id is the one that its place gives it."""
    document: dict[str, Any] = {
        "id": question.id,
        "text": question.text,
        "kind": question.kind.value,
        "required": question.required,
    }
    if question.options:
        document["options"] = [
            option.text if option.id == f"o{place}" else {"id": option.id, "text": option.text}
            for place, option in enumerate(question.options, 1)
        ]
    if question.kind is Kind.RATING:
        document["scale"] = question.scale
    return document


class _Reader:
    """Collects a sentence for every mistake instead of stopping at the first."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def wrong(self, where: str, what: str) -> None:
        self.mistakes.append(f"{where}: {what}")

    def survey(self, raw: Any) -> Definition | None:
        where = _("Survey")
        if not isinstance(raw, dict):
            self.wrong(where, _("must be a JSON object with “title” and “questions”."))
            return None
        self.names(raw, {"title", "code", "allow_change", "questions"}, where)
        title = self.text(raw.get("title"), where, "title")
        allow_change = self.flag(raw, "allow_change", where)
        code = None
        if raw.get("code") is not None:
            code = codes.normalise(raw["code"]) if isinstance(raw["code"], str) else None
            if code is None:
                self.wrong(where, _("“code” must be 4 to 12 letters and digits."))
        listed = raw.get("questions")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_QUESTIONS:
            self.wrong(where, _("“questions” must be a list of 1 to %(most)d questions.") % {"most": MOST_QUESTIONS})
            return None
        questions = [self.question(item, place) for place, item in enumerate(listed, 1)]
        self.unique([question.id for question in questions], where, _("the question id “%(value)s” is used twice."))
        return Definition(title, tuple(questions), allow_change, code)

    def question(self, raw: Any, place: int) -> Question:
        where = _("Question %(place)d") % {"place": place}
        if not isinstance(raw, dict):
            self.wrong(where, _("must be a JSON object."))
            return Question(f"q{place}", "", Kind.TEXT)
        self.names(raw, {"id", "text", "kind", "required", "options", "scale"}, where)
        name = self.id(raw.get("id"), f"q{place}", where)
        text = self.text(raw.get("text"), where, "text")
        required = self.flag(raw, "required", where)
        try:
            kind = Kind(str(raw.get("kind")))
        except ValueError:
            self.wrong(where, _("“kind” must be one of %(kinds)s.") % {"kinds": ", ".join(Kind)})
            return Question(name, text, Kind.TEXT)
        options = self.options(raw, kind, where)
        return Question(name, text, kind, required, options, self.scale(raw, kind, where))

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
