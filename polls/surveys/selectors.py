"""Reads of surveys. Every result says which region served it and when, so that a page can say how old it is."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from failover import gateway
from polls.common.caching import Newest
from polls.common.freshness import Known
from polls.common.limits import Guesses
from polls.surveys.merge import Row, merge
from polls.surveys.models import SurveyRow
from polls.surveys.survey import Survey, from_row, is_whole

T = TypeVar("T")

U = TypeVar("U")

READ_TIMEOUT_S = 1.0  # a region that has not told its rows by then is not waited for

AT_ONCE = 8  # small reads of a page of a list: half of the calls that a worker may have under way in a region

guesses = Guesses(lambda: gateway.clock.monotonic())


class SurveyUnknown(LookupError):
    """No region that answers knows this code."""


class SurveyDeleted(SurveyUnknown):
    """There was a survey under this code, and its tombstone stands."""


class TooManyGuesses(SurveyUnknown):
    """So many codes were tried that nobody has that this one is not looked up now."""


@dataclass(frozen=True)
class Found:
    """A survey (it may be deleted) and the merged row that describes it; `complete` when every region was asked and
    answered.
    """

    row: Row
    survey: Survey
    region: str
    at: float
    complete: bool = False

    @classmethod
    def of(cls, code: str, rows: Iterable[Row], *, region: str, complete: bool = False) -> "Found | None":
        """What these rows come to now; None while there is none."""
        row = merge(rows)
        return cls(row, from_row(code, row), region, gateway.clock.wall(), complete) if is_whole(row) else None


def _merged(known: Found | None, found: Found | None) -> Found | None:
    """Nothing that was known is taken away: a close or a reset stays in force here while the region that took it does
    not answer.
    """
    if known is None or found is None:
        return known or found
    row = merge([known.row, found.row])
    survey = (
        known.survey if row == known.row else found.survey if row == found.row else from_row(known.survey.code, row)
    )
    return Found(row, survey, found.region, found.at)


def read_now(code: str) -> Found | None:
    """The survey, asked of every region now. Raises NoRegionAnswered when none answers."""
    told = everywhere(lambda bound: [item.row() for item in SurveyRow.query(code, consistent_read=bound.strong)])
    complete = len(told) == len(gateway.regions())
    return Found.of(code, (row for rows in told.values() for row in rows), region=next(iter(told)), complete=complete)


def found_now(code: str) -> Found:
    """As `read_now`, of a survey that is there. Raises SurveyUnknown (SurveyDeleted), NoRegionAnswered."""
    found = read_now(code)
    if found is None:
        raise SurveyUnknown(code)
    if found.survey.deleted:
        raise SurveyDeleted(code)
    return found


_surveys: gateway.Refresher[Found | None] = gateway.Refresher(
    read_now, merge=_merged, clock=gateway.clock, period_s=0.7, idle_s=60.0
)


def survey_now(survey: Survey) -> Survey:
    """As the regions hold the survey now, where `survey` may be a second old: for whoever would otherwise be turned
    away. As it is known here while no region answers, or once it is deleted.
    """
    try:
        found = _newest.get(survey.code)
    except gateway.NoRegionAnswered:
        return survey
    return survey if found is None or found.survey.deleted else found.survey


def _read_and_learn(code: str) -> Found | None:
    return _surveys.put(code, read_now(code))


_newest: Newest[str, Found | None] = Newest(_read_and_learn)


def learn(code: str, row: Row, *, region: str) -> Survey:
    """What this process has just written to `region` is known to it at once. Returns the survey as it is known then."""
    known = _surveys.put(code, Found.of(code, [row], region=region))
    if known is None:
        raise SurveyUnknown(code)
    return known.survey


def survey_get(code: str) -> Known[Survey]:
    """The survey, at most a second old while regions answer. Raises SurveyUnknown (SurveyDeleted where one was,
    TooManyGuesses while too many codes were tried that nobody has), NoRegionAnswered.
    """
    if not guesses.may_look(code):
        raise TooManyGuesses(code)
    known = _surveys.get(code)
    if known is None:
        guesses.missed()
        raise SurveyUnknown(code)
    guesses.found(code)
    if known.survey.deleted:
        raise SurveyDeleted(code)
    return Known(known.survey, known.region, known.at)


def everywhere(op: Callable[[gateway.Bound], T], *, timeout: float = READ_TIMEOUT_S) -> dict[str, T]:
    """What the regions that answer tell, by region, in the order of their priority. Raises NoRegionAnswered when none
    does.
    """
    told = gateway.everywhere(op, timeout=timeout)
    return {region: told[region] for region in gateway.regions() if region in told}


def side_by_side(read: Callable[[U], T], asked: Sequence[U]) -> list[T]:
    """`read` of each, in their order, a few at once, so that votes always find a free connection."""
    return list(_pool().map(read, asked))


@cache
def _pool() -> ThreadPoolExecutor:
    """Made on first use, so never before a server forks its workers."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reads")
