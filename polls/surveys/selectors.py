"""Reads of surveys. Every result names the region that served it and the time, so that a page can
show its age.
"""

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
READ_TIMEOUT_S = 1.0  # for each region; the rows of a slower one are left out
AT_ONCE = 8  # small reads for one page of a list: half of the calls that a worker may have under way in a region

guesses = Guesses(lambda: gateway.clock.monotonic())


class SurveyUnknown(LookupError):
    """No region that answers knows this code."""


class SurveyDeleted(SurveyUnknown):
    """There was a survey under this code, and its tombstone stands."""


class TooManyGuesses(SurveyUnknown):
    """Too many unknown codes were tried, so this code is not looked up now."""


@dataclass(frozen=True)
class Found:
    """A survey (it may be deleted) and the merged row that describes it. `complete` is true when
    every region answered this read. `at` is seconds since the epoch.
    """

    row: Row
    survey: Survey
    region: str
    at: float
    complete: bool = False

    @classmethod
    def of(cls, code: str, rows: Iterable[Row], *, region: str, complete: bool = False) -> "Found | None":
        """The survey that these rows describe now; None where they describe none."""
        row = merge(rows)
        return cls(row, from_row(code, row), region, gateway.clock.wall(), complete) if is_whole(row) else None


def _merged(known: Found | None, found: Found | None) -> Found | None:
    """What was known and what was found, together. So a close or a reset stays in force here while
    the region that took it does not answer.
    """
    if known is None or found is None:
        return known or found
    row = merge([known.row, found.row])
    survey = (
        known.survey if row == known.row else found.survey if row == found.row else from_row(known.survey.code, row)
    )
    return Found(row, survey, found.region, found.at)


def read_now(code: str) -> Found | None:
    """The survey, read in every region now; None where no region knows it. Raises NoRegionAnswered."""
    by_region = everywhere(lambda bound: [item.row() for item in SurveyRow.query(code, consistent_read=bound.strong)])
    rows = (row for rows in by_region.values() for row in rows)
    return Found.of(code, rows, region=next(iter(by_region)), complete=len(by_region) == len(gateway.regions()))


def found_now(code: str) -> Found:
    """As `read_now`, for a survey that exists. Raises SurveyUnknown (SurveyDeleted),
    NoRegionAnswered.
    """
    found = read_now(code)
    if found is None:
        raise SurveyUnknown(code)
    if found.survey.deleted:
        raise SurveyDeleted(code)
    return found


_surveys: gateway.Refresher[Found | None] = gateway.Refresher(
    read_now, merge=_merged, clock=gateway.clock, period_s=0.7
)


def survey_now(survey: Survey) -> Survey:
    """The survey as the regions hold it now, where `survey` may be a second old: for a voter who
    would otherwise be turned away. Returns `survey` itself while no region answers, or once it is
    deleted.
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
    """Let this process know at once what it has just written to `region`. Returns the survey as it
    is known then.
    """
    known = _surveys.put(code, Found.of(code, [row], region=region))
    if known is None:
        raise SurveyUnknown(code)
    return known.survey


def survey_get(code: str) -> Known[Survey]:
    """The survey, at most a second old while regions answer.

    Raises SurveyUnknown, or of its subclasses SurveyDeleted where there was one, and TooManyGuesses
    after too many unknown codes. Raises NoRegionAnswered.
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
    """The results of the regions that answer, by region, in the order of their priority. Raises
    NoRegionAnswered.
    """
    results = gateway.everywhere(op, timeout=timeout)
    return {region: results[region] for region in gateway.regions() if region in results}


def side_by_side(read: Callable[[U], T], keys: Sequence[U]) -> list[T]:
    """`read` for each key, in their order; a few at once, so that votes always find a free
    connection.
    """
    return list(_pool().map(read, keys))


@cache
def _pool() -> ThreadPoolExecutor:
    """Made at the first use, which is never before a server forks its workers."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reads")
