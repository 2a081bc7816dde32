"""Bounds of one process: how often a voter may vote, how many unknown codes may be tried, and how
much is remembered.

Each process counts by itself, so several workers together allow a little more. Standard library
only.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(OrderedDict[K, V]):
    """A dict of at most `most` entries: a new one removes the entry that was set longest ago."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        """Set an entry, which is the newest then."""
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class TokenBucket:
    """Full at first with `burst` tokens, and refilled with `refill_per_s` a second. Not
    thread-safe.
    """

    def __init__(self, *, burst: int, refill_per_s: float) -> None:
        self._burst = burst
        self._refill_per_s = refill_per_s
        self._tokens, self._since_s = float(burst), 0.0

    def wait_for(self, now_s: float) -> float:
        """The seconds until there is a token; 0.0 while there is one. `now_s` is monotonic."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._since_s) * self._refill_per_s)
        self._since_s = now_s
        return max(0.0, (1 - self._tokens) / self._refill_per_s)

    def take(self, now_s: float) -> float:
        """As `wait_for`; takes the token where there is one."""
        wait_s = self.wait_for(now_s)
        if not wait_s:
            self._tokens -= 1
        return wait_s


class RateLimit:
    """How often one voter may vote: a bucket for each voter, because a class shares one address.

    It keeps a stuck script from filling the tables, nothing finer. Thread-safe. `monotonic` gives
    seconds.
    """

    BURST = 10
    REFILL_PER_S = 1.0
    MOST_VOTERS = 20_000  # remembered

    def __init__(self, monotonic: Callable[[], float], *, burst: int = BURST) -> None:
        self._monotonic = monotonic
        self._burst = burst
        self._lock = Lock()
        self._buckets: BoundedDict[str, TokenBucket] = BoundedDict(self.MOST_VOTERS)

    def wait_for(self, voter: str) -> float:
        """0.0 when this voter may vote now (and that is counted), otherwise the seconds until they
        may.
        """
        with self._lock:
            bucket = self._buckets.get(voter) or TokenBucket(burst=self._burst, refill_per_s=self.REFILL_PER_S)
            self._buckets[voter] = bucket
            return bucket.take(self._monotonic())


class Guesses:
    """How many codes that do not exist may be tried: one bucket for the process, not one for each
    person.

    A class shares one address, and whoever guesses drops their cookies, so neither can be counted.
    What is counted is codes that no survey has. While the bucket is empty, only codes that this
    process met lately are looked up: a class that votes notices nothing. There are 890 million
    codes, and behind each is a survey that asks for no name.

    Thread-safe. `monotonic` gives seconds.
    """

    BURST = 200
    REFILL_PER_S = 5.0
    MOST_CODES = 1_000  # met lately

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._bucket = TokenBucket(burst=self.BURST, refill_per_s=self.REFILL_PER_S)
        self._met: BoundedDict[str, None] = BoundedDict(self.MOST_CODES)

    def may_look(self, code: str) -> bool:
        """Whether this code may be looked up now."""
        with self._lock:
            return code in self._met or not self._bucket.wait_for(self._monotonic())

    def found(self, code: str) -> None:
        """There is (or was) a survey under this code."""
        with self._lock:
            self._met[code] = None

    def missed(self) -> None:
        """There is no survey under the code that was looked up."""
        with self._lock:
            self._bucket.take(self._monotonic())
