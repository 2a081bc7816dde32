"""Reads. Every result carries the region that served it and when it was read, so a page can say how old it is."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from failover import gateway
from polls.ballots.bulk_reads import read_replica, read_round
from polls.common import limits
from polls.common.caching import Cached, Newest
from polls.common.freshness import Known
from polls.surveys.merge import Cast, Row, merge, merge_ballots, stands
from polls.surveys.models import BallotRow, SurveyRow, shard_key, voter_key
from polls.surveys.survey import Survey, from_row, is_whole
from polls.tallies import store, tally

T = TypeVar("T")
U = TypeVar("U")
READ_TIMEOUT_S = 1.0  # a region that has not told its rows by then is not waited for
FRESH_S = 0.4  # a vote is counted within half a second, and so is seen within one
AT_ONCE = 8  # small reads of a page of a list: half of the calls that a worker may have under way in a region


@dataclass(frozen=True)
class Results:
    """The counts of one round, as one region's replica holds them.

    `compared_at` is when these tallies were last held against all ballots (seconds since the epoch), None before the
    first time. `current` is False when reading them anew failed: then they are the last ones that were read.
    """

    survey: Survey
    tally: tally.Tally
    compared_at: float | None = None
    current: bool = True


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
    if not limits.guesses.may_look(code):
        raise TooManyGuesses(code)
    known = _surveys.get(code)
    if known is None:
        limits.guesses.missed()
        raise SurveyUnknown(code)
    limits.guesses.found(code)
    if known.survey.deleted:
        raise SurveyDeleted(code)
    return Known(known.survey, known.region, known.at)


def everywhere(op: Callable[[gateway.Bound], T], *, timeout: float = READ_TIMEOUT_S) -> dict[str, T]:
    """What the regions that answer tell, by region, in the order of their priority. Raises NoRegionAnswered when none
    does.
    """
    told = gateway.everywhere(op, timeout=timeout)
    return {region: told[region] for region in gateway.regions() if region in told}


def ballot_get(survey: Survey, voter: str) -> Known[Cast | None]:
    """What a voter said in the current round: strongly read where traffic ordinarily goes, since who has just voted
    wants to see that vote. None once the round has expired. Raises NoRegionAnswered.
    """
    keys = ballot_keys(survey, voter)
    routed = gateway.read(
        lambda bound: [item.cast() for item in BallotRow.batch_get(keys, consistent_read=bound.strong)],
        consistency=gateway.Consistency.STRONG_ELSE_EVENTUAL,
    )
    standing = None if survey.is_gone else stands(routed.value, may_change=survey.allow_change)
    return Known.read(standing, routed, gateway.clock.wall())


def ballot_keys(survey: Survey, voter: str) -> list[tuple[str, str]]:
    """Where a voter's ballots of the current round may lie: one key a region of writing."""
    shard = shard_key(survey.code, survey.round, voter, survey.shards)
    return [(shard, voter_key(voter, region)) for region in gateway.regions()]


def ballots(survey: Survey, *, region: str | None = None) -> Known[list[Cast]]:
    """One ballot a voter, by time of voting; from `region`'s replica, or from wherever it is answered. None of a round
    that has expired. Raises NoRegionAnswered.
    """
    if region is not None:
        asked = given = gateway.Consistency.STRONG
        rows = read_replica(survey, region)
    else:
        read = read_round(survey)
        rows, region, asked, given = read.value, read.region, read.asked, read.given
    merged = merge_ballots([row.cast() for row in rows], may_change=survey.allow_change)
    ordered = sorted(merged.values(), key=lambda cast: cast.rank)
    return Known(ordered, region, gateway.clock.wall(), asked, given)


def _count(survey: Survey) -> Known[Results]:
    began = gateway.clock.wall()
    consistency = gateway.Consistency.EVENTUAL if survey.is_open else gateway.Consistency.STRONG_ELSE_EVENTUAL
    routed = gateway.read(
        lambda bound: store.read_round(survey.code, survey.round, consistent=bound.strong), consistency=consistency
    )
    kept = routed.value
    counted = tally.total((shard.tally for shard in kept.shards.values()), options=survey.option_ids)
    compared_at = kept.compared.at if kept.compared else None
    return Known.read(Results(survey, counted, compared_at), routed, began)


_counts: Cached[Survey, Known[Results]] = Cached(
    _count, fresh_s=FRESH_S, monotonic=gateway.clock.monotonic, survives=gateway.NoRegionAnswered
)


def results(survey: Survey) -> Known[Results]:
    """The counts of the current round as the answering region has counted them, read less than a second ago (five
    times what reading takes, if that is more); older, and saying so, while no region answers. Those of a closed survey
    are final, and are read strongly where traffic ordinarily goes. Nothing is counted of a round that has expired.
    Raises NoRegionAnswered.
    """
    held = _counts.get(survey)
    known = held.value
    if survey.is_gone:
        nothing = tally.total((), options=survey.option_ids)
        known = replace(known, value=replace(known.value, tally=nothing, compared_at=None))
    return known if held.current else replace(known, value=replace(known.value, current=False))


def _voters(place: tuple[str, int]) -> int:
    return gateway.read(lambda _bound: store.read_voters(*place)).value


_voters_counted: Cached[tuple[str, int], int] = Cached(
    _voters, fresh_s=2.0, monotonic=gateway.clock.monotonic, survives=gateway.NoRegionAnswered
)


def voters(surveys: Sequence[Survey]) -> dict[tuple[str, int], int]:
    """How many voted in the current round of each of these surveys, by code and round, a few seconds old; nobody in a
    round that has expired. Raises NoRegionAnswered.
    """
    rounds = [(survey.code, survey.round) for survey in surveys if not survey.is_gone]
    counted = side_by_side(_voters_counted.get, rounds)
    nobody = {(survey.code, survey.round): 0 for survey in surveys}
    return nobody | {place: held.value for place, held in zip(rounds, counted, strict=True)}


def side_by_side(read: Callable[[U], T], asked: Sequence[U]) -> list[T]:
    """`read` of each, in their order, a few at once, so that votes always find a free connection."""
    return list(_pool().map(read, asked))


@cache
def _pool() -> ThreadPoolExecutor:
    """Made on first use, so never before a server forks its workers."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reads")
