"""Versions of a survey that instructors wrote on two sides of a network partition, each without
knowledge of the other. An instructor who has seen all of them chooses one for each part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polls.ballots.any_votes import maybe_voted
from polls.builder import joining, saving
from polls.builder.joining import ORDER, QUESTION, Parts
from polls.surveys import selectors, stored
from polls.surveys.definitions import Definition
from polls.surveys.merge import Row, rivals
from polls.surveys.services import survey_change
from polls.surveys.survey import Survey, defined_values


@dataclass(frozen=True)
class Side:
    """The survey as one side has it.

    `regions` wrote its latest change, at `at_ms` (milliseconds since the epoch).
    """

    definition: Definition
    regions: tuple[str, ...]
    at_ms: int


@dataclass(frozen=True)
class Split:
    """The sides; the first is the version that stands now.

    `names` names every version that is shown: a choice that was made beside other versions is not
    taken. `unread` names the properties of which a version holds more than is understood here.
    """

    sides: tuple[Side, ...]
    names: tuple[str, ...]
    unread: frozenset[str] = frozenset()

    @property
    def parts(self) -> list[Parts]:
        """Each side as the parts that the builder joins."""
        return [joining.parts(side.definition) for side in self.sides]


class SplitMoved(Exception):
    """The versions are no longer those that were shown; nothing was saved."""


def find(row: Row, survey: Survey) -> Split | None:
    """The sides to choose from; None where nobody wrote without knowledge of another."""
    others = {name: list(rivals(row, name).items()) for name in sorted(survey.split)}
    if not others:
        return None
    standing = {name: row.fields[name] for name in others}
    regions = {
        region
        for name, field in standing.items()
        if (version := row.versions[name].kept.get(field.name)) is not None
        for region in version.regions
    }
    unread = survey.unread & others.keys()
    sides = [Side(survey.definition, tuple(sorted(regions)), max(field.at for field in standing.values()))]
    for place in range(max(map(len, others.values()))):
        written = {name: versions[place] for name, versions in others.items() if place < len(versions)}
        values = {**survey.document, **{name: version.value for name, (_key, version) in written.items()}}
        document = {name: value for name, value in values.items() if value is not None}
        side_regions = {region for _key, version in written.values() for region in version.regions}
        side = stored.read(document, survey.code)
        unread |= side.unread & others.keys()
        sides.append(
            Side(
                side.definition,
                tuple(sorted(side_regions)),
                max(key[0] for key, _version in written.values()),
            )
        )
    shown = [f"{name} {field.at} {field.name[1]}" for name, field in standing.items()]
    shown += [f"{name} {key[0]} {key[1]}" for name, versions in others.items() for key, _version in versions]
    return Split(tuple(sides), tuple(shown), unread)


def differing(sides: Sequence[Parts]) -> list[str]:
    """The names of the parts that are not the same on every side, in their order."""
    first, *_others = sides
    names = list(dict.fromkeys(name for parts in sides for name in parts))
    different = [name for name in names if name != ORDER and any(parts.get(name) != first.get(name) for parts in sides)]
    common = set(first[ORDER]).intersection(*(parts[ORDER] for parts in sides))
    orders = [[name for name in parts[ORDER] if name in common] for parts in sides]
    return [*different, ORDER] if any(order != orders[0] for order in orders) else different


def chosen(sides: Sequence[Parts], choices: Mapping[str, int]) -> dict[str, Any]:
    """The survey JSON that the choices make: `choices` holds the number of a side for each part
    that differs.
    """
    result: Parts = {}
    for name in dict.fromkeys(name for parts in sides for name in parts):
        value = sides[choices.get(name, 0)].get(name)
        if value is not None:
            result[name] = value
    question_ids = [name.removeprefix(QUESTION) for name in result if name.startswith(QUESTION)]
    orders = [result[ORDER], *(parts[ORDER] for parts in sides)]
    result[ORDER] = list(dict.fromkeys(name for order in orders for name in order if name in question_ids))
    return joining.assembled(result)


def survey_settle(
    *,
    code: str,
    shown: Sequence[str],
    definition: Definition,
    new_round: bool = False,
    replace_unread: bool = False,
) -> Survey:
    """Let `definition` stand, which ends the split; `shown` names every version that its author has
    seen.

    Raises SplitMoved, BreaksCounts, NotUnderstood, ServiceRefused ("conflict", "unreadable"),
    SurveyUnknown, NoRegionAnswered.
    """
    current = selectors.found_now(code)
    split = find(current.row, current.survey)
    if split is None or list(split.names) != list(shown):
        raise SplitMoved
    if split.unread and not replace_unread:
        raise saving.NotUnderstood
    broken = joining.breaks(current.survey.definition, definition)
    if broken and not new_round and maybe_voted(current.survey):
        raise saving.BreaksCounts(broken)
    values = {name: value for name, value in defined_values(definition).items() if name in current.survey.split}
    return survey_change(code=code, values=values, since=current.row, new_round=bool(broken) and new_round)
