"""What the monitor has gathered about one region: canaries, live traffic, and its circuit. Each tick judges it."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping

from failover.core.config import RouterConfig
from failover.core.counters import LATENCY_BOUNDS_MS, RegionCounters
from failover.core.exchange.reports import HostCircuit, RegionReport
from failover.core.exchange.restart import remembered, resumed
from failover.core.phrases import Phrase, phrase
from failover.core.regions import Region
from failover.core.signals import breaker
from failover.core.signals.breaker import Circuit, CircuitState
from failover.core.signals.error_rate import Window, over_threshold
from failover.core.signals.health import Canary, Health, Verdict, on_canary
from failover.core.signals.lag import Lag
from failover.core.signals.latency import PaceMeter, Rival, Slowness
from failover.core.watching.facts import RegionFacts

CANARIES_TIMED = 5
"""How many of the latest canaries say what a call takes in a region that has no traffic; the slowest of them counts."""


class Evidence:
    """One region as the monitor sees it. Evidence is gathered as it comes, and weighed at each tick."""

    def __init__(self, region: Region, config: RouterConfig) -> None:
        self.region = region
        self.circuit = Circuit()
        self.health = Health()
        self._config = config
        self._window = Window(config.error_window_s)
        self._elsewhere = Window(config.error_window_s)
        self._pace = PaceMeter(config)
        self._canary_ms: deque[float] = deque(maxlen=CANARIES_TIMED)
        self._quick_ms: float | None = None
        self._alarm = ""
        self._failures_in_a_row = self._refused_writes = 0
        self.refusal = ""
        self._accusers = 0
        self._before_accused: Circuit | None = None
        self._disputed_at = float("-inf")
        self._unnoticed = False
        self._behind_since = float("inf")
        self._trials_passed = self._slow_trials = 0
        self._canaries_passed = 0

    def canary(self, canary: Canary, now: float) -> None:
        """Count a canary. One that says nothing changes nothing."""
        self.health = on_canary(self.health, canary, config=self._config, now=now)
        match self.health.verdict:
            case Verdict.PASSED:
                self._canaries_passed += 1
                if canary.call_ms is not None:
                    self._canary_ms.append(canary.call_ms)
            case Verdict.FAILED:
                self._canary_ms.clear()
                self._disputed_at = float("-inf")  # canaries and live traffic agree again
                if self.circuit.state is CircuitState.HALF_OPEN:
                    self._alarm = phrase("a canary failed in half-open: {trouble}", trouble=canary.trouble)
                elif self.health.failures >= self._config.canary_failures_to_open:
                    self._alarm = phrase(
                        "{failures} canaries failed in a row: {trouble}",
                        failures=self.health.failures,
                        trouble=canary.trouble,
                    )
            case Verdict.SAYS_NOTHING:
                pass

    def live(self, was: RegionReport, became: RegionReport, now: float) -> None:
        """Count what one worker met since its last report."""
        if became.requests == was.requests and became == was:
            return
        met = became - was
        self._window.add(met, now)
        if met.denied:
            self.refusal = became.last_denial
        self._pace.add(met, now, learn=self.circuit.state is CircuitState.CLOSED)
        if met.failed and self.health.passing(now, self._config):
            self._disputed_at = now
        slow = self._too_slow(met.latency)
        self._trials_passed += max(0, met.trials_passed - slow)
        if met.retracted > met.openings:
            self._accusers = max(0, self._accusers - (met.retracted - met.openings))
        elif met.openings > met.retracted:
            self.worker_open(became)
        elif met.trials_failed > 0 and self.circuit.state is CircuitState.HALF_OPEN:
            self._alarm = phrase("a live trial failed")
        elif slow:
            self._disputed_at = now
            self._slow_trials += slow
            if self._slow_trials >= self._config.trials_to_close:
                self._alarm = phrase(
                    "{trials} live trials took longer than {ms:.0f} ms",
                    trials=self._slow_trials,
                    ms=self._quick_ms or 0.0,
                )

    def elsewhere(self, counters: RegionCounters, now: float) -> None:
        """Count what other hosts met: it is shown, and judged by them."""
        self._elsewhere.add(counters, now)

    def worker_open(self, report: RegionReport) -> None:
        """A worker's circuit is open: what it met, the others would meet."""
        self._accusers += 1
        self._alarm = phrase("live traffic: {reason}", reason=report.last_reason)

    def host_circuit(self, now: float, *, ailing: bool) -> HostCircuit:
        """The circuit as the workers follow it, and as a monitor that restarts goes on with it."""
        past = remembered(
            self.circuit,
            disputed_at=self._disputed_at,
            quick_ms=self._quick_ms,
            sound=self.health.sound,
            now=now,
        )
        return HostCircuit(self.circuit.state, self.circuit.reason, past, ailing)

    def restore(self, written: HostCircuit, *, written_at: float, now: float) -> None:
        """Go on with the circuit as it was written at `written_at`. One that was not closed and whose past is not known
        is open from `now` on."""
        past, is_closed = written.past, written.state is CircuitState.CLOSED
        self.health = Health(sound=past is None or past.sound)
        if past is not None and (is_closed or past.openings):
            self.circuit = resumed(written.state, written.reason, past, config=self._config, written_at=written_at)
            self._quick_ms = None if is_closed else past.quick_ms
            if past.disputed_s is not None:
                self._disputed_at = written_at - past.disputed_s
        elif not is_closed:
            self._begin(breaker.opened(self.circuit, config=self._config, now=now, reason=written.reason))

    def worst_row(self, failures: int, refused_writes: int) -> None:
        """The longest rows of failures and of refused writes that any worker has now; they are shown, the workers judge
        them themselves."""
        self._failures_in_a_row, self._refused_writes = failures, refused_writes

    def rival(self, now: float, *, up_to_date: bool) -> Rival | None:
        """This region as one that could take over from a slow one; None when it is not well, or not known well enough.

        `up_to_date`: whether replication into it is. A dead region is left at any price, a slow one is not.
        """
        closed = self.circuit.state is CircuitState.CLOSED
        well = closed and self.health.passing(now, self._config)
        if not (well and up_to_date) or len(self._canary_ms) < self._config.canaries_to_close:
            return None
        return Rival(self.region.name, max(self._canary_ms))

    def wrote_after(self, left_at: float, now: float) -> bool:
        """Whether traffic went here after another region was left at `left_at`, so that what it wrote is to be waited
        for. Not for a region that is gone: nobody knows when its writes will come."""
        if self.circuit.state is not CircuitState.OPEN:
            return True
        return self.circuit.since > left_at and self.health.passing(now, self._config)

    def may_turn(self, now: float) -> bool:
        """Whether there is anything to judge: no facts are put together for a circuit that is held open, nor for a
        closed one that nothing speaks against."""
        match self.circuit.state:
            case CircuitState.OPEN:
                return self.circuit.waited(now) or self._is_cleared
            case CircuitState.CLOSED:
                failing = over_threshold(self._judged(now), self._config)
                return bool(self._alarm) or failing or self._pace.may_be_slow(now, since=self.circuit.since)
            case CircuitState.HALF_OPEN:
                return True

    def judge(self, facts: RegionFacts) -> bool:
        """Let the circuit take at most one turn; whether it did."""
        alarm, self._alarm = self._alarm, ""
        before, now = self.circuit, facts.now
        match before.state:
            case CircuitState.OPEN:
                if self._before_accused is not None and self._is_cleared and facts.failback.lag:
                    self._begin(breaker.retracted(before, self._before_accused))
                elif facts.failback.met:
                    self._begin(breaker.half_opened(before, now=now))
            case CircuitState.HALF_OPEN:
                # The first beats after a time in which nobody looked are old, whenever they arrived.
                self._behind_since = min(self._behind_since, now) if facts.left_behind else float("inf")
                if not alarm and now - self._behind_since >= self._config.quiet_s:
                    alarm = phrase("replication into it stalled while it was on trial")
                if alarm:
                    self._begin(breaker.opened(before, config=self._config, now=now, reason=alarm))
                elif facts.recovered:
                    self._begin(breaker.closed(before, now=now))
            case CircuitState.CLOSED:
                self._unnoticed = bool(alarm) and facts.judged.requests > 0 and facts.judged.failed == 0
                if not alarm and over_threshold(facts.judged, self._config):
                    alarm = phrase(
                        "{percent:.1f}% of {requests} requests failed within {window:.0f} s",
                        percent=facts.judged.error_rate * 100,
                        requests=facts.judged.weighed,
                        window=self._config.error_window_s,
                    )
                if not alarm and facts.slowness.met:
                    alarm = _why_slow(facts.slowness)
                    self._quick_ms = _next_bound(facts.slowness.limit_ms)
                    self._disputed_at = now  # its canaries pass: only live traffic can say that it is quick again
                if alarm:
                    accusers = self._accusers
                    self._begin(breaker.opened(before, config=self._config, now=now, reason=alarm))
                    self._accusers, self._before_accused = accusers, before if accusers else None
                self._accusers = self._accusers if alarm else 0
        return self.circuit is not before

    def facts(
        self,
        lags: Mapping[str, Lag],
        needed: frozenset[str],
        now: float,
        *,
        rival: Rival | None = None,
        pinned: bool = False,
    ) -> RegionFacts:
        """Everything known, frozen. `lags` are those into this region, `needed` those that failback waits for, `rival`
        the quickest other region that could take over."""
        return RegionFacts(
            name=self.region.name,
            priority=self.region.priority,
            now=now,
            config=self._config,
            circuit=self.circuit,
            health=self.health,
            traffic=self._window.total(now) + self._elsewhere.total(now),
            judged=self._judged(now),
            failures_in_a_row=self._failures_in_a_row,
            refused_writes=self._refused_writes,
            refusal=self.refusal,
            lags=lags,
            needed=needed,
            slowness=Slowness(self._pace.pace(now, since=self.circuit.since), rival, pinned, self._config),
            quick_ms=self._quick_ms,
            unnoticed=self._unnoticed,
            disputed=now - self._disputed_at < self._config.error_window_s,
            trials_passed=self._trials_passed,
            canaries_passed=self._canaries_passed,
        )

    def _judged(self, now: float) -> RegionCounters:
        """The live traffic of this host that counts for or against the circuit as it is."""
        return self._window.total(now, since=self.circuit.since)

    @property
    def _is_cleared(self) -> bool:
        """Whether every worker whose circuit opened this one has taken that back, and no canary says otherwise."""
        return self._before_accused is not None and not self._accusers and self.health.verdict is not Verdict.FAILED

    def _too_slow(self, latency: tuple[int, ...]) -> int:
        """How many live calls took too long in a region that is on trial for having been too slow."""
        if self._quick_ms is None or self.circuit.state is not CircuitState.HALF_OPEN:
            return 0
        return sum(latency[bisect_left(LATENCY_BOUNDS_MS, self._quick_ms) + 1 :])

    def _begin(self, circuit: Circuit) -> None:
        if circuit.state is CircuitState.CLOSED:
            self._quick_ms = None
            if self._trials_passed >= self._config.trials_to_close:
                self._disputed_at = float("-inf")  # live traffic itself says that it works
        self.circuit = circuit
        self._accusers, self._before_accused = 0, None
        self._behind_since = float("inf")
        self._trials_passed = self._slow_trials = self._canaries_passed = 0


def _next_bound(ms: float) -> float:
    """The bound of the histogram at or above it, so that its buckets lie on one side of it or the other. There is one:
    it is exceeded by a p99, which is at most the last."""
    return LATENCY_BOUNDS_MS[bisect_left(LATENCY_BOUNDS_MS, ms)]


def _why_slow(slowness: Slowness) -> Phrase:
    """Why a region is left for being slow. What is usual, and which region is quicker, are known then."""
    pace, rival = slowness.pace, slowness.rival
    return phrase(
        "slow: p99 {p99:.0f} ms of {answers} answers within {window:.0f} s, usually {usual:.0f} ms; {rival} would take "
        "about {there:.0f} ms",
        p99=pace.p99_ms or 0.0,
        answers=pace.volume,
        window=slowness.config.slow_window_s,
        usual=pace.usual_p99_ms or 0.0,
        rival=rival.name if rival is not None else "",
        there=slowness.there_ms or 0.0,
    )
