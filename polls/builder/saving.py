"""Saving an edited survey: joined with what others changed meanwhile, and never silently over
anything.
"""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from polls.ballots.any_votes import maybe_voted
from polls.builder import joining
from polls.builder.joining import Break, Conflict, Parts
from polls.surveys import reader, selectors
from polls.surveys.definitions import Definition
from polls.surveys.services import ServiceRefused, survey_change
from polls.surveys.survey import Survey, defined_values

TRIES = 3  # each reads the survey again


class EditConflict(Exception):
    """Others changed the same parts since the form was shown; nothing was saved. `theirs` is the
    survey as it is now, `merged` what could be joined.
    """

    def __init__(self, conflicts: Sequence[Conflict], theirs: Definition, merged: Parts) -> None:
        super().__init__(_("Somebody else changed the same parts of this survey."))
        self.conflicts = conflicts
        self.theirs = theirs
        self.merged = merged


class NotSettled(Exception):
    """A part that is to be changed has two versions that were written without knowledge of each
    other; nothing was saved. Somebody has to choose first (partitions.py).
    """


class NotUnderstood(Exception):
    """The change would replace a part that holds more than this version understands; nothing was
    saved.
    """


class BreaksCounts(Exception):
    """The change does not go together with the votes of this round; nothing was saved. `breaks` say
    why.
    """

    def __init__(self, breaks: Sequence[Break]) -> None:
        super().__init__("\n".join(one.text for one in breaks))
        self.breaks = tuple(breaks)

    @property
    def sentences(self) -> list[str]:
        """Why, a sentence each."""
        return [one.text for one in self.breaks]


def survey_edit(
    *, code: str, base: Definition, mine: Definition, new_round: bool = False, replace_unread: bool = False
) -> Survey:
    """Save what was made of `base`: only the parts that were changed, so that changes of others
    stay.

    `new_round` allows what would break counts, and begins a round for it; `replace_unread` lets
    what is not understood go with the property that it is a part of. Raises EditConflict,
    BreaksCounts, NotSettled, NotUnderstood, DefinitionInvalid (two changes that do not fit
    together), TimesTooLate, ServiceRefused ("unreadable", "conflict"), SurveyUnknown,
    NoRegionAnswered.
    """
    for _try in range(TRIES):
        found = selectors.found_now(code)
        now = found.survey.definition
        if found.survey.split & set(_changed(base, mine)):
            raise NotSettled
        merged, conflicts = joining.joined(joining.parts(base), joining.parts(mine), joining.parts(now))
        if conflicts:
            raise EditConflict(conflicts, now, merged)
        wanted = reader.parse({**joining.assembled(merged), "code": code})
        broken = joining.breaks(now, wanted)
        if broken and not new_round and maybe_voted(found.survey):
            raise BreaksCounts(broken)
        values = _changed(now, wanted)
        if not values:
            return found.survey
        if found.survey.unread & values.keys() and not replace_unread:
            raise NotUnderstood
        try:
            return survey_change(code=code, values=values, since=found.row, new_round=bool(broken) and new_round)
        except ServiceRefused as refusal:
            if refusal.reason != "conflict":  # somebody saved between our reading and our writing
                raise
    raise ServiceRefused("conflict", _("Others are changing this survey all the time. Try again."))


def _changed(old: Definition, new: Definition) -> dict[str, Any]:
    before, after = defined_values(old), defined_values(new)
    return {name: value for name, value in after.items() if value != before[name]}
