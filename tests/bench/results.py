"""A results page of very many ballots beside one of few, and beside what the article's application does: a scan."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import boto3

from tests.bench.engine import REGIONS, Demo
from tests.bench.large import ARTICLE, BIG, FEW, MANY, SMALL
from tests.bench.measure import interleaved
from tests.bench.report import Aim, Row
from tests.bench.web import Reader, await_voters

ROUNDS, WITHIN_S = 15, 60.0
FRESH_S = 0.6  # after so long a worker reads the tallies again
COUNTED_S = 60.0
AIM = Aim(1.2)
NOTE = (
    f"Results: the HTML page over HTTP at {MANY:,} and at {FEW} ballots, each asked for when the worker's reading is "
    "too old to serve, so the tallies are read from the region every time (checked by the age in the reply). The "
    "ballots were written into the engines before; the tally function runs beside it as always. The article's "
    "application is played by a plain boto3 Scan of a table with a small item a vote, counted in a loop, without any "
    "web tier, page by page as the engine gives it."
)


def rows(demo: Demo) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    for code, number in ((BIG, MANY), (SMALL, FEW)):
        await_voters(demo.port, code, number, within=COUNTED_S)
    client = boto3.client("dynamodb", region_name=REGIONS[0], endpoint_url=demo.front(REGIONS[0]))
    variants: dict[str, Callable[[], float]] = {
        "many": lambda: _page(demo, BIG),
        "few": lambda: _page(demo, SMALL),
        "scan many": lambda: _timed(lambda: article_results(client, ARTICLE[MANY]), MANY),
        "scan few": lambda: _timed(lambda: article_results(client, ARTICLE[FEW]), FEW),
    }
    for warm in variants.values():
        warm()
    measured = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)
    many, few = f"at {MANY:,} ballots", f"at {FEW} ballots"
    return [
        Row(f"results page {many}", few, "ms", measured["many"], measured["few"], AIM),
        Row(f"the article's scan {many}", few, "ms", measured["scan many"], measured["scan few"]),
        Row(f"results page {many}", "the article's scan", "ms", measured["many"], measured["scan many"]),
    ], [NOTE]


def article_results(client: object, table: str) -> Counter[str]:
    """The peer: every results page reads every vote."""
    counts: Counter[str] = Counter()
    for page in client.get_paginator("scan").paginate(TableName=table):
        counts.update(item["choice"]["S"] for item in page["Items"])
    return counts


def _page(demo: Demo, code: str) -> float:
    """One page whose worker has to read the tallies; milliseconds."""
    time.sleep(FRESH_S)
    with Reader(demo.port, f"/s/{code}/results/") as reader:
        answer = reader.get()
    assert float(answer.header("X-Counted-Age-Ms")) <= answer.ms + 1, "this page was served from the worker's cache"
    return answer.ms


def _timed(scan: Callable[[], Counter[str]], votes: int) -> float:
    began = time.perf_counter()
    counts = scan()
    ms = (time.perf_counter() - began) * 1000
    assert sum(counts.values()) == votes
    return ms
