"""Failures of pooled connections, which a newer connection may contradict.

Connections of a pool can die without a packet (NAT, VPN, a laptop's sleep). Their timeouts count at once, because the
region may hang. The pool is emptied, so every later attempt uses a newer connection. When such an attempt is answered
soon, its answer takes the failures back; when it fails, it confirms them.

A region that hangs a share of its calls answers the others over newer connections, which must not excuse it for long.
Pools die seldom and all at once. So only failures within one attempt's time of the first one may be taken back, and
only once within the window of the error rate.
"""

from __future__ import annotations

from dataclasses import dataclass

from failover.core.config import RouterConfig


@dataclass(frozen=True, slots=True)
class TakenBack:
    """How many failures an answer takes back, and how many of them the error rate had counted."""

    failures: int
    weighed: int


class Doubt:
    """One region's failures of pooled connections, as one worker has met them. Times are monotonic seconds."""

    def __init__(self, config: RouterConfig) -> None:
        self._config = config
        self._began = self._latest = float("-inf")
        self._open: list[bool] = []
        self.count = 0
        """How many failures so far might be taken back. An attempt notes the number when it begins."""

    def failed(self, now: float, *, pooled: bool, weighed: bool) -> bool:
        """Count a failure, and tell whether it may be taken back. `weighed`: the error rate counts it.

        A failure of a newer connection confirms those before it.
        """
        if not pooled:
            self._open.clear()
            return False
        if now - self._began >= self._config.error_window_s:
            self._began = now
        if now - self._began > self._config.attempt_timeout_s:
            return False
        self._latest = now
        self._open.append(weighed)
        self.count += 1
        return True

    def answered(self, seen: int, now: float) -> TakenBack:
        """Take back the first `seen` failures: those that had happened when the answered attempt began."""
        if now - self._latest > self._config.contradict_s:
            self._open.clear()
        number = max(0, len(self._open) - (self.count - seen))
        taken, self._open = self._open[:number], self._open[number:]
        return TakenBack(number, sum(taken))
