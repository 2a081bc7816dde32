"""What two instructors wrote on two sides of a split, each without knowledge of the other: side by
side, part by part, until somebody has seen all versions and said what shall stand.
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
    """The survey as one side has it: whose last word it is, and when that was said (milliseconds
    since the epoch).
    """

    definition: Definition
    regions: tuple[str, ...]
    at_ms: int


@dataclass(frozen=True)
class Split:
    """The sides, what stands now first. `names` names every version that is shown, so that a page
    which shows others decides nothing. `unread` names the properties of which a version holds more
    than is understood here.
    """

    sides: tuple[Side, ...]
    names: tuple[str, ...]
    unread: frozenset[str] = frozenset()

    @property
    def parts(self) -> list[Parts]:
        """Each side in parts, as the builder joins them."""
        return [joining.parts(side.definition) for side in self.sides]


class SplitMoved(Exception):
    """There are other versions now than those that were shown; nothing was saved."""


def find(row: Row, survey: Survey) -> Split | None:
    """What has to be chosen from; None when nobody wrote without knowledge of another."""
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
        met = {name: found[place] for name, found in others.items() if place < len(found)}
        values = {**survey.document, **{name: version.value for name, (_n, version) in met.items()}}
        said = {name: value for name, value in values.items() if value is not None}
        where = {region for _name, version in met.values() for region in version.regions}
        side = stored.read(said, survey.code)
        unread |= side.unread & others.keys()
        sides.append(
            Side(
                side.definition,
                tuple(sorted(where)),
                max(name[0] for name, _version in met.values()),
            )
        )
    shown = [f"{name} {field.at} {field.name[1]}" for name, field in standing.items()]
    shown += [f"{name} {called[0]} {called[1]}" for name, found in others.items() for called, _version in found]
    return Split(tuple(sides), tuple(shown), unread)


def differing(sides: Sequence[Parts]) -> list[str]:
    """The parts that are not the same on every side, in the order in which they stand."""
    first, *_others = sides
    names = list(dict.fromkeys(name for parts in sides for name in parts))
    found = [name for name in names if name != ORDER and any(parts.get(name) != first.get(name) for parts in sides)]
    common = set(first[ORDER]).intersection(*(parts[ORDER] for parts in sides))
    orders = [[name for name in parts[ORDER] if name in common] for parts in sides]
    return [*found, ORDER] if any(order != orders[0] for order in orders) else found


def chosen(sides: Sequence[Parts], choices: Mapping[str, int]) -> dict[str, Any]:
    """The survey JSON that the choices make: for each part that differs the number of its side."""
    result: Parts = {}
    for name in dict.fromkeys(name for parts in sides for name in parts):
        value = sides[choices.get(name, 0)].get(name)
        if value is not None:
            result[name] = value
    there = [name.removeprefix(QUESTION) for name in result if name.startswith(QUESTION)]
    orders = [result[ORDER], *(parts[ORDER] for parts in sides)]
    result[ORDER] = list(dict.fromkeys(name for order in orders for name in order if name in there))
    return joining.assembled(result)


def survey_settle(
    *,
    code: str,
    shown: Sequence[str],
    definition: Definition,
    new_round: bool = False,
    replace_unread: bool = False,
) -> Survey:
    """Let `definition` stand, by somebody who has seen every version that `shown` names: that ends
    the split.

    Raises SplitMoved, BreaksCounts, NotUnderstood, ServiceRefused ("conflict", "unreadable"),
    SurveyUnknown, NoRegionAnswered.
    """
    found = selectors.found_now(code)
    split = find(found.row, found.survey)
    if split is None or list(split.names) != list(shown):
        raise SplitMoved
    if split.unread and not replace_unread:
        raise saving.NotUnderstood
    broken = joining.breaks(found.survey.definition, definition)
    if broken and not new_round and maybe_voted(found.survey):
        raise saving.BreaksCounts(broken)
    values = {name: value for name, value in defined_values(definition).items() if name in found.survey.split}
    return survey_change(code=code, values=values, since=found.row, new_round=bool(broken) and new_round)
