"""Which free texts the projector shows: an instructor hides them one by one.

What is hidden is part of the survey's definition, one property a text, so every region knows of it
and two instructors on both sides of a split lose nothing of what they hid.
"""

import re
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from failover import gateway
from polls.common.caching import Cached
from polls.common.freshness import Known
from polls.results import texts
from polls.surveys import selectors
from polls.surveys.services import ServiceRefused, survey_change
from polls.surveys.survey import HIDDEN_TEXT, Survey

FRESH_S = 1.0
MOST_HIDDEN = 500  # a survey, over all its rounds: about 50 KB of its row
_MARK = re.compile(r"[A-Za-z0-9_-]{1,32}\.[0-9a-f]{16}")  # the question's id, and the text's


@dataclass(frozen=True)
class MarkedText:
    """One answer in words, the mark by which it is hidden or shown, and whether it is hidden."""

    mark: str
    text: str
    hidden: bool


@dataclass(frozen=True)
class MarkedPage:
    """Some texts, and where the next page begins; None at the end."""

    texts: tuple[MarkedText, ...]
    next: str | None


@dataclass(frozen=True)
class _Wanted:
    survey: Survey
    question: str
    after: str
    limit: int


def page(survey: Survey, question: str, *, after: str = "", limit: int, with_hidden: bool) -> MarkedPage:
    """A page of a question's texts, the newest first; without the hidden ones it is as full as if
    they were not there.

    An `after` that no page gave means the first page; a round that has expired has no texts. Raises
    NoRegionAnswered.
    """
    if survey.is_gone:
        return MarkedPage((), None)
    plain = replace(survey, hidden_texts=frozenset())  # one reading for all who ask, whatever is hidden meanwhile
    passed_over = 0 if with_hidden else sum(1 for mark in survey.hidden_texts if mark.startswith(f"{question}."))
    try:
        found = _pages.get(_Wanted(plain, question, after, limit + passed_over)).value.value
    except ValueError:
        found = _pages.get(_Wanted(plain, question, "", limit + passed_over)).value.value
    marks = [(answer, f"{question}.{answer.id}") for answer in found.answers]
    told = [(answer, mark) for answer, mark in marks if with_hidden or mark not in survey.hidden_texts]
    more = found.more or len(told) > limit
    return MarkedPage(
        tuple(MarkedText(mark, answer.text, mark in survey.hidden_texts) for answer, mark in told[:limit]),
        told[:limit][-1][0].place if more else None,
    )


def is_mark(text: str) -> bool:
    """Whether this can name a text."""
    return _MARK.fullmatch(text) is not None


def set_hidden(*, code: str, mark: str, hidden: bool) -> Survey:
    """Hide a text of the current round, or show it again.

    Raises ServiceRefused ("too-many"), SurveyUnknown, NoRegionAnswered.
    """
    known = selectors.found_now(code)
    name = HIDDEN_TEXT + mark
    marks = sum(1 for field in known.row.fields if field.startswith(HIDDEN_TEXT))
    if name not in known.row.fields and marks >= MOST_HIDDEN:
        raise ServiceRefused(
            "too-many", _("%(most)d texts of this survey were hidden; more cannot be.") % {"most": MOST_HIDDEN}
        )
    return survey_change(code=code, values={name: known.survey.round if hidden else 0}, since=known.row)


def _read(wanted: _Wanted) -> Known[texts.TextPage]:
    return texts.texts(wanted.survey, wanted.question, after=wanted.after, limit=wanted.limit)


_pages: Cached[_Wanted, Known[texts.TextPage]] = Cached(
    _read, fresh_s=FRESH_S, monotonic=gateway.clock.monotonic, survives=gateway.NoRegionAnswered
)
