"""What the router's tests share: calls that write, a circuit that is open, a region that is congested."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from failover.core.config import RouterConfig
from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered
from failover.core.fakes import answers, fails
from failover.core.ports import Bound
from tests.simulation.support import CONFIG, EAST, Bench, where

A = ErrorClass.NOT_SENT


def write(bench: Bench, *, idempotent: bool = True) -> str:
    return bench.router.call(where, idempotent=idempotent).value


def open_own(bench: Bench, region: str = EAST, failures: int = 3) -> None:
    bench.runner.plays(region, *[fails(A)] * failures)
    for _ in range(failures):
        write(bench)


class Congested(Bench):
    """The home region's share is taken, so that a call is cut short there."""

    def __init__(self, *names: str, config: RouterConfig | None = None) -> None:
        super().__init__(*names, config=config or replace(CONFIG, share=1))

    def traced(self) -> list[tuple[str, str]]:
        """What was tried for a call that comes meanwhile."""
        traces: list[tuple[Attempt, ...]] = []

        def meanwhile(bound: Bound) -> str:
            try:
                traces.append(self.router.call(where, idempotent=True).attempts)
            except NoRegionAnswered as nobody:
                traces.append(nobody.attempts)
            return bound.region

        self.runner.script.setdefault(EAST, deque()).appendleft(answers())
        assert self.router.call(meanwhile, idempotent=True).region == EAST
        return [(one.region, one.outcome.value) for one in traces[0]]
