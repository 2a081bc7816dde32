"""How many codes that do not exist may be tried: a budget of each process, and not of a person.

A class shares one address, and whoever guesses drops their cookies, so neither can be counted. What is counted is codes
that nobody has. When the budget is spent, only codes that this process met lately are looked up until some of it is
back: a class that votes notices nothing. There are 890 million codes, and behind one is a survey that asks for no name.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

BURST = 200
REFILL_PER_S = 5.0
MOST_CODES = 1_000  # met lately; the one met longest ago is forgotten first


class Guesses:
    """Thread-safe. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._left, self._since = float(BURST), 0.0
        self._met: OrderedDict[str, None] = OrderedDict()

    def may_look(self, code: str) -> bool:
        """Whether this code may be looked up now."""
        with self._lock:
            return code in self._met or self._now_left() >= 1

    def found(self, code: str) -> None:
        """There is (or was) a survey under this code."""
        with self._lock:
            self._met[code] = None
            self._met.move_to_end(code)
            if len(self._met) > MOST_CODES:
                self._met.popitem(last=False)

    def missed(self) -> None:
        """There was none."""
        with self._lock:
            self._left = max(0.0, self._now_left() - 1)

    def _now_left(self) -> float:
        now = self._monotonic()
        self._left, self._since = min(BURST, self._left + (now - self._since) * REFILL_PER_S), now
        return self._left
