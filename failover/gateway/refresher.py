"""Refreshes recently used values in the background, so that a request finds them in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from failover.core.ports import Clock

V = TypeVar("V")
log = logging.getLogger(__name__)


@dataclass
class _Entry(Generic[V]):
    value: V
    used_at: float


class Refresher(Generic[V]):
    """A cache by key. Its entries are fetched again every `period_s` seconds while they are in use
    (asked for within `idle_s` seconds).

    `fetch(key)` returns the current value, or raises. `merge(known, fetched)` combines it with the
    known value, so that a region that did not answer, or a fetch that was overtaken by a write of
    this process, takes nothing away. An error of `fetch` reaches the caller only when nothing is
    known yet. An empty (falsy) value is returned but not kept, so that guessed keys fill no memory
    and cause no background reads. Thread-safe; one daemon thread, started by the first kept value;
    at most `limit` keys.
    """

    def __init__(
        self,
        fetch: Callable[[str], V],
        *,
        merge: Callable[[V, V], V],
        clock: Clock,
        period_s: float,
        idle_s: float = 60.0,
        limit: int = 1_000,
    ) -> None:
        self._fetch = fetch
        self._merge = merge
        self._clock = clock
        self._period_s = period_s
        self._idle_s = idle_s
        self._limit = limit
        self._entries: dict[str, _Entry[V]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def get(self, key: str) -> V:
        """The value, from memory when it is in use, or else fetched now. Raises the error of
        `fetch` when nothing is known.
        """
        now = self._clock.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            # An entry that fell out of use is no longer refreshed, so its value may be old.
            if entry is not None and now - entry.used_at <= self._idle_s:
                entry.used_at = now
                return entry.value
        try:
            value = self._fetch(key)
        except Exception:
            if entry is None:
                raise
            value = entry.value
        return self.put(key, value)

    def put(self, key: str, value: V) -> V:
        """Adds a value that was fetched or that this process has just written. Returns what is
        known then.
        """
        now = self._clock.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None and not value:
                return value
            if entry is None:
                if len(self._entries) >= self._limit:
                    del self._entries[min(self._entries, key=lambda k: self._entries[k].used_at)]
                entry = self._entries[key] = _Entry(value, used_at=now)
            else:
                self._add(entry, value)
                entry.used_at = now
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="refresher", daemon=True)
                self._thread.start()
            return entry.value

    def _add(self, entry: _Entry[V], value: V) -> None:
        """Merges `value` into the entry. The caller holds the lock."""
        if value:
            entry.value = self._merge(entry.value, value)

    def forget(self) -> None:
        """Empties the cache."""
        with self._lock:
            self._entries.clear()

    def _loop(self) -> None:
        while True:
            self._clock.wait(self._period_s)
            now = self._clock.monotonic()
            with self._lock:
                due = [key for key, entry in self._entries.items() if now - entry.used_at <= self._idle_s]
            for key in due:
                try:
                    value = self._fetch(key)
                    with self._lock:
                        if key in self._entries:  # it may have been removed meanwhile
                            self._add(self._entries[key], value)
                except Exception:
                    details = {"event": "refresh-failed", "key": key}
                    log.debug("refreshing %(key)s failed; the last known value holds", details, exc_info=True)
