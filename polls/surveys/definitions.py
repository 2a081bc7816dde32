"""What an author writes: the parts of a survey, and the survey JSON of import and export (reader.py
reads it).
"""

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
SENSIBLE_YEARS = range(2000, 2101)  # a time of opening or closing outside of these is a typing error


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
    """Who may vote: everybody who has the code, or only people with a voting link."""

    OPEN = "open"
    LINK = "link"


@dataclass(frozen=True)
class Option:
    """One answer to choose; its id is fixed for ever."""

    id: str
    text: str


@dataclass(frozen=True)
class Question:
    """One question; its id is fixed for ever. Only ratings have a `scale`, which is 0 otherwise;
    only choices have `options`.

    `help` is Markdown. A rating has no `labels`, two (for its ends), or one for each of its
    numbers.
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
        """The options; those of a rating are its numbers, each with its label if it has one."""
        if self.kind is not Kind.RATING:
            return self.options
        numbers = [str(number) for number in range(1, self.scale + 1)]
        return tuple(
            Option(number, f"{number} {self.labels[place]}" if self.labelled else number)
            for place, number in enumerate(numbers)
        )

    @property
    def labelled(self) -> bool:
        """Whether each number of a rating has a label."""
        return self.kind is Kind.RATING and len(self.labels) == self.scale

    @property
    def ends(self) -> tuple[str, str] | None:
        """The labels of a rating's lowest and highest number, where only these have one."""
        return (self.labels[0], self.labels[1]) if len(self.labels) == 2 < self.scale else None


@dataclass(frozen=True)
class Definition:
    """A survey as its author wrote it. `code` is None where the author lets us choose one; `help`
    is Markdown; the times are aware, to the second.
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
    """The survey breaks the format. The text has a sentence for each mistake; `messages` also say
    where it stands.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(mistake.words for mistake in mistakes))
        self.mistakes = tuple(mistakes)

    @property
    def messages(self) -> list[str]:
        """A sentence for each mistake, with its place in the JSON."""
        return [str(mistake) for mistake in self.mistakes]


def is_too_large(document: Mapping[str, Any]) -> bool:
    """Whether a survey JSON has more bytes than we store of one."""
    return len(canonical(document).encode()) > LARGEST_BYTES


def to_json(definition: Definition) -> dict[str, Any]:
    """The survey JSON; reading it gives an equal definition. Properties that the first version of
    the format did not know are left out while they have their default.
    """
    document: dict[str, Any] = {"title": definition.title}
    if definition.code:
        document["code"] = definition.code
    document["allow_change"] = definition.allow_change
    document.update(options_to_json(definition))
    document["questions"] = [question_to_json(question) for question in definition.questions]
    return document


def options_to_json(definition: Definition) -> dict[str, Any]:
    """The properties beside title and questions that differ from their default."""
    options: dict[str, Any] = {}
    if definition.help:
        options["help"] = definition.help
    if definition.results is not Visibility.SHOWN:
        options["results"] = definition.results.value
    if definition.access is not Access.OPEN:
        options["access"] = definition.access.value
    if definition.opens_at is not None:
        options["opens_at"] = time_to_json(definition.opens_at)
    if definition.closes_at is not None:
        options["closes_at"] = time_to_json(definition.closes_at)
    return options


def time_to_json(at: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"  # strftime writes the year 26 as 26


def question_to_json(question: Question) -> dict[str, Any]:
    """One question. An option is a plain text while it has the id of its place."""
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
