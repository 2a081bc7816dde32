"""Reads many ballots in many short calls, because one long call would look like a region that
hangs.

When a region fails in between, the other calls go to another region: merging makes ballots that are
read twice harmless. The result counts as read at the time of the first call, in the region of the
last call, and with the weakest consistency of all calls. Reads are strong in the region of first
choice, because the result is exported and kept.

A round that has expired has no ballots, also while the database still holds some of them.
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
SHARDS_A_CALL = 4  # 4 round trips to a region 70 ms away fit easily into one attempt
FINAL = gateway.Consistency.STRONG_ELSE_EVENTUAL
AT_ONCE = 3  # calls; so few that votes always find a free connection


def read_round(survey: Survey) -> Known[list[BallotRow]]:
    """Every ballot of the current round. Raises NoRegionAnswered.

    Where the ballots of all surveys fit into one page, this reads that page. Otherwise it reads the
    shards of this round alone, so that the ballots of other surveys cost nothing.
    """
    began = gateway.clock.wall()
    prefix = shard_prefix(survey.code, survey.round)
    first = gateway.read(partial(_page, None, prefix), consistency=FINAL)
    if first.value.next is None or survey.is_gone:
        return Known.read([] if survey.is_gone else first.value.rows(BallotRow), first, began)
    shards = [f"{prefix}{number}" for number in range(survey.shards)]
    calls = [shards[at : at + SHARDS_A_CALL] for at in range(0, len(shards), SHARDS_A_CALL)]
    return together(list(_pool().map(_read_shards, calls)), began)


def together(reads: Sequence[gateway.Routed[list[T]]], at: float) -> Known[list[T]]:
    """Several reads as one: in the region of the last read, with the weakest consistency."""
    weakest = next((routed for routed in reads if routed.degraded), reads[-1])
    values = [value for routed in reads for value in routed.value]
    return Known(values, reads[-1].region, at, weakest.asked, weakest.given)


def read_ahead(survey: Survey) -> Known[bool]:
    """Whether the current round's first shard has a ballot. A cheap read, which shows how a read of
    all ballots would be answered now. Raises NoRegionAnswered.
    """
    began = gateway.clock.wall()
    shard = f"{shard_prefix(survey.code, survey.round)}0"
    routed = gateway.read(
        lambda bound: next(iter(BallotRow.query(shard, limit=1, consistent_read=bound.strong)), None) is not None,
        consistency=FINAL,
    )
    return Known.read(routed.value and not survey.is_gone, routed, began)


def read_replica(survey: Survey, region: str) -> list[BallotRow]:
    """The ballot rows of the current round in one region's replica, in the order of their keys,
    without routing.

    For audits. Raises what the database raises.
    """
    if survey.is_gone:
        return []
    prefix = shard_prefix(survey.code, survey.round)
    with gateway.at(region) as bound:
        page = ballot_page(None, prefix=prefix, consistent=bound.strong)
        rows = page.rows(BallotRow)
        while page.next:
            page = ballot_page(page.next, prefix=prefix, consistent=bound.strong)
            rows += page.rows(BallotRow)
    return sorted(rows, key=lambda row: (str(row.shard), str(row.voter_region)))


def _page(start: dict[str, Any] | None, prefix: str | None, bound: gateway.Bound) -> Page:
    return ballot_page(start, prefix=prefix, consistent=bound.strong)


def _read_shards(shards: Sequence[str]) -> gateway.Routed[list[BallotRow]]:
    return gateway.read(
        lambda bound: [row for shard in shards for row in BallotRow.query(shard, consistent_read=bound.strong)],
        consistency=FINAL,
    )


@cache
def _pool() -> ThreadPoolExecutor:
    """Made at the first use, which is never before a server forks its workers."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ballots")
