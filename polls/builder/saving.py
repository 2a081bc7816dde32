"""Saving an edited survey: joined with what others changed meanwhile, and never over their changes
without saying so.
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

TRIES = 3  # each of them reads the survey again


class EditConflict(Exception):
    """Others changed the same parts since the form was shown; nothing was saved.

    `theirs` is the survey as it is now, `merged` what could be joined.
    """

    def __init__(self, conflicts: Sequence[Conflict], theirs: Definition, merged: Parts) -> None:
        super().__init__(_("Somebody else changed the same parts of this survey."))
        self.conflicts = conflicts
        self.theirs = theirs
        self.merged = merged


class NotSettled(Exception):
    """A part that is to be changed has two versions; nothing was saved.

    They were written without knowledge of each other: an instructor has to choose one first
    (partitions.py).
    """


class NotUnderstood(Exception):
    """The change would replace a part that holds more than this version understands; nothing was
    saved.
    """


class BreaksCounts(Exception):
    """The change does not go together with the votes of this round; nothing was saved.

    `breaks` say why.
    """

    def __init__(self, breaks: Sequence[Break]) -> None:
        super().__init__("\n".join(change.text for change in breaks))
        self.breaks = tuple(breaks)

    @property
    def sentences(self) -> list[str]:
        """A sentence for each change."""
        return [change.text for change in self.breaks]


def survey_edit(
    *, code: str, base: Definition, mine: Definition, new_round: bool = False, replace_unread: bool = False
) -> Survey:
    """Save what was made of `base`: only the parts that were changed, so that changes of others
    stay.

    `new_round` allows changes that break counts, and begins a round for them. `replace_unread`
    allows to replace a property of which a part is not understood here. Raises EditConflict,
    BreaksCounts, NotSettled, NotUnderstood, DefinitionInvalid (two changes that do not fit
    together), TimesTooLate, ServiceRefused ("unreadable", "conflict"), SurveyUnknown,
    NoRegionAnswered.
    """
    for _try in range(TRIES):
        current = selectors.found_now(code)
        now = current.survey.definition
        if current.survey.split & set(_changed(base, mine)):
            raise NotSettled
        merged, conflicts = joining.joined(joining.parts(base), joining.parts(mine), joining.parts(now))
        if conflicts:
            raise EditConflict(conflicts, now, merged)
        wanted = reader.parse({**joining.assembled(merged), "code": code})
        broken = joining.breaks(now, wanted)
        if broken and not new_round and maybe_voted(current.survey):
            raise BreaksCounts(broken)
        values = _changed(now, wanted)
        if not values:
            return current.survey
        if current.survey.unread & values.keys() and not replace_unread:
            raise NotUnderstood
        try:
            return survey_change(code=code, values=values, since=current.row, new_round=bool(broken) and new_round)
        except ServiceRefused as refusal:
            if refusal.reason != "conflict":  # somebody saved between our reading and our writing
                raise
    raise ServiceRefused("conflict", _("Others are changing this survey all the time. Try again."))


def _changed(old: Definition, new: Definition) -> dict[str, Any]:
    before, after = defined_values(old), defined_values(new)
    return {name: value for name, value in after.items() if value != before[name]}
