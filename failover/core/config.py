"""The engine's numbers, each named once. Settings may override them; conf.py validates what it is given."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """Thresholds and waits of the router and of the monitor. `_s` is seconds, `_ms` milliseconds, rates are 0 to 1."""

    deadline_s: float = 3.0
    """One call, all its regions and retries together."""
    attempt_timeout_s: float = 1.2
    """One region's attempt at most; never more than what is left of the deadline."""
    failures_to_open: int = 3
    """Class A and B failures of live traffic in a row."""
    canary_failures_to_open: int = 3
    """Fresh-connection write and read canaries failed in a row."""
    error_rate: float = 0.05
    """The threshold of the article: more than 5 % of the requests ..."""
    error_window_s: float = 120.0
    """... within two minutes ..."""
    min_volume: int = 40
    """... and at least so many of them: one failure in ten requests at night says little."""
    canaries_to_close: int = 3
    """Canaries passed in a row before a region is tried again, and again before canaries alone may close it."""
    trials_to_close: int = 3
    """Live trials that must succeed in half-open."""
    hold_s: float = 5.0
    """How long a circuit stays open at least; doubles each time it opens again."""
    hold_cap_s: float = 60.0
    """Where the doubling ends. A circuit that stayed closed for so long starts again at `hold_s`."""
    lag_limit_ms: float = 2000.0
    """More replication lag than this forbids failback: results would run backwards."""
    lag_stalled_ms: float = 10000.0
    """More lag than this is called stalled."""
    stale_after_s: float = 5.0
    """A host's view older than this counts no longer: a worker is on its own."""
    quiet_s: float = 5.0
    """No beat written or no canary for so long: nothing is known. At least three times their period."""
    throttle_retry_s: float = 0.05
    """The wait before a throttled attempt is repeated, once: between half and one and a half of it."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} must be above zero")
        if self.hold_cap_s < self.hold_s:
            raise ValueError("hold_cap_s must not be below hold_s")
        if self.error_rate >= 1:
            raise ValueError("error_rate is a share and must be below 1")
        if self.lag_stalled_ms < self.lag_limit_ms:
            raise ValueError("lag_stalled_ms must not be below lag_limit_ms")
