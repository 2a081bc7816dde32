"""The router alone: `Router.call` with a runner that does nothing but run the operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from failover.adapters.clock import SystemClock
from failover.adapters.runner import PooledRunner
from failover.core.config import RouterConfig
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.ports import Bound, Runner, Success
from failover.core.regions import Region
from failover.core.router import Router
from tests.bench.measure import cost_of, interleaved
from tests.bench.report import Aim, Judged, Row

T = TypeVar("T")
NAMES = ("us-east-1", "us-west-2")
ROUNDS, CALLS, WITHIN_S = 21, 2_000, 8.0
NOTE = (
    f"Router alone: {CALLS:,} calls a round of an operation that returns a constant; CPU of all threads. Open: "
    "the first region's circuit is open, so each call notes a skipped region and takes the second."
)


class BareRunner:
    """Runs the operation in the caller's thread; a region in `broken` refuses instead."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    def renew(self, region: str) -> None:
        """There is no pool."""

    def run(self, region: str, op: Callable[[Bound], T], bound: Bound, timeout: float) -> Success[T] | Failure:
        """Never raises."""
        if region in self.broken:
            return Failure(ErrorClass.NOT_SENT, Outcome.DNS, "", ConnectionError())
        return Success(op(bound))


def _router(runner: Runner) -> Router:
    # An open circuit stays open for the length of the bench.
    config = RouterConfig(failures_to_open=1, hold_s=3600, hold_cap=1)
    regions = [Region(name, priority) for priority, name in enumerate(NAMES)]
    return Router(regions, config=config, clock=SystemClock(), runner=runner, jitter=lambda: 0.5)


def _op(_bound: Bound) -> int:
    return 1


def rows() -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    bare = BareRunner()
    closed, opened, pooled = _router(bare), _router(bare), _router(PooledRunner(NAMES, threads=2))
    bare.broken.add(NAMES[0])
    assert opened.call(_op, idempotent=True).region == NAMES[1]
    bare.broken.clear()
    assert opened.call(_op, idempotent=True).region == NAMES[1], "the first region's circuit is open"
    bound = Bound(NAMES[0])
    variants: dict[str, Callable[[], object]] = {
        "closed": lambda: closed.call(_op, idempotent=True),
        "open": lambda: opened.call(_op, idempotent=True),
        "pooled": lambda: pooled.call(_op, idempotent=True),
        "bare": lambda: _op(bound),
    }
    values = interleaved({name: _round(call) for name, call in variants.items()}, rounds=ROUNDS, within=WITHIN_S)
    added = Aim(100, judged=Judged.DIFFERENCE)
    return [
        Row("Router.call, circuits closed", "the function called", "µs", values["closed"], values["bare"]),
        Row("Router.call, first circuit open", "circuits closed", "µs", values["open"], values["closed"], added),
        Row(
            "Router.call and the hand-over to a region's thread",
            "no thread",
            "µs",
            values["pooled"],
            values["closed"],
        ),
    ], [NOTE]


def _round(call: Callable[[], object]) -> Callable[[], float]:
    return lambda: cost_of(call, times=CALLS).cpu
