"""A worker process that makes routed calls and prints how much memory it holds: `python -m tests.bench.worker JSON`.

Everything between `gateway.write` and the socket is real: router, circuits, pools, resolver, PynamoDB, botocore, and
the classification of errors.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path

from failover import gateway, wiring
from failover.conf import FailoverConfig
from tests.bench.saves import RoutedBallot


def rss_mb() -> float:
    """The memory that this process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(asked: str) -> None:
    """`asked` is JSON: `endpoints`, `nameserver`, `run_dir`, `calls` and `every`. Prints a JSON line after every
    `every` calls: `calls`, `mb`, and how the calls have gone so far.
    """
    settings = json.loads(asked)
    config = FailoverConfig(
        regions=tuple(settings["endpoints"]),
        endpoints=settings["endpoints"],
        nameserver=tuple(settings["nameserver"]),
        run_dir=Path(settings["run_dir"]),
        connect_timeout_s=0.25,
        read_timeout_s=0.25,
        hold_s=0.02,
    )
    outcomes: Counter[str] = Counter()
    with wiring.using(config):
        for number in range(1, settings["calls"] + 1):
            _call(number, outcomes)
            if number % settings["every"] == 0:
                print(json.dumps({"calls": number, "mb": rss_mb(), "outcomes": outcomes}), flush=True)


def _call(number: int, outcomes: Counter[str]) -> None:
    values = {"vote_id": "a", "answers": {"q1": "o2", "q2": ["o1", "o3"], "q3": 4}}
    ballot = RoutedBallot(f"BENCH#1#{number % 64}", f"voter-{number:08d}", **values)
    try:
        attempts = gateway.write(lambda _: ballot.put().written, idempotent=True).attempts
    except gateway.NoRegionAnswered as error:
        attempts = error.attempts
        outcomes["no region"] += 1
    outcomes.update(f"{attempt.region} {attempt.outcome}" for attempt in attempts)


if __name__ == "__main__":
    main(sys.argv[1])
