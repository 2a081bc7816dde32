"""One save: through the gateway, beside the same save by PynamoDB as it comes and by boto3, on one engine and table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from failover import gateway, wiring
from failover.conf import FailoverConfig
from tests.bench.engine import REGIONS, lone_engine, make_table
from tests.bench.measure import Cost, cost_of, interleaved
from tests.bench.report import Aim, Row

TABLE = "bench-ballots"
ROUNDS, CALLS, WITHIN_S = 41, 40, 22.0
AIM = Aim(0.95)
NOTE = (
    f"Saves: {CALLS} new items a round, warm, one thread, one engine process without front or DNS. CPU is "
    "time.process_time, summed over all threads of the client process (ours hands each attempt to a pool's thread); "
    "the engine's CPU is not in it. The stock model is a class of its own with Meta.host and Meta.region and "
    "PynamoDB's default settings (4 attempts, 15 s and 30 s timeouts); every variant writes the same attributes."
)


class RoutedBallot(gateway.RegionalModel):
    """The table as this project's models see it."""

    class Meta:
        table_name = TABLE

    shard = UnicodeAttribute(hash_key=True)
    voter_region = UnicodeAttribute(range_key=True)
    vote_id = UnicodeAttribute()
    answers = JSONAttribute()


def stock_model(host: str, **settings: float) -> type[Model]:
    """The same table as PynamoDB's own documentation would have it; `settings` are further Meta attributes."""
    meta = type("Meta", (), {"table_name": TABLE, "host": host, "region": REGIONS[0], **settings})
    attributes: dict[str, Any] = {
        "Meta": meta,
        "shard": UnicodeAttribute(hash_key=True),
        "voter_region": UnicodeAttribute(range_key=True),
        "vote_id": UnicodeAttribute(),
        "answers": JSONAttribute(),
        "updated_at": NumberAttribute(),
        "updated_in": UnicodeAttribute(),
    }
    return type("StockBallot", (Model,), attributes)


def rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    with lone_engine(folder / "saves", REGIONS[0]) as url:
        # The second region is configured, as it would be, and never needed.
        config = FailoverConfig(
            regions=REGIONS, endpoints=dict.fromkeys(REGIONS, url), nameserver=None, run_dir=folder / "run"
        )
        make_table(url, REGIONS[0], TABLE)
        with wiring.using(config):
            return _compared(_variants(url)), [NOTE]


def _variants(url: str) -> dict[str, Callable[[], object]]:
    numbers = itertools.count()
    stock = stock_model(url)
    brisk = stock_model(
        url, max_retry_attempts=0, connect_timeout_seconds=1, read_timeout_seconds=1, max_pool_connections=16
    )
    client = boto3.client("dynamodb", region_name=REGIONS[0], endpoint_url=url)

    def values() -> dict[str, Any]:
        number = next(numbers)
        return {
            "shard": f"BENCH#1#{number % 64}",
            "voter_region": f"voter-{number:08d}#{REGIONS[0]}",
            "vote_id": f"01890a5d-ac96-774b-bcce-{number:012x}",
            "answers": {"q1": "o2", "q2": ["o1", "o3"], "q3": 4},
            "updated_at": 1_760_943_600_000_000 + number,
            "updated_in": REGIONS[0],
        }

    def routed(save: Callable[[RoutedBallot], object]) -> object:
        ballot = RoutedBallot(**values())
        return gateway.write(lambda _: save(ballot), idempotent=True)

    def raw() -> object:
        item = values()
        return client.put_item(
            TableName=TABLE,
            Item={
                **{name: {"S": item[name]} for name in ("shard", "voter_region", "vote_id", "updated_in")},
                "answers": {"S": json.dumps(item["answers"])},
                "updated_at": {"N": str(item["updated_at"])},
            },
        )

    return {
        "save": lambda: routed(lambda ballot: ballot.save()),
        "put": lambda: routed(lambda ballot: ballot.put()),
        "stock": lambda: stock(**values()).save(),
        "brisk": lambda: brisk(**values()).save(),
        "boto3": raw,
    }


def _compared(variants: dict[str, Callable[[], object]]) -> list[Row]:
    for call in variants.values():
        cost_of(call, times=CALLS)  # clients, connections and caches are warm in every measured round
    measured = interleaved({name: _round(call) for name, call in variants.items()}, rounds=ROUNDS, within=WITHIN_S)

    def row(ours: str, peer: str, measure: str, aim: Aim | None = None) -> Row:
        what = {"save": "routed save()", "put": "routed put(), as a ballot is written"}[ours]
        beside = {
            "stock": "PynamoDB save()",
            "brisk": "PynamoDB save(), 1 attempt, 1 s timeouts",
            "boto3": "boto3 put_item",
        }[peer]
        kind = {"cpu": "client CPU", "wall": "wall time"}[measure]

        def pick(costs: list[Cost]) -> list[float]:
            return [getattr(cost, measure) for cost in costs]

        return Row(f"{what}, {kind}", beside, "µs", pick(measured[ours]), pick(measured[peer]), aim)

    return [
        row("save", "stock", "cpu", AIM),
        row("save", "stock", "wall"),
        row("put", "stock", "cpu"),
        row("put", "stock", "wall"),
        row("save", "brisk", "cpu"),
        row("save", "boto3", "cpu"),
    ]


def _round(call: Callable[[], object]) -> Callable[[], Cost]:
    return lambda: cost_of(call, times=CALLS)
