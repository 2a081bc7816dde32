"""What is wrong in the builder's form: each mistake leads to its field, and is said there again."""

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
    """A mistake as the page has it: `text` in the summary, `what` at the field, whose id is
    `anchor` (empty: none).
    """

    text: str
    what: str
    anchor: str


def of(mistakes: Iterable[Mistake]) -> list[Shown]:
    """Everything that is wrong with what was typed, or is stored."""
    return [Shown(mistake.words, mistake.what, _anchor(mistake)) for mistake in mistakes]


def of_refusal(refusal: ServiceRefused) -> Shown:
    """A code that another survey has; nothing else that is refused is about a field."""
    return Shown(str(refusal), str(refusal), "code" if refusal.reason == "exists" else "")


def of_breaks(breaks: Iterable[Break], draft: Draft) -> list[Shown]:
    """What does not go together with votes; a question may stand elsewhere in the form by now, or
    be gone.
    """
    places = {question.id: place for place, question in enumerate(draft.questions)}
    return [
        Shown(one.text, one.text, f"q{places[one.question]}-{one.field}" if one.question in places else one.field)
        for one in breaks
    ]


def _anchor(mistake: Mistake) -> str:
    if mistake.question:
        field = "options" if mistake.option else mistake.field
        return f"q{mistake.question - 1}-{field if field in QUESTION_FIELDS else 'text'}"
    if mistake.field == "questions":
        return "add"  # the button under the last one
    return mistake.field if mistake.field in SURVEY_FIELDS else ""
