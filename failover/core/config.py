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
    """The longest that one call takes, with all its regions and repeats."""
    attempt_timeout_s: float = 1.2
    """The longest attempt in a region while another region can still be asked. The last region gets the
    rest of the deadline.
    """
    share: int = 3
    """How many calls of one worker may wait for a region for a whole attempt: as many as open its
    circuit, less those that have just failed there. The region is congested for further calls, which
    go on to the next region sooner.
    """
    congested_s: float = 0.3
    """The longest wait in a congested region. Where answers take longer, it is `slow_factor` times what
    they take, up to 3/4 of an attempt. A call does not wait at all when no call was answered there for
    that long. So a hung region holds few threads, and few students wait for it.
    """
    failures_to_open: int = 3
    """How many class A and B failures of live traffic in a row open a circuit."""
    contradict_s: float = 5.0
    """A failure of a pooled connection is taken back when a newer connection is answered within this time
    (doubt.py).
    """
    canary_failures_to_open: int = 3
    """How many failed canaries in a row open a circuit. A canary writes and reads over a new connection."""
    error_rate: float = 0.05
    """A circuit opens when more than this share of the requests fails; 5 % is the article's threshold."""
    error_window_s: float = 120.0
    """The time over which the error rate is taken."""
    min_volume: int = 40
    """The error rate counts from so many requests on: one failure in ten at night says little."""
    canaries_to_close: int = 3
    """How many canaries must pass in a row before a region is tried again, and as many again before
    canaries alone may close its circuit.
    """
    trials_to_close: int = 3
    """How many live trials must succeed while a circuit is half-open."""
    hold_s: float = 60.0
    """The shortest time for which a circuit stays open. It doubles each time the circuit opens again."""
    hold_cap: float = 12.0
    """The longest hold, in units of `hold_s`: there the doubling ends."""
    lag_limit_ms: float = 2000.0
    """More replication lag than this forbids failback, because results would run backwards."""
    lag_stalled: float = 5.0
    """The lag above which replication counts as stalled, in units of `lag_limit_ms`."""
    stale_after_s: float = 5.0
    """A worker ignores a host's view that is older than this, and decides on its own."""
    quiet_s: float = 5.0
    """A region's state is unknown when no beat was written, or no canary came back, for so long. It is
    at least three times their period.
    """
    throttle_retry_s: float = 0.05
    """The mean pause before a throttled attempt is repeated once. The pause is random, between 0.5 and 1.5
    times this value.
    """
    tables: TableMode = TableMode.MREC
    """The replication of the tables."""
    flap_openings: int = 6
    """A circuit that goes from closed to open so many times within `flap_window_s` is flapping."""
    flap_window: float = 10.0
    """`flap_window_s`, in units of `hold_cap_s`."""
    flap_hold: float = 2.0
    """How long a flapping circuit is held open, in units of `hold_cap_s`."""
    slow_window_s: float = 30.0
    """How long the stretch of live traffic is whose latency is judged. A region is slow only when each
    third of it is slow, so a short stall does not count.
    """
    slow_volume: int = 40
    """How many answers the stretch must hold before its latency is judged, or is used to learn the usual
    latency.
    """
    slow_factor: float = 3.0
    """A region is slow when its p99 is more than so many times its usual one, and more than so many times
    what another region's would be.
    """
    slow_floor_ms: float = 200.0
    """A p99 below this is never slow, nor a mean below half of it: nobody would notice."""

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
