"""The draft in the builder's form: not yet a survey, and perhaps never a valid one. The whole of it
travels in the page.

Options and labels are the lines of a text, which is quick to type and to paste. An option keeps its
id while its line stays the same, wherever it moves, or while it stays in its place and only its
words change.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict

from failover import gateway
from polls.common import local_times
from polls.surveys.definitions import (
    DEFAULT_SCALE,
    MOST_QUESTIONS,
    Access,
    Definition,
    Kind,
    Visibility,
    to_json,
)
from polls.surveys.mistakes import Mistake

TIMES = ("opens_at", "closes_at")
CHOICES = (Kind.SINGLE, Kind.MULTIPLE)


@dataclass(frozen=True)
class DraftQuestion:
    """One question as typed; `options` and `labels` are texts with a line for each."""

    id: str
    text: str = ""
    kind: str = Kind.SINGLE.value
    required: bool = True
    help: str = ""
    options: str = ""
    scale: str = str(DEFAULT_SCALE)
    labels: str = ""


@dataclass(frozen=True)
class Draft:
    """A survey as typed; its times are in the server's time zone, as a browser's field gives them."""

    title: str = ""
    code: str = ""
    help: str = ""
    allow_change: bool = True
    results: str = Visibility.SHOWN.value
    access: str = Access.OPEN.value
    opens_at: str = ""
    closes_at: str = ""
    questions: tuple[DraftQuestion, ...] = field(default_factory=tuple)


def new_id(prefix: str) -> str:
    """An id that nobody has used, on whichever side of a partition. It is random, because an id
    that is looked up could be taken on the other side.
    """
    return f"{prefix}-{secrets.token_hex(4)}"


def blank() -> Draft:
    """The draft of a new survey: one empty question."""
    return Draft(questions=(DraftQuestion(new_id("q")),))


def of(definition: Definition) -> Draft:
    """The draft of a definition."""
    return Draft(
        title=definition.title,
        code=definition.code or "",
        help=definition.help,
        allow_change=definition.allow_change,
        results=definition.results.value,
        access=definition.access.value,
        opens_at=local_times.typed_form(definition.opens_at),
        closes_at=local_times.typed_form(definition.closes_at),
        questions=tuple(
            DraftQuestion(
                question.id,
                question.text,
                question.kind.value,
                question.required,
                question.help,
                "\n".join(option.text for option in question.options),
                str(question.scale or DEFAULT_SCALE),
                "\n".join(question.labels),
            )
            for question in definition.questions
        ),
    )


def posted(data: QueryDict) -> Draft:
    """The draft that a browser sent. Never fails: mistakes are reported when the draft is saved."""
    questions = []
    for place in range(MOST_QUESTIONS + 1):  # one too many is read, so that it can be refused
        name = f"q{place}-"
        if f"{name}id" not in data:
            break
        texts = {key: data.get(f"{name}{key}", "") for key in ("text", "kind", "help", "options", "scale", "labels")}
        questions.append(DraftQuestion(id=data.get(f"{name}id", "")[:32], required=f"{name}required" in data, **texts))
    names = ("title", "code", "help", "results", "access", "opens_at", "closes_at")
    return Draft(
        **{name: data.get(name, "") for name in names},
        allow_change="allow_change" in data,
        questions=tuple(questions),
    )


def moved(draft: Draft, place: int, by: int) -> Draft:
    """The draft with the question at `place` (from 0) moved up (`by` -1) or down (1)."""
    listed = list(draft.questions)
    if 0 <= place < len(listed) and 0 <= place + by < len(listed):
        listed[place], listed[place + by] = listed[place + by], listed[place]
    return replace(draft, questions=tuple(listed))


def removed(draft: Draft, place: int) -> Draft:
    """The draft without the question at `place` (from 0)."""
    return replace(draft, questions=tuple(question for at, question in enumerate(draft.questions) if at != place))


def added(draft: Draft, *more: DraftQuestion) -> Draft:
    """The draft with more questions at the end."""
    return replace(draft, questions=(*draft.questions, *more))


def grid(statements: str, scale: str, labels: str) -> list[DraftQuestion]:
    """A Likert grid: a rating for each statement, all with the same labels."""
    lines = _lines(statements)[:MOST_QUESTIONS]
    return [DraftQuestion(new_id("q"), line, Kind.RATING.value, scale=scale, labels=labels) for line in lines]


def document(draft: Draft, before: Definition | None) -> dict[str, Any]:
    """The survey JSON of a draft, with the ids that `before` gave to its options."""
    known: dict[str, Any] = {}
    if before is not None:
        known = {question["id"]: question for question in to_json(before)["questions"]}
    result: dict[str, Any] = {
        "title": draft.title,
        "help": draft.help,
        "allow_change": draft.allow_change,
        "results": draft.results,
        "access": draft.access,
        "opens_at": local_times.read(draft.opens_at, before.opens_at if before else None),
        "closes_at": local_times.read(draft.closes_at, before.closes_at if before else None),
        "questions": [_question(question, known.get(question.id)) for question in draft.questions],
    }
    if before is None and draft.code.strip():
        result["code"] = draft.code
    return result


def explained(draft: Draft, mistakes: Iterable[Mistake]) -> list[Mistake]:
    """The mistakes of a draft's document. A time that does not exist, because the clocks go forward
    then, is explained in words of the local clock.
    """
    absent = {name: text for name in TIMES if local_times.is_absent(text := getattr(draft, name))}
    return [
        replace(mistake, what=local_times.absent_sentence(absent[mistake.field]))
        if not mistake.question and mistake.field in absent
        else mistake
        for mistake in mistakes
    ]


def _question(draft: DraftQuestion, before: Mapping[str, Any] | None) -> dict[str, Any]:
    result: dict[str, Any] = {
        "id": draft.id,
        "text": draft.text,
        "kind": draft.kind,
        "required": draft.required,
        "help": draft.help,
    }
    if draft.kind in CHOICES:
        result["options"] = options(_lines(draft.options), before.get("options", []) if before else [])
    if draft.kind == Kind.RATING:
        number = gateway.text.whole_number(draft.scale)
        result["scale"] = draft.scale if number is None else number
        result["labels"] = _lines(draft.labels)
    return result


def options(lines: list[str], before: list[Any]) -> list[Any]:
    """The options of the lines, each with an id.

    That is the id of the option with the same text, else of the option in the same place, else a
    new one.
    """
    known = [
        (item["id"], item["text"]) if isinstance(item, dict) else (f"o{place}", item)
        for place, item in enumerate(before, 1)
    ]
    by_text = {text: name for name, text in known}
    kept = {by_text[line] for line in lines if line in by_text}
    result = []
    for place, line in enumerate(lines):
        name = by_text.get(line)
        if name is None and len(lines) >= len(known) and place < len(known) and known[place][0] not in kept:
            name = known[place][0]  # the words of this line were changed
        if name is None:
            name = new_id("o") if known else f"o{place + 1}"
        result.append({"id": name, "text": line})
    return result


def _lines(text: str) -> list[str]:
    """The lines that are not blank. What only other programs take for the end of a line stays, and
    is refused later.
    """
    lines = map(gateway.text.tidy, gateway.text.tidy(text, lines=True).split("\n"))
    return [line for line in lines if not gateway.text.is_empty(line)]
