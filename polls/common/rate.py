"""How often one voter may vote: a token bucket a voter, because a class shares one address.

Counted in each process by itself, so several workers together allow a little more. It keeps a stuck script from filling
the tables, nothing finer.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

BURST = 10
REFILL_PER_S = 1.0
MOST_VOTERS = 20_000  # remembered; the one seen longest ago is forgotten first


class RateLimit:
    """Thread-safe. `monotonic` gives seconds."""

    def __init__(
        self, monotonic: Callable[[], float], *, burst: int = BURST, refill_per_s: float = REFILL_PER_S
    ) -> None:
        self._monotonic = monotonic
        self._burst = burst
        self._refill = refill_per_s
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, voter: str) -> float:
        """0.0 when this voter may vote now (and that is counted), else the seconds until they may."""
        now = self._monotonic()
        with self._lock:
            left, since = self._buckets.pop(voter, (float(self._burst), now))
            left = min(self._burst, left + (now - since) * self._refill)
            wait = 0.0 if left >= 1 else (1 - left) / self._refill
            self._buckets[voter] = (left if wait else left - 1, now)
            if len(self._buckets) > MOST_VOTERS:
                self._buckets.popitem(last=False)
        return wait
