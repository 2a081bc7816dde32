"""What a survey asks: its parts, and the survey JSON of import and export (reader.py reads it)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from polls.surveys.merge import canonical
from polls.surveys.mistakes import Mistake

MOST_QUESTIONS = 50
MOST_OPTIONS = 30
LONGEST_TEXT = 200  # characters
LONGEST_HELP = 1_000  # characters of Markdown
LARGEST_BYTES = 200 * 1024  # the whole definition, encoded; DynamoDB's item limit is 400 KB
SCALES = range(2, 11)
DEFAULT_SCALE = 5
SENSIBLE_YEARS = range(2000, 2101)  # a time of opening or closing outside of these is a slip of the pen


class Kind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    RATING = "rating"
    TEXT = "text"


class Visibility(StrEnum):
    """Whether voters may look at the results yet."""

    SHOWN = "shown"
    HIDDEN = "hidden"


class Access(StrEnum):
    """Who may vote: whoever has the code, or only who was given a voting link."""

    OPEN = "open"
    LINK = "link"


@dataclass(frozen=True)
class Option:
    """One answer to choose; its id is fixed for ever."""

    id: str
    text: str


@dataclass(frozen=True)
class Question:
    """One question; its id is fixed for ever. `scale` is 0 except for ratings, `options` empty except for choices.

    `help` is Markdown. `labels` of a rating are none, two (for its ends), or one for each of its numbers.
    """

    id: str
    text: str
    kind: Kind
    required: bool = True
    options: tuple[Option, ...] = ()
    scale: int = 0
    help: str = ""
    labels: tuple[str, ...] = ()

    @property
    def choices(self) -> tuple[Option, ...]:
        """What can be chosen; a rating's are its numbers, each with its label where it has one."""
        if self.kind is not Kind.RATING:
            return self.options
        numbers = [str(number) for number in range(1, self.scale + 1)]
        return tuple(
            Option(number, f"{number} {self.labels[place]}" if self.labelled else number)
            for place, number in enumerate(numbers)
        )

    @property
    def labelled(self) -> bool:
        """Whether each number of a rating has its label."""
        return self.kind is Kind.RATING and len(self.labels) == self.scale

    @property
    def ends(self) -> tuple[str, str] | None:
        """What the lowest and the highest number of a rating mean, where only these are labelled."""
        return (self.labels[0], self.labels[1]) if len(self.labels) == 2 < self.scale else None


@dataclass(frozen=True)
class Definition:
    """A survey as its author wrote it. `code` is None when the author leaves it to us; `help` is Markdown; the times
    are aware, to the second.
    """

    title: str
    questions: tuple[Question, ...]
    allow_change: bool = True
    code: str | None = None
    help: str = ""
    results: Visibility = Visibility.SHOWN
    access: Access = Access.OPEN
    opens_at: datetime | None = None
    closes_at: datetime | None = None


class DefinitionInvalid(ValueError):
    """The survey breaks the format. Its text says every mistake in words; `messages` say where in the JSON, too."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(mistake.words for mistake in mistakes))
        self.mistakes = tuple(mistakes)

    @property
    def messages(self) -> list[str]:
        """A sentence a mistake, for whoever wrote the JSON."""
        return [str(mistake) for mistake in self.mistakes]


def is_too_large(document: Mapping[str, Any]) -> bool:
    """Whether a survey JSON takes more than we store of one."""
    return len(canonical(document).encode()) > LARGEST_BYTES


def to_json(definition: Definition) -> dict[str, Any]:
    """The survey JSON, such that reading it again gives an equal definition. What has its default is left out where
    the first version of the format did not know it.
    """
    document: dict[str, Any] = {"title": definition.title}
    if definition.code:
        document["code"] = definition.code
    document["allow_change"] = definition.allow_change
    document.update(options_to_json(definition))
    document["questions"] = [question_to_json(question) for question in definition.questions]
    return document


def options_to_json(definition: Definition) -> dict[str, Any]:
    """What a survey may say beside its title and questions, where it does."""
    said: dict[str, Any] = {}
    if definition.help:
        said["help"] = definition.help
    if definition.results is not Visibility.SHOWN:
        said["results"] = definition.results.value
    if definition.access is not Access.OPEN:
        said["access"] = definition.access.value
    if definition.opens_at is not None:
        said["opens_at"] = time_to_json(definition.opens_at)
    if definition.closes_at is not None:
        said["closes_at"] = time_to_json(definition.closes_at)
    return said


def time_to_json(at: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"  # strftime writes the year 26 as 26


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
    if question.labels:
        document["labels"] = list(question.labels)
    if question.help:
        document["help"] = question.help
    return document
