"""Reads of the counts of a round."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from failover import gateway
from polls.common.caching import Cached
from polls.common.freshness import Known
from polls.surveys.selectors import side_by_side
from polls.surveys.survey import Survey
from polls.tallies import store, tally

FRESH_S = 0.4  # a vote is counted within half a second, and so is seen within one


@dataclass(frozen=True)
class Results:
    """The counts of one round, as one region's replica holds them.

    `compared_at` is when these tallies were last compared with all ballots (seconds since the
    epoch), None before the first time. `current` is False when the latest read failed: then the
    counts are the last ones that were read.
    """

    survey: Survey
    tally: tally.Tally
    compared_at: float | None = None
    current: bool = True


def _count(survey: Survey) -> Known[Results]:
    began = gateway.clock.wall()
    consistency = gateway.Consistency.EVENTUAL if survey.is_open else gateway.Consistency.STRONG_ELSE_EVENTUAL
    routed = gateway.read(
        lambda bound: store.read_round(survey.code, survey.round, consistent=bound.strong), consistency=consistency
    )
    tallies = routed.value
    counted = tally.total((shard.tally for shard in tallies.shards.values()), options=survey.option_ids)
    compared_at = tallies.compared.at if tallies.compared else None
    return Known.read(Results(survey, counted, compared_at), routed, began)


_counts: Cached[Survey, Known[Results]] = Cached(
    _count, fresh_s=FRESH_S, monotonic=gateway.clock.monotonic, survives=gateway.NoRegionAnswered
)


def results(survey: Survey) -> Known[Results]:
    """The counts of the current round, as the answering region has them. Raises NoRegionAnswered.

    They were read less than a second ago, or five times what a read takes, if that is more. While
    no region answers they are older, and `current` is False. The counts of a closed survey are
    final: they are read strongly where traffic ordinarily goes. A round that has expired has no
    counts.
    """
    held = _counts.get(survey)
    known = held.value
    if survey.is_gone:
        no_votes = tally.total((), options=survey.option_ids)
        known = replace(known, value=replace(known.value, tally=no_votes, compared_at=None))
    return known if held.current else replace(known, value=replace(known.value, current=False))


def _voters(place: tuple[str, int]) -> int:
    return gateway.read(lambda _bound: store.read_voters(*place)).value


_voters_counted: Cached[tuple[str, int], int] = Cached(
    _voters, fresh_s=2.0, monotonic=gateway.clock.monotonic, survives=gateway.NoRegionAnswered
)


def voters(surveys: Sequence[Survey]) -> dict[tuple[str, int], int]:
    """The number of voters in the current round of each survey, by code and round. Raises
    NoRegionAnswered.

    It is a few seconds old at most; 0 for a round that has expired.
    """
    rounds = [(survey.code, survey.round) for survey in surveys if not survey.is_gone]
    counted = side_by_side(_voters_counted.get, rounds)
    nobody = {(survey.code, survey.round): 0 for survey in surveys}
    return nobody | {place: held.value for place, held in zip(rounds, counted, strict=True)}
