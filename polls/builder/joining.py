"""Joining two people's changes of a survey, and what a change would do to votes. Pure functions on
survey JSON.

A definition is taken in parts: each option of the survey, each question by its id, and the order of
the questions. Two people who changed different parts both get what they meant. Where both changed
the same part, somebody has to choose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from polls.surveys.definitions import Definition, Kind, Question, to_json

QUESTION = "question:"
ORDER = "order"
Parts = dict[str, Any]


@dataclass(frozen=True)
class Break:
    """What a change would do to votes, in a sentence.

    `field` is the survey JSON's name of what would have to stay, `question` the id of its question;
    without a question it is a field of the survey. Both are empty for a question that is to go.
    """

    text: str
    field: str = ""
    question: str = ""


@dataclass(frozen=True)
class Conflict:
    """A part that both people changed, in different ways; None where one of them removed it."""

    name: str
    mine: Any
    theirs: Any


def parts(definition: Definition) -> Parts:
    """The parts of a definition. Its code is not among them, because it never changes."""
    document = to_json(definition)
    document.pop("code", None)
    questions = document.pop("questions")
    return {
        **document,
        ORDER: [question["id"] for question in questions],
        **{f"{QUESTION}{question['id']}": question for question in questions},
    }


def assembled(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The survey JSON that the parts make, ready to be parsed."""
    document = {name: value for name, value in parts.items() if name != ORDER and not name.startswith(QUESTION)}
    return {**document, "questions": [parts[f"{QUESTION}{name}"] for name in parts[ORDER]]}


def joined(base: Parts, mine: Parts, theirs: Parts) -> tuple[Parts, list[Conflict]]:
    """Join what two people made of `base`, each without knowledge of the other.

    Returns the joined parts and the conflicts; where they disagree, `theirs` stands for now.
    """
    merged: Parts = {}
    conflicts: list[Conflict] = []
    for name in [*theirs, *(name for name in mine if name not in theirs)]:
        if name == ORDER:
            continue
        before, my_value, their_value = base.get(name), mine.get(name), theirs.get(name)
        if my_value != before and their_value not in (before, my_value):
            conflicts.append(Conflict(name, my_value, their_value))
        chosen = my_value if their_value == before else their_value
        if chosen is not None:
            merged[name] = chosen
    question_ids = [name.removeprefix(QUESTION) for name in merged if name.startswith(QUESTION)]
    merged[ORDER], agreed = _order(base[ORDER], mine[ORDER], theirs[ORDER], question_ids)
    if not agreed:
        conflicts.append(Conflict(ORDER, mine[ORDER], theirs[ORDER]))
    return merged, conflicts


def resolved(merged: Parts, conflicts: Sequence[Conflict], choices: Mapping[str, str]) -> Parts:
    """The joined parts, settled: `choices` holds "mine" or "theirs" for each conflict."""
    result = dict(merged)
    for conflict in conflicts:
        if choices[conflict.name] != "mine":
            continue
        result.pop(conflict.name, None)
        if conflict.mine is not None:
            result[conflict.name] = conflict.mine
    question_ids = [name.removeprefix(QUESTION) for name in result if name.startswith(QUESTION)]
    result[ORDER] = [name for name in result[ORDER] if name in question_ids]
    result[ORDER] += [name for name in question_ids if name not in result[ORDER]]
    return result


def _order(base: list[str], mine: list[str], theirs: list[str], question_ids: list[str]) -> tuple[list[str], bool]:
    """The order of the questions in `question_ids`, and whether both people would agree with it."""
    common = set(base) & set(mine) & set(theirs)

    def of_common(order: list[str]) -> list[str]:
        return [name for name in order if name in common]

    moved_mine, moved_theirs = of_common(mine) != of_common(base), of_common(theirs) != of_common(base)
    agreed = not (moved_mine and moved_theirs) or of_common(mine) == of_common(theirs)
    first, second = (mine, theirs) if moved_mine and agreed else (theirs, mine)
    order = [name for name in first if name in question_ids]
    for place, name in enumerate(second):
        if name in question_ids and name not in order:
            before = [earlier for earlier in second[:place] if earlier in order]
            order.insert(order.index(before[-1]) + 1 if before else 0, name)
    return order, agreed


def breaks(old: Definition, new: Definition) -> list[Break]:
    """What a change would do to votes that were given already; empty for a harmless change."""
    changes = []
    if old.allow_change != new.allow_change:
        changes.append(Break(_("Whether a vote may be changed is fixed for a round."), "allow_change"))
    after = {question.id: question for question in new.questions}
    for place, question in enumerate(old.questions, 1):
        changes += _question_breaks(place, question, after.get(question.id))
    return changes


def _question_breaks(place: int, old: Question, new: Question | None) -> list[Break]:
    values = {"place": place, "text": old.text}
    if new is None:
        return [Break(_("Question %(place)d “%(text)s” would be removed, and its answers with it.") % values)]
    if new.kind is not old.kind:
        sentence = _("Question %(place)d “%(text)s” would be of another kind than its answers.") % values
        return [Break(sentence, "kind", old.id)]
    if old.kind is Kind.RATING and new.scale != old.scale:
        sentence = _("Question %(place)d “%(text)s” would have another scale than its answers.") % values
        return [Break(sentence, "scale", old.id)]
    kept = {option.id for option in new.options}
    gone = _("Option “%(option)s” of question %(place)d would be removed, and its votes with it.")
    return [
        Break(gone % {**values, "option": option.text}, "options", old.id)
        for option in old.options
        if option.id not in kept
    ]
