"""What is wrong in the builder's form. The summary links each mistake to its field, which repeats
it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from polls.builder.drafts import Draft
from polls.builder.joining import Break
from polls.surveys.mistakes import Mistake
from polls.surveys.services import ServiceRefused

SURVEY_FIELDS = {"title", "code", "help", "results", "access", "opens_at", "closes_at", "allow_change"}
QUESTION_FIELDS = {"text", "kind", "required", "options", "scale", "labels", "help"}


@dataclass(frozen=True)
class Shown:
    """A mistake as the page shows it.

    `text` stands in the summary, `what` at the field. `anchor` is the id of that field, empty where
    the mistake is of no field.
    """

    text: str
    what: str
    anchor: str


def of(mistakes: Iterable[Mistake]) -> list[Shown]:
    """Everything that is wrong with a definition, typed or stored."""
    return [Shown(mistake.words, mistake.what, _anchor(mistake)) for mistake in mistakes]


def of_refusal(refusal: ServiceRefused) -> Shown:
    """The reason of a refusal. Only one is of a field: the code, where another survey has it."""
    return Shown(str(refusal), str(refusal), "code" if refusal.reason == "exists" else "")


def of_breaks(breaks: Iterable[Break], draft: Draft) -> list[Shown]:
    """The changes that do not go together with votes.

    A question may stand elsewhere in the form by now, or be gone.
    """
    places = {question.id: place for place, question in enumerate(draft.questions)}
    return [
        Shown(
            change.text,
            change.text,
            f"q{places[change.question]}-{change.field}" if change.question in places else change.field,
        )
        for change in breaks
    ]


def _anchor(mistake: Mistake) -> str:
    if mistake.question:
        field = "options" if mistake.option else mistake.field
        return f"q{mistake.question - 1}-{field if field in QUESTION_FIELDS else 'text'}"
    if mistake.field == "questions":
        return "add"  # the button under the last one
    return mistake.field if mistake.field in SURVEY_FIELDS else ""
