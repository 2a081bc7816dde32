"""Editing a survey: two people's changes joined, and what a change would do to votes. Pure
functions on survey JSON.

A definition is looked at in parts: each option of the survey, each question by its id, and the
order of the questions. Two people who changed different parts both get what they meant; where both
changed one part, somebody has to choose.
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
    """What a change would do to votes, in a sentence; the survey JSON's name of what would have to
    stay, and the id of its question (empty: the survey itself). Both are empty for a question that
    is to go.
    """

    text: str
    field: str = ""
    question: str = ""


@dataclass(frozen=True)
class Conflict:
    """A part that both changed, each otherwise; None where one of them removed it."""

    name: str
    mine: Any
    theirs: Any


def parts(definition: Definition) -> Parts:
    """The definition in parts; its code is none of them, because it never changes."""
    document = to_json(definition)
    document.pop("code", None)
    questions = document.pop("questions")
    return {
        **document,
        ORDER: [question["id"] for question in questions],
        **{f"{QUESTION}{question['id']}": question for question in questions},
    }


def assembled(found: Mapping[str, Any]) -> dict[str, Any]:
    """The survey JSON of parts, ready to be parsed."""
    document = {name: value for name, value in found.items() if name != ORDER and not name.startswith(QUESTION)}
    return {**document, "questions": [found[f"{QUESTION}{name}"] for name in found[ORDER]]}


def joined(base: Parts, mine: Parts, theirs: Parts) -> tuple[Parts, list[Conflict]]:
    """What two people made of `base`, each without knowing of the other; where they disagree,
    theirs stands for now.
    """
    merged: Parts = {}
    conflicts: list[Conflict] = []
    for name in [*theirs, *(name for name in mine if name not in theirs)]:
        if name == ORDER:
            continue
        was, is_mine, is_theirs = base.get(name), mine.get(name), theirs.get(name)
        if is_mine != was and is_theirs not in (was, is_mine):
            conflicts.append(Conflict(name, is_mine, is_theirs))
        chosen = is_mine if is_theirs == was else is_theirs
        if chosen is not None:
            merged[name] = chosen
    there = [name.removeprefix(QUESTION) for name in merged if name.startswith(QUESTION)]
    merged[ORDER], agreed = _order(base[ORDER], mine[ORDER], theirs[ORDER], there)
    if not agreed:
        conflicts.append(Conflict(ORDER, mine[ORDER], theirs[ORDER]))
    return merged, conflicts


def resolved(merged: Parts, conflicts: Sequence[Conflict], choices: Mapping[str, str]) -> Parts:
    """The joined parts with "mine" or "theirs" for each conflict."""
    result = dict(merged)
    for conflict in conflicts:
        if choices[conflict.name] != "mine":
            continue
        result.pop(conflict.name, None)
        if conflict.mine is not None:
            result[conflict.name] = conflict.mine
    there = [name.removeprefix(QUESTION) for name in result if name.startswith(QUESTION)]
    result[ORDER] = [name for name in result[ORDER] if name in there]
    result[ORDER] += [name for name in there if name not in result[ORDER]]
    return result


def _order(base: list[str], mine: list[str], theirs: list[str], there: list[str]) -> tuple[list[str], bool]:
    """The order of the questions that are there, and whether both would agree with it."""
    common = set(base) & set(mine) & set(theirs)

    def of_common(order: list[str]) -> list[str]:
        return [name for name in order if name in common]

    moved_mine, moved_theirs = of_common(mine) != of_common(base), of_common(theirs) != of_common(base)
    agreed = not (moved_mine and moved_theirs) or of_common(mine) == of_common(theirs)
    first, second = (mine, theirs) if moved_mine and agreed else (theirs, mine)
    order = [name for name in first if name in there]
    for place, name in enumerate(second):
        if name in there and name not in order:
            before = [earlier for earlier in second[:place] if earlier in order]
            order.insert(order.index(before[-1]) + 1 if before else 0, name)
    return order, agreed


def breaks(old: Definition, new: Definition) -> list[Break]:
    """What this change would do to votes that were already given; empty for a harmless one."""
    told = []
    if old.allow_change != new.allow_change:
        told.append(Break(_("Whether a vote may be changed is fixed for a round."), "allow_change"))
    after = {question.id: question for question in new.questions}
    for place, question in enumerate(old.questions, 1):
        told += _question_breaks(place, question, after.get(question.id))
    return told


def _question_breaks(place: int, old: Question, new: Question | None) -> list[Break]:
    values = {"place": place, "text": old.text}
    if new is None:
        return [Break(_("Question %(place)d “%(text)s” would be removed, and its answers with it.") % values)]
    if new.kind is not old.kind:
        said = _("Question %(place)d “%(text)s” would be of another kind than its answers.") % values
        return [Break(said, "kind", old.id)]
    if old.kind is Kind.RATING and new.scale != old.scale:
        said = _("Question %(place)d “%(text)s” would have another scale than its answers.") % values
        return [Break(said, "scale", old.id)]
    kept = {option.id for option in new.options}
    gone = _("Option “%(option)s” of question %(place)d would be removed, and its votes with it.")
    return [
        Break(gone % {**values, "option": option.text}, "options", old.id)
        for option in old.options
        if option.id not in kept
    ]
