"""Replication lag: numbered beats are written in one region and looked for in another.

The lag is the age of the latest arrival when it was seen, or, while beats are under way, the age of the oldest of them.
So it rises steadily while replication pauses, instead of standing at the last good figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failover.core.config import RouterConfig

MOST_BEATS = 2000
"""How many unseen beats are remembered. Beyond that every other one is forgotten, never the oldest."""


class LagState(StrEnum):
    """One word for a lag. Unknown: nothing was written lately, or none of it has been seen yet."""

    OK = "ok"
    SLOW = "slow"
    STALLED = "stalled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Lag:
    """A lag in ms (None: unknown) and how many seconds ago a beat was last seen to arrive (None: never)."""

    ms: float | None
    state: LagState
    age_s: float | None = None

    @property
    def unknown(self) -> Lag:
        """The same lag without its figure, which there is a reason not to believe."""
        return Lag(None, LagState.UNKNOWN, self.age_s)

    def within(self, limit_ms: float) -> bool:
        """Whether it is known and not above the limit."""
        return self.ms is not None and self.ms <= limit_ms


class LagMeter:
    """The lag from one region to one other. Beat numbers must never go back, also when the writer restarts."""

    def __init__(self, config: RouterConfig) -> None:
        self._config = config
        self._unseen: list[tuple[int, float]] = []
        self._written_at: float | None = None
        self._sample_ms: float | None = None
        self._seen_at: float | None = None
        self._newest: tuple[int, float] | None = None

    def wrote(self, seq: int, at: float) -> None:
        """Beat `seq` was written in the first region at `at` (monotonic seconds)."""
        if self._written_at is not None and at - self._written_at > self._config.quiet_s:
            self._sample_ms = None  # what was measured before the silence says nothing about now
        self._written_at = at
        if self._newest is not None and seq <= self._newest[0]:
            self._arrived(at, self._newest[1])  # two threads reported it in the wrong order
            return
        self._unseen.append((seq, at))
        if len(self._unseen) > MOST_BEATS:
            self._unseen = self._unseen[::2]

    def saw(self, seq: int, at: float) -> None:
        """Beat `seq` is the newest that the second region shows at `at`. The same beat again says nothing new."""
        if self._newest is None or seq > self._newest[0]:
            self._newest = (seq, at)
        arrived = [written for number, written in self._unseen if number <= seq]
        if arrived:
            self._unseen = self._unseen[len(arrived) :]
            self._arrived(arrived[-1], at)

    def lag(self, now: float) -> Lag:
        """The lag as of now."""
        age_s = None if self._seen_at is None else now - self._seen_at
        quiet = self._written_at is None or now - self._written_at > self._config.quiet_s
        if quiet:
            return Lag(None, LagState.UNKNOWN, age_s)
        waiting_ms = (now - self._unseen[0][1]) * 1000 if self._unseen else 0.0
        if self._sample_ms is None and waiting_ms <= self._config.lag_limit_ms:
            return Lag(None, LagState.UNKNOWN, age_s)
        ms = max(waiting_ms, self._sample_ms or 0.0)
        return Lag(ms, self._state(ms), age_s)

    def _arrived(self, written: float, seen: float) -> None:
        self._sample_ms = max(0.0, (seen - written) * 1000)
        self._seen_at = seen

    def _state(self, ms: float) -> LagState:
        if ms <= self._config.lag_limit_ms:
            return LagState.OK
        return LagState.SLOW if ms <= self._config.lag_stalled_ms else LagState.STALLED
