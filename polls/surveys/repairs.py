"""Sentences for an instructor about a survey that needs repair: two changes that were made at once
may together break a rule, and a newer version may have written what this one does not understand.
"""

from django.utils.translation import gettext as _

from polls.surveys import stored
from polls.surveys.definitions import Definition
from polls.surveys.survey import DEFINED, Survey


def times(definition: Definition) -> str:
    """Why the times of opening and closing never let anybody vote; empty when they do."""
    opens_at, closes_at = definition.opens_at, definition.closes_at
    if opens_at is None or closes_at is None or opens_at < closes_at:
        return ""
    return _("It needs repair: it closes before it opens, so nobody can vote. Edit it, or open it with the button.")


def unread(names: frozenset[str]) -> str:
    """Says that these properties are not understood; empty without any."""
    if not names:
        return ""
    parts = ", ".join(sorted(part_names().get(name, name[:50]) for name in names))
    return _(
        "Parts of this survey are not understood here (%(parts)s): a newer version of this program may have made it. "
        "They are kept as they are."
    ) % {"parts": parts}


def mistakes(survey: Survey) -> list[str]:
    """A sentence for each mistake in the survey, which must have been read in full."""
    sentences = [mistake.words for mistake in stored.mistakes(survey.definition)]
    return [*sentences, unread(survey.unread)] if survey.unread else sentences


def part_names() -> dict[str, str]:
    """The names that pages have for the properties of a survey, in the order in which authors meet
    them.
    """
    names = {
        "title": _("Title"),
        "help": _("Help text"),
        "questions": _("Questions"),
        "allow_change": _("Votes may be changed"),
        "results": _("Results"),
        "access": _("Who may vote"),
        "opens_at": _("Opens at"),
        "closes_at": _("Closes at"),
    }
    return {name: names[name] for name in DEFINED}
