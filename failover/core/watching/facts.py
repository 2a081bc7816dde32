"""What the monitor knows about one region at one moment, frozen: the material of every document and sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failover.core.config import RouterConfig
from failover.core.counters import RegionCounters
from failover.core.phrases import Phrase, phrase
from failover.core.signals.breaker import Circuit, CircuitState
from failover.core.signals.health import Health, HealthState, Verdict, state_of
from failover.core.signals.lag import Lag, LagState
from failover.core.signals.latency import Slowness
from failover.core.watching.failback import Failback, failback


@dataclass(frozen=True, slots=True)
class Misconfiguration:
    """Every region refuses calls or canaries: what they say, and whether no call was answered since."""

    detail: str
    entirely: bool


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """One region. Times are monotonic seconds.

    `traffic` is the whole window over all hosts, `judged` the part of this host's since the circuit last changed;
    `lags` are those into the region from every other one, `needed` the names of those that failback waits for.
    `failures_in_a_row` and `refused_writes` are the longest rows of any worker, `refusal` what the latest refusal said.
    `unnoticed`: canaries opened its circuit while live traffic met no failure.
    `quick_ms` is what a call must not take while the region comes back from having been too slow, None when it was
    not. The last two count since the circuit last turned.
    """

    name: str
    priority: int
    now: float
    config: RouterConfig
    circuit: Circuit
    health: Health
    traffic: RegionCounters
    judged: RegionCounters
    failures_in_a_row: int
    refused_writes: int
    refusal: str
    lags: Mapping[str, Lag]
    needed: frozenset[str]
    disputed: bool
    unnoticed: bool
    slowness: Slowness
    quick_ms: float | None
    trials_passed: int
    canaries_passed: int

    @property
    def state(self) -> HealthState:
        """Health in one word."""
        fails = self.disputed or self.quick_ms is not None
        return state_of(self.health, traffic_fails=fails, config=self.config, now=self.now)

    @property
    def lag(self) -> Lag | None:
        """The worst of the lags that failback waits for, an unknown one first; None when it waits for none."""
        waited_for = [self.lags[name] for name in sorted(self.needed)]
        return max(waited_for, key=lambda lag: float("inf") if lag.ms is None else lag.ms, default=None)

    @property
    def lag_fine(self) -> bool:
        """Whether results would not run backwards here: every lag that matters is known and below its limit."""
        return self.lag is None or self.lag.within(self.config.lag_limit_ms)

    @property
    def left_behind(self) -> bool:
        """Whether results would run backwards here for long: even a single trial would show it to who makes it. Where
        canaries do not pass, nobody looked what has arrived."""
        stalled = self.lag is not None and self.lag.state is LagState.STALLED
        return stalled and self.health.passing(self.now, self.config)

    @property
    def ailing(self) -> bool:
        """Whether others are asked first where no circuit lets a call through: its canaries fail, or results are known
        to run backwards here."""
        behind = self.lag is not None and self.lag.ms is not None and not self.lag_fine
        return behind or not (self.health.sound or self.health.passing(self.now, self.config))

    @property
    def failback(self) -> Failback:
        """The conditions under which an open circuit lets trials through."""
        return failback(self.circuit, self.health, lag=self.lag_fine, config=self.config, now=self.now, pace=self.quick)

    @property
    def quick(self) -> bool:
        """Whether nothing says that a region which was too slow still is: its latest canary was quick."""
        if self.quick_ms is None:
            return True
        taken = self.health.latest.call_ms if self.health.latest is not None else None
        return taken is not None and taken <= self.quick_ms

    @property
    def recovered(self) -> bool:
        """Whether a half-open circuit may close: live trials say so, or canaries that live traffic does not dispute."""
        if self.circuit.state is not CircuitState.HALF_OPEN or not self.lag_fine:
            return False
        by_traffic = self.trials_passed >= self.config.trials_to_close
        passing = self.health.passing(self.now, self.config)
        enough = self.canaries_passed >= self.config.canaries_to_close
        by_canaries = passing and enough and self.quick and not self.disputed
        return by_traffic or by_canaries

    @property
    def why_down(self) -> Phrase:
        """What is wrong with the region, in a few words that can follow a colon."""
        latest = self.health.latest
        if latest is not None and latest.trouble and self.health.verdict is Verdict.FAILED:
            return phrase("{region}'s {trouble}", region=self.name, trouble=latest.trouble)
        return phrase("{region}: {trouble}", region=self.name, trouble=self.circuit.reason)

    @property
    def cause(self) -> str:
        """The same in one word out of few, for counting: the canary's layer that fails, else slow, else traffic."""
        latest = self.health.latest
        if latest is not None and self.health.verdict is Verdict.FAILED:
            for name, layer in latest.layers.items():
                if layer.ok is False:
                    return name
        return "traffic" if self.quick_ms is None else "slow"
