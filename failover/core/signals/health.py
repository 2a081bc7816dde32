"""Health: what the canaries of a region say. A canary resolves the name, connects afresh, writes and reads.

Pooled connections hide a DNS outage from live traffic completely, so a canary always makes a new connection. A canary
that is refused, by class E (no table, no permission), C (throttled) or D, says nothing about the region: it changes no
count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from failover.core.config import RouterConfig
from failover.core.errors import ErrorClass
from failover.core.phrases import phrase


class HealthState(StrEnum):
    """What is known about a region, whatever its circuit and the routing say."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What one canary says."""

    PASSED = "passed"
    FAILED = "failed"
    SAYS_NOTHING = "says-nothing"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a canary. `ok` is None when it was not reached; `ms` is its time, `detail` what went wrong.

    `stale`: it works, by an older answer than it should need (the name does not resolve, its last addresses serve).
    """

    ok: bool | None = None
    ms: float | None = None
    detail: str = ""
    error_class: ErrorClass | None = None
    stale: bool = False


_TITLES = {
    "dns": phrase("DNS"),
    "connect": phrase("connection"),
    "write": phrase("canary write"),
    "read": phrase("canary read"),
}


@dataclass(frozen=True, slots=True)
class Canary:
    """One fresh-connection probe, layer by layer in the order in which they are met."""

    dns: Layer = field(default_factory=Layer)
    connect: Layer = field(default_factory=Layer)
    write: Layer = field(default_factory=Layer)
    read: Layer = field(default_factory=Layer)
    seq: int = 0

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers by name."""
        return {"dns": self.dns, "connect": self.connect, "write": self.write, "read": self.read}

    @property
    def verdict(self) -> Verdict:
        """Failed when a layer failed by the region's fault; passed when both write and read worked."""
        broken = [layer for layer in (self.dns, self.connect, self.write, self.read) if layer.ok is False]
        if any(layer.error_class is None or layer.error_class.counts for layer in broken):
            return Verdict.FAILED
        if not broken and self.write.ok and self.read.ok:
            return Verdict.PASSED
        return Verdict.SAYS_NOTHING

    @property
    def refusal(self) -> str:
        """The detail of a refusal (class E); the empty text when no layer was refused."""
        return next((layer.detail for layer in self.layers.values() if layer.error_class is ErrorClass.DENIED), "")

    @property
    def trouble(self) -> str:
        """The first layer that failed, in words that can follow a region's name, or the empty string.

        For example "DNS answers empty" or "connection fails (the connection was refused)".
        """
        for name, layer in self.layers.items():
            if layer.ok is False:
                if name == "dns" and layer.detail:
                    return layer.detail  # a clause that names DNS already
                title = _TITLES[name]
                if layer.detail:
                    return phrase("{layer} fails ({detail})", layer=title, detail=layer.detail)
                return phrase("{layer} fails", layer=title)
        return ""

    @property
    def call_ms(self) -> float | None:
        """How long the longer of its two calls took in ms, without finding and making the connection."""
        taken = [layer.ms for layer in (self.write, self.read) if layer.ms is not None]
        return max(taken, default=None)


@dataclass(frozen=True, slots=True)
class Health:
    """The canaries of one region so far: how many passed or failed in a row, and the latest one with its verdict and
    its time (monotonic seconds)."""

    passes: int = 0
    failures: int = 0
    latest: Canary | None = None
    verdict: Verdict = Verdict.SAYS_NOTHING
    at: float = float("-inf")
    sound: bool = True
    """False from the moment it was unreachable until enough canaries passed in a row."""

    def passing(self, now: float, config: RouterConfig) -> bool:
        """Whether the latest canary passed, at most `quiet_s` ago."""
        return self.verdict is Verdict.PASSED and now - self.at <= config.quiet_s

    def refusal(self, now: float, config: RouterConfig) -> str:
        """What the region said when it refused the latest canary, at most `quiet_s` ago; the empty text otherwise."""
        return self.latest.refusal if self.latest is not None and now - self.at <= config.quiet_s else ""

    @property
    def readable(self) -> bool:
        """Whether what was last read in the region may be believed: a canary that failed did so only in writing."""
        return self.verdict is not Verdict.FAILED or (self.latest is not None and self.latest.read.ok is True)


def on_canary(health: Health, canary: Canary, *, config: RouterConfig, now: float) -> Health:
    """Count one canary."""
    passes, failures, sound, verdict = health.passes, health.failures, health.sound, canary.verdict
    match verdict:
        case Verdict.PASSED:
            passes, failures = passes + 1, 0
            sound = sound or passes >= config.canaries_to_close
        case Verdict.FAILED:
            passes, failures = 0, failures + 1
            sound = sound and failures < config.canary_failures_to_open
        case Verdict.SAYS_NOTHING:
            pass
    return Health(passes, failures, latest=canary, verdict=verdict, at=now, sound=sound)


def state_of(health: Health, *, traffic_fails: bool, config: RouterConfig, now: float) -> HealthState:
    """One word for a region.

    Unknown: no recent canary, or one that says nothing. Unreachable: enough canaries failed in a row. Degraded: fewer
    failed, or too few have passed since then, or live traffic fails although canaries pass.
    """
    if now - health.at > config.quiet_s:
        return HealthState.UNKNOWN
    match health.verdict:
        case Verdict.SAYS_NOTHING:
            return HealthState.UNKNOWN
        case Verdict.FAILED:
            enough = health.failures >= config.canary_failures_to_open
            return HealthState.UNREACHABLE if enough else HealthState.DEGRADED
        case Verdict.PASSED:
            return HealthState.HEALTHY if health.sound and not traffic_fails else HealthState.DEGRADED
