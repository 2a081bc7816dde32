"""The strategies by name: which client they use, how they keep votes, and who chooses the region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from failover.lab.drill_tables import PREFIX


class Decider(StrEnum):
    """Who chooses the region of a vote (deciders.py)."""

    FIXED = "fixed"
    FLAG = "flag"
    OPERATOR = "operator"
    HEALTH_CHECK = "health-check"
    NEAREST = "nearest"


class Store(StrEnum):
    """How votes are kept (stores.py)."""

    BALLOTS = "ballots"
    DOCUMENT = "document"
    COUNTER = "counter"


@dataclass(frozen=True)
class Strategy:
    """One strategy. `client` are settings of botocore's `Config` beside boto3's own, `check_every_s` is
    for health checks, `threads` is how many requests it serves at a time. `switches_after_s`: how long
    after the fault it would switch, in its own time; None: never.
    """

    name: str
    summary: str
    decider: Decider = Decider.FIXED
    store: Store = Store.BALLOTS
    client: Mapping[str, Any] = field(default_factory=dict)
    is_replicated: bool = True
    check_every_s: float = 0.0
    threads: int = 16
    switches_after_s: float | None = None

    @property
    def table(self) -> str:
        """Its own table in the lab."""
        return f"{PREFIX}{self.name}"

    def regions(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the known regions in which it keeps votes."""
        return known if self.is_replicated else known[:1]


RETRIES = {"retries": {"mode": "legacy", "max_attempts": 10}}
"""What SDKs did for DynamoDB in October 2025: ten retries, the last after 25.6 s."""
IMPATIENT: Mapping[str, Any] = {
    "connect_timeout": 0.5,
    "read_timeout": 0.5,
    "retries": {"mode": "legacy", "max_attempts": 3},
    "max_pool_connections": 64,
}
"""The usual advice, followed without a limit on retries: give up soon, and repeat at once."""
CHECKS_TO_FAIL, TTL_S = 3, 60.0
"""Route 53 gives an address up after so many failed checks; resolvers keep the old one for a TTL."""
OPERATOR_S = 900.0
"""From the first failed vote to a changed configuration: somebody is called, looks, decides, deploys."""

STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Strategy("single-region", "stock boto3 in the first region, without a replica", is_replicated=False),
        Strategy(
            "retries",
            "the same with the ten retries of October 2025, up to 25.6 s apart",
            client=RETRIES,
            is_replicated=False,
        ),
        Strategy(
            "impatient",
            "gives up after half a second and repeats at once, three times, 64 requests at a time",
            client=IMPATIENT,
            threads=64,
            is_replicated=False,
        ),
        Strategy("global-tables-only", "a replica stands ready in the second region, and nobody looks at it"),
        Strategy("external-flag", "a flag says which region to use; it is kept in the region that fails", Decider.FLAG),
        Strategy(
            "cold",
            f"an operator changes the configuration after {OPERATOR_S / 60:.0f} minutes",
            Decider.OPERATOR,
            switches_after_s=OPERATOR_S,
        ),
        *(
            Strategy(
                name,
                f"the address changes after {CHECKS_TO_FAIL} failed checks, one each {every:.0f} s, and a TTL of "
                f"{TTL_S:.0f} s",
                Decider.HEALTH_CHECK,
                check_every_s=every,
                switches_after_s=CHECKS_TO_FAIL * every + TTL_S,
            )
            for name, every in (("dns-health-check", 30.0), ("dns-health-check-fast", 10.0))
        ),
        Strategy(
            "one-document",
            "both regions write the same item, which holds many ballots",
            Decider.NEAREST,
            Store.DOCUMENT,
        ),
        Strategy("shared-counter", "both regions add 1 to the same item for each vote", Decider.NEAREST, Store.COUNTER),
    )
}
