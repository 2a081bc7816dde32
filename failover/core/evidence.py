"""What the monitor has gathered about one region: canaries, live traffic, and its circuit. It judges, once a tick."""

from __future__ import annotations

from collections.abc import Mapping

from failover.core import breaker
from failover.core.breaker import Circuit, CircuitState
from failover.core.config import RouterConfig
from failover.core.detector import Sample, Window, over_threshold
from failover.core.facts import RegionFacts
from failover.core.health import Canary, Health, Verdict, on_canary
from failover.core.lag import Lag
from failover.core.regions import Region
from failover.core.status import RegionReport


class Evidence:
    """One region as the monitor sees it. Evidence is gathered as it comes and weighed once a tick."""

    def __init__(self, region: Region, config: RouterConfig) -> None:
        self.region = region
        self.circuit = Circuit()
        self.health = Health()
        self._config = config
        self._window = Window(config.error_window_s)
        self._elsewhere = Window(config.error_window_s)
        self._alarm = ""
        self._failures_in_a_row = 0
        self._disputed_at = float("-inf")
        self._trials_passed = 0
        self._canaries_passed = 0

    def canary(self, canary: Canary, now: float) -> None:
        """Count a canary. One that says nothing changes nothing."""
        self.health = on_canary(self.health, canary, config=self._config, now=now)
        match canary.verdict:
            case Verdict.PASSED:
                self._canaries_passed += 1
            case Verdict.FAILED:
                self._disputed_at = float("-inf")  # canaries and live traffic agree again
                if self.circuit.state is CircuitState.HALF_OPEN:
                    self._alarm = f"a canary failed in half-open: {canary.told}"
                elif self.health.failures >= self._config.canary_failures_to_open:
                    self._alarm = f"{self.health.failures} canaries failed in a row: {canary.told}"
            case Verdict.SAYS_NOTHING:
                pass

    def live(self, was: RegionReport, became: RegionReport, now: float) -> None:
        """Count what one worker met since its last report."""
        latency = tuple(after - before for before, after in zip(was.latency, became.latency, strict=True))
        failed = became.failed - was.failed
        self._window.add(Sample(became.requests - was.requests, failed, latency), now)
        if failed and self.health.passing(now, self._config):
            self._disputed_at = now
        self._trials_passed += became.trials_passed - was.trials_passed
        if became.openings > was.openings:
            self.worker_open(became)
        elif became.trials_failed > was.trials_failed and self.circuit.state is CircuitState.HALF_OPEN:
            self._alarm = "a live trial failed"

    def elsewhere(self, sample: Sample, now: float) -> None:
        """Count what other hosts met: it is shown, and judged by them."""
        self._elsewhere.add(sample, now)

    def worker_open(self, report: RegionReport) -> None:
        """A worker's circuit is open: what it met, the others would meet."""
        self._alarm = f"live traffic: {report.last_reason}"

    def restore(self, reason: str, now: float) -> None:
        """Begin with an open circuit: that is how this monitor left it before it restarted."""
        self._begin(breaker.opened(self.circuit, config=self._config, now=now, reason=reason))

    def worst_row(self, failures: int) -> None:
        """The longest row of failures that any worker has now; it is shown, the workers judge it themselves."""
        self._failures_in_a_row = failures

    def judge(self, facts: RegionFacts) -> bool:
        """Let the circuit take at most one turn; whether it did."""
        alarm, self._alarm = self._alarm, ""
        before, now = self.circuit, facts.now
        match before.state:
            case CircuitState.OPEN:
                if facts.failback.met:
                    self._begin(breaker.half_opened(before, now=now))
            case CircuitState.HALF_OPEN:
                if alarm:
                    self._begin(breaker.opened(before, config=self._config, now=now, reason=alarm))
                elif facts.recovered:
                    self._begin(breaker.closed(before, now=now))
            case CircuitState.CLOSED:
                if not alarm and over_threshold(facts.judged, self._config):
                    alarm = (
                        f"{facts.judged.error_rate:.1%} of {facts.judged.requests} requests failed "
                        f"within {self._config.error_window_s:.0f} s"
                    )
                if alarm:
                    self._begin(breaker.opened(before, config=self._config, now=now, reason=alarm))
        return self.circuit is not before

    def facts(self, lags: Mapping[str, Lag], needed: frozenset[str], now: float) -> RegionFacts:
        """Everything known, frozen. `lags` are those into this region, `needed` those that failback waits for."""
        return RegionFacts(
            name=self.region.name,
            priority=self.region.priority,
            now=now,
            config=self._config,
            circuit=self.circuit,
            health=self.health,
            traffic=self._window.total(now) + self._elsewhere.total(now),
            judged=self._window.total(now, since=self.circuit.since),
            failures_in_a_row=self._failures_in_a_row,
            lags=lags,
            needed=needed,
            disputed=now - self._disputed_at < self._config.error_window_s,
            trials_passed=self._trials_passed,
            canaries_passed=self._canaries_passed,
        )

    def _begin(self, circuit: Circuit) -> None:
        if circuit.state is CircuitState.CLOSED and self._trials_passed >= self._config.trials_to_close:
            self._disputed_at = float("-inf")  # live traffic itself says that it works
        self.circuit = circuit
        self._trials_passed = self._canaries_passed = 0
