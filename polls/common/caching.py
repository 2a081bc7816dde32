"""Values that many requests ask for and that are expensive to read or make: once for all of them,
not once for each phone in the hall.
"""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Lock
from typing import Generic, TypeVar

from polls.common.limits import BoundedDict

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MOST_KEYS = 200
TURNS = 16  # keys that are read at the same time, at most
REST = 5  # reading takes at most a sixth of the time: a value stays fresh five times as long as its reading took


@dataclass(frozen=True)
class Held(Generic[V]):
    """A value; `current` is false where reading it again has just failed."""

    value: V
    current: bool


class Cached(Generic[K, V]):
    """Reads a value again when it is older than `fresh_s` seconds, and older than five times the
    duration of its last reading. One caller reads while the others get the last value. Thread-safe.

    When reading raises `survives`, callers get the last known value, where there is one.
    """

    def __init__(
        self, read: Callable[[K], V], *, fresh_s: float, monotonic: Callable[[], float], survives: type[Exception]
    ) -> None:
        self._read = read
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._survives = survives
        self._lock = Lock()
        self._held: BoundedDict[K, tuple[Held[V], float]] = BoundedDict(MOST_KEYS)  # and until when it is fresh
        self._reading: set[K] = set()

    def get(self, key: K) -> Held[V]:
        """The value for `key`."""
        with self._lock:
            held, fresh_until = self._held.get(key, (None, 0.0))
            if held is not None and (self._monotonic() < fresh_until or key in self._reading):
                return held
            self._reading.add(key)
        began = self._monotonic()
        try:
            result = Held(self._read(key), current=True)
            now = self._monotonic()
            fresh_until = now + max(self._fresh_s, REST * (now - began))
        except self._survives:
            if held is None:
                raise
            result = replace(held, current=False)
        finally:
            with self._lock:
                self._reading.discard(key)
        with self._lock:
            self._held[key] = result, fresh_until
        return result


class Newest(Generic[K, V]):
    """Gives each caller a value whose reading began after the call. All who call during a reading
    share the next one, so that one thread at a time reads a key. Thread-safe.
    """

    def __init__(self, read: Callable[[K], V]) -> None:
        self._read = read
        self._lock = Lock()
        self._next: dict[K, Future[V]] = {}
        self._turns = [Lock() for _number in range(TURNS)]

    def get(self, key: K) -> V:
        """The value for `key`. Raises what reading raises."""
        with self._lock:
            reading = self._next.get(key)
            shared = reading is not None
            if reading is None:
                reading = self._next[key] = Future()
        if not shared:
            with self._turns[hash(key) % TURNS]:
                with self._lock:
                    del self._next[key]
                try:
                    reading.set_result(self._read(key))
                except Exception as error:  # every caller who waits gets it
                    reading.set_exception(error)
        return reading.result()


class Made(Generic[K, V]):
    """Keeps values that were made of something, the last ones that were asked for. A key names
    everything that its value is made of, so no value becomes stale. Thread-safe; two callers who
    come first at the same moment may both make one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: BoundedDict[K, V] = BoundedDict(MOST_KEYS)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value for `key`."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
        return value
