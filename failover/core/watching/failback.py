"""What must hold before an open region gets trials again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from failover.core.config import RouterConfig
from failover.core.phrases import Phrase, phrase
from failover.core.signals.breaker import Circuit
from failover.core.signals.health import Health


@dataclass(frozen=True, slots=True)
class Failback:
    """What must hold before an open region gets trials again. Each condition is explained on its own."""

    held: bool
    canaries: bool
    lag: bool
    pace: bool = True

    @property
    def met(self) -> bool:
        """Whether all hold."""
        return self.held and self.canaries and self.lag and self.pace

    @property
    def waits_for(self) -> Phrase:
        """What is still missing, in words that can follow "waits for"."""
        conditions = (
            (phrase("the end of its hold"), self.held),
            (phrase("more canaries"), self.canaries),
            (phrase("replication"), self.lag),
            (phrase("quick answers"), self.pace),
        )
        missing = [words for words, holds in conditions if not holds] or [phrase("its turn")]
        return reduce(lambda some, more: phrase("{some} and {more}", some=some, more=more), missing)


def failback(
    circuit: Circuit, health: Health, *, lag: bool, config: RouterConfig, now: float, pace: bool = True
) -> Failback:
    """The conditions for an open circuit. `lag`: whether every lag into the region is known and below its limit;
    `pace`: whether a region that was too slow answers its canaries quickly again."""
    enough = health.passes >= config.canaries_to_close and health.passing(now, config)
    return Failback(held=circuit.waited(now), canaries=enough, lag=lag, pace=pace)
