"""The engine's numbers, each with its default. conf.py takes the defaults of settings (the deadline, the hold, the
lag limit, the tables) from here; `wiring` fills in what is set, and the times that follow from that.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


class TableMode(StrEnum):
    """How the global tables replicate, which decides what a strong read in another region may promise.

    Failback waits for the replication lag in both modes: most reads are eventual, and those may run backwards in both.
    """

    MREC = "MREC"
    """Asynchronous: a strong read is up to date with its own region's replica only."""
    MRSC = "MRSC"
    """Synchronous: a strong read is up to date in every region, so failover degrades none."""


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """Thresholds and waits of the router and of the monitor. `_s` is seconds, `_ms` milliseconds, rates are 0 to 1."""

    deadline_s: float = 3.0
    """One call, all its regions and retries together."""
    attempt_timeout_s: float = 1.2
    """One region's attempt at most, while another region is left to ask; the last one has the rest of the deadline."""
    share: int = 3
    """Calls of one worker that may wait for a region for a whole attempt, as many as open its circuit; less those that
    have just failed there. Further calls go on to the next region, where there is one: ..."""
    congested_s: float = 0.3
    """... after so long, or `slow_factor` times what answers take there, up to 3/4 of an attempt; at once, when no call
    was answered for that long. So a hung region holds few threads, and few students wait for it."""
    failures_to_open: int = 3
    """Class A and B failures of live traffic in a row."""
    contradict_s: float = 5.0
    """How soon after the failure of a pooled connection the answer of a newer one takes it back (doubt.py)."""
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
    hold_s: float = 60.0
    """How long a circuit stays open at least; doubles each time it opens again."""
    hold_cap: float = 12.0
    """The doubling ends at so many times `hold_s`."""
    lag_limit_ms: float = 2000.0
    """More replication lag than this forbids failback: results would run backwards."""
    lag_stalled: float = 5.0
    """More than so many times `lag_limit_ms` is called stalled."""
    stale_after_s: float = 5.0
    """A host's view older than this counts no longer: a worker is on its own."""
    quiet_s: float = 5.0
    """No beat written or no canary for so long: nothing is known. At least three times their period."""
    throttle_retry_s: float = 0.05
    """The wait before a throttled attempt is repeated, once: between half and one and a half of it."""
    tables: TableMode = TableMode.MREC
    """The replication of the tables."""
    flap_openings: int = 6
    """A circuit that goes from closed to open so many times ..."""
    flap_window: float = 10.0
    """... within so many times `hold_cap_s` is flapping, ..."""
    flap_hold: float = 2.0
    """... and is held open for so many times `hold_cap_s`."""
    slow_window_s: float = 30.0
    """The stretch of live traffic whose latency is judged; each third of it must be slow, so a short stall is not."""
    slow_volume: int = 40
    """Answers that the stretch must hold before it is judged, or remembered as usual."""
    slow_factor: float = 3.0
    """Slow is a p99 of more than so many times the region's usual one, and than another region's would be."""
    slow_floor_ms: float = 200.0
    """No p99 below this is slow, nor a mean below half of it: nobody would notice."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), int | float) and value <= 0:
                raise ValueError(f"{field.name} must be above zero")
        if self.hold_cap < 1:
            raise ValueError("hold_cap must not be below 1: the doubling cannot end below the hold")
        if self.error_rate >= 1:
            raise ValueError("error_rate is a share and must be below 1")
        if self.flap_hold < 1:
            raise ValueError("flap_hold must not be below 1: a flapping circuit is held longer, not shorter")
        if self.lag_stalled < 1:
            raise ValueError("lag_stalled must not be below 1: lag within its limit is not stalled")

    @property
    def hold_cap_s(self) -> float:
        """The longest hold. A circuit that stayed closed for so long starts again at `hold_s`."""
        return self.hold_cap * self.hold_s

    @property
    def lag_stalled_ms(self) -> float:
        """The lag above which replication is called stalled."""
        return self.lag_stalled * self.lag_limit_ms

    @property
    def flap_window_s(self) -> float:
        """How far back openings count as flapping."""
        return self.flap_window * self.hold_cap_s

    @property
    def flap_hold_s(self) -> float:
        """How long a flapping circuit stays open."""
        return self.flap_hold * self.hold_cap_s
