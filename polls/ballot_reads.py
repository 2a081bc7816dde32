"""Reading many ballots: in many short calls, because one long call would look like a region that hangs.

When a region fails in between, the rest comes from another one: merging makes whatever is read twice harmless. What is
read is said to be as old as its first call, and to come from the region of the last.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from failover import gateway

from .known import Known
from .models import BallotRow, Page, ballot_page, shard_prefix
from .surveys import Survey

SHARDS_A_CALL = 4  # 4 round trips to a region 70 ms away are far within one attempt
AT_ONCE = 3  # calls; few, so that votes always find a free connection


def read_round(survey: Survey) -> Known[list[BallotRow]]:
    """Every ballot of the current round. Raises NoRegionAnswered.

    While all ballots of all surveys fit into one page, that page is read; beyond, this round's shards alone, so that
    other surveys' ballots cost nothing here.
    """
    began = gateway.clock.wall()
    prefix = shard_prefix(survey.code, survey.round)
    first = gateway.read(partial(_page, None, prefix))
    if first.value.next is None:
        return Known(first.value.rows(), first.region, began)
    shards = [f"{prefix}{number}" for number in range(survey.shards)]
    calls = [shards[at : at + SHARDS_A_CALL] for at in range(0, len(shards), SHARDS_A_CALL)]
    told = list(_pool().map(_read_shards, calls))
    return Known([row for routed in told for row in routed.value], told[-1].region, began)


def read_replica(survey: Survey, region: str) -> list[BallotRow]:
    """The ballot rows of the current round in one region's replica, in the order of their keys, without routing.

    For audits. Raises whatever reading there raises.
    """
    prefix = shard_prefix(survey.code, survey.round)
    with gateway.at(region) as bound:
        page = ballot_page(None, prefix=prefix, consistent=bound.strong)
        found = page.rows()
        while page.next:
            page = ballot_page(page.next, prefix=prefix, consistent=bound.strong)
            found += page.rows()
    return sorted(found, key=lambda row: (str(row.shard), str(row.voter_region)))


def _page(start: dict[str, Any] | None, prefix: str | None, bound: gateway.Bound) -> Page:
    return ballot_page(start, prefix=prefix, consistent=bound.strong)


def _read_shards(shards: Sequence[str]) -> gateway.Routed[list[BallotRow]]:
    return gateway.read(
        lambda bound: [row for shard in shards for row in BallotRow.query(shard, consistent_read=bound.strong)]
    )


@cache
def _pool() -> ThreadPoolExecutor:
    """Made on first use, so never before a server forks its workers."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ballots")
