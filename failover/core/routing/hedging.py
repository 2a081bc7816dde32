"""When a read is asked a second time, elsewhere: after the recent p95 of the first, and rarely.

Hedges help where a few replies are slow. Where all are, they would double the load exactly then, so a budget caps them
and the circuit takes over: what a hedge outruns is counted as slowness of the region that was outrun.
"""

from __future__ import annotations

from collections import deque

from failover.core.config import RouterConfig

REMEMBERED = 200
"""How many of a region's latest hedged reads its p95 is of."""
_REFRESHED_EVERY = 10


class Hedger:
    """One worker's budget, and the p95 of each region's reads. Not thread-safe: the router holds its lock."""

    def __init__(self, config: RouterConfig) -> None:
        self._config = config
        self._tokens = 0.0
        self._taken: dict[str, deque[float]] = {}
        self._p95: dict[str, float] = {}
        self._news: dict[str, int] = {}

    def asked(self) -> None:
        """A read came that may be hedged: it pays its share of a hedge into the budget."""
        self._tokens = min(self._config.hedge_burst, self._tokens + self._config.hedge_share)

    def spend(self) -> bool:
        """Whether one more hedge is within the budget; it is spent then."""
        if self._tokens < 1 - 1e-9:  # twenty times a twentieth is one, but not in floating point
            return False
        self._tokens -= 1
        return True

    def observe(self, region: str, ms: float) -> None:
        """A hedged read took so long there, or had been waited for so long when it was outrun."""
        taken = self._taken.setdefault(region, deque(maxlen=REMEMBERED))
        taken.append(ms)
        self._news[region] = self._news.get(region, 0) + 1
        if self._news[region] >= _REFRESHED_EVERY and len(taken) >= self._config.hedge_volume:
            self._news[region] = 0
            self._p95[region] = sorted(taken)[-(len(taken) // 20) - 1]

    def after_ms(self, region: str) -> float | None:
        """How long a read waits for that region before another one is asked, None while that is not known."""
        return self._p95.get(region)
