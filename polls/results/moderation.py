"""Which free texts the class sees: an instructor hides single texts from the projector.

What is hidden is part of the survey's definition, with a property for each text. So every region
knows of it, and two instructors on both sides of a network partition lose nothing of what they hid.
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
MOST_HIDDEN = 500  # for each survey, over all its rounds: about 50 KB of its row
_MARK = re.compile(r"[A-Za-z0-9_-]{1,32}\.[0-9a-f]{16}")  # the question's id, and the text's


@dataclass(frozen=True)
class MarkedText:
    """A text, the mark that names it when it is hidden or shown again, and whether it is hidden."""

    mark: str
    text: str
    hidden: bool


@dataclass(frozen=True)
class MarkedPage:
    """A page of texts, and the place at which the next page begins; None at the end."""

    texts: tuple[MarkedText, ...]
    next: str | None


@dataclass(frozen=True)
class _PageKey:
    survey: Survey
    question: str
    after: str
    limit: int


def page(survey: Survey, question: str, *, after: str = "", limit: int, with_hidden: bool) -> MarkedPage:
    """A page of a question's texts, the newest first. Raises NoRegionAnswered.

    Without the hidden texts a page is as full as with them. An `after` that no page gave means the
    first page; a round that has expired has no texts.
    """
    if survey.is_gone:
        return MarkedPage((), None)
    plain = replace(survey, hidden_texts=frozenset())  # the same key for all readers, whatever is hidden meanwhile
    skipped = 0 if with_hidden else sum(1 for mark in survey.hidden_texts if mark.startswith(f"{question}."))
    try:
        read = _pages.get(_PageKey(plain, question, after, limit + skipped)).value.value
    except ValueError:
        read = _pages.get(_PageKey(plain, question, "", limit + skipped)).value.value
    marks = [(answer, f"{question}.{answer.id}") for answer in read.answers]
    shown = [(answer, mark) for answer, mark in marks if with_hidden or mark not in survey.hidden_texts]
    more = read.more or len(shown) > limit
    return MarkedPage(
        tuple(MarkedText(mark, answer.text, mark in survey.hidden_texts) for answer, mark in shown[:limit]),
        shown[:limit][-1][0].place if more else None,
    )


def is_mark(text: str) -> bool:
    """Whether a text has the form of a mark."""
    return _MARK.fullmatch(text) is not None


def set_hidden(*, code: str, mark: str, hidden: bool) -> Survey:
    """Hide a text of the current round, or show it again.

    Raises ServiceRefused ("too-many"), SurveyUnknown, NoRegionAnswered.
    """
    current = selectors.found_now(code)
    name = HIDDEN_TEXT + mark
    marks = sum(1 for field in current.row.fields if field.startswith(HIDDEN_TEXT))
    if name not in current.row.fields and marks >= MOST_HIDDEN:
        raise ServiceRefused(
            "too-many", _("%(most)d texts of this survey were hidden; more cannot be.") % {"most": MOST_HIDDEN}
        )
    return survey_change(code=code, values={name: current.survey.round if hidden else 0}, since=current.row)


def _read(key: _PageKey) -> Known[texts.TextPage]:
    return texts.texts(key.survey, key.question, after=key.after, limit=key.limit)


_pages: Cached[_PageKey, Known[texts.TextPage]] = Cached(
    _read, fresh_s=FRESH_S, monotonic=gateway.clock.monotonic, survives=gateway.NoRegionAnswered
)
