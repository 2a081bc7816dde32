"""Reading many ballots: in many short calls, because one long call would look like a region that hangs. What a round
that has expired had is not given, also while the database still holds some of it.

When a region fails in between, the rest comes from another one: merging makes whatever is read twice harmless. What is
read is said to be as old as its first call, to come from the region of the last, and to be as strong as the weakest.

Reads are strong where traffic ordinarily goes: what is read here is taken away and kept.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

from failover import gateway
from polls.ballots.models import BallotRow, ballot_page, shard_prefix
from polls.common.freshness import Known
from polls.common.models import Page
from polls.surveys.survey import Survey

T = TypeVar("T")
SHARDS_A_CALL = 4  # 4 round trips to a region 70 ms away are far within one attempt
FINAL = gateway.Consistency.STRONG_ELSE_EVENTUAL
AT_ONCE = 3  # calls; few, so that votes always find a free connection


def read_round(survey: Survey) -> Known[list[BallotRow]]:
    """Every ballot of the current round. Raises NoRegionAnswered.

    While all ballots of all surveys fit into one page, that page is read; beyond, this round's shards alone, so that
    other surveys' ballots cost nothing here.
    """
    began = gateway.clock.wall()
    prefix = shard_prefix(survey.code, survey.round)
    first = gateway.read(partial(_page, None, prefix), consistency=FINAL)
    if first.value.next is None or survey.is_gone:
        return Known.read([] if survey.is_gone else first.value.rows(BallotRow), first, began)
    shards = [f"{prefix}{number}" for number in range(survey.shards)]
    calls = [shards[at : at + SHARDS_A_CALL] for at in range(0, len(shards), SHARDS_A_CALL)]
    return together(list(_pool().map(_read_shards, calls)), began)


def together(told: Sequence[gateway.Routed[list[T]]], at: float) -> Known[list[T]]:
    """Several reads as one: from the region of the last, as strong as the weakest."""
    weakest = next((routed for routed in told if routed.degraded), told[-1])
    values = [value for routed in told for value in routed.value]
    return Known(values, told[-1].region, at, weakest.asked, weakest.given)


def read_ahead(survey: Survey) -> Known[bool]:
    """Whether there is a ballot in the current round's first shard: as cheap a read as there is, to learn how one of
    them all would be answered now. Raises NoRegionAnswered.
    """
    began = gateway.clock.wall()
    shard = f"{shard_prefix(survey.code, survey.round)}0"
    routed = gateway.read(
        lambda bound: next(iter(BallotRow.query(shard, limit=1, consistent_read=bound.strong)), None) is not None,
        consistency=FINAL,
    )
    return Known.read(routed.value and not survey.is_gone, routed, began)


def read_replica(survey: Survey, region: str) -> list[BallotRow]:
    """The ballot rows of the current round in one region's replica, in the order of their keys, without routing.

    For audits. Raises whatever reading there raises.
    """
    if survey.is_gone:
        return []
    prefix = shard_prefix(survey.code, survey.round)
    with gateway.at(region) as bound:
        page = ballot_page(None, prefix=prefix, consistent=bound.strong)
        found = page.rows(BallotRow)
        while page.next:
            page = ballot_page(page.next, prefix=prefix, consistent=bound.strong)
            found += page.rows(BallotRow)
    return sorted(found, key=lambda row: (str(row.shard), str(row.voter_region)))


def _page(start: dict[str, Any] | None, prefix: str | None, bound: gateway.Bound) -> Page:
    return ballot_page(start, prefix=prefix, consistent=bound.strong)


def _read_shards(shards: Sequence[str]) -> gateway.Routed[list[BallotRow]]:
    return gateway.read(
        lambda bound: [row for shard in shards for row in BallotRow.query(shard, consistent_read=bound.strong)],
        consistency=FINAL,
    )


@cache
def _pool() -> ThreadPoolExecutor:
    """Made on first use, so never before a server forks its workers."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ballots")
