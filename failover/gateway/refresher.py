"""Keeps what was asked for lately fresh in the background, so that a request finds it in memory."""

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
    """A cache by key whose entries are fetched again every `period_s` seconds while they are in use (asked for within
    `idle_s`).

    `fetch(key)` returns what it finds now, or raises; `merge(known, found)` says what is known then, so a region that
    did not answer, or a fetch that was overtaken by a write of this process, takes nothing away. What `fetch` raises
    reaches the caller only when nothing is known yet. An empty (falsy) find is handed on but not kept: guessing keys
    fills no memory and causes no background reads. Thread-safe; one daemon thread a process, started by the first
    find; at most `limit` keys.
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
        """The value, from memory when it is in use, else fetched now. Raises what `fetch` raises when nothing is
        known.
        """
        now = self._clock.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            # An entry that fell out of use is no longer refreshed, so what it holds may be old.
            if entry is not None and now - entry.used_at <= self._idle_s:
                entry.used_at = now
                return entry.value
        try:
            found = self._fetch(key)
        except Exception:
            if entry is None:
                raise
            found = entry.value
        return self.put(key, found)

    def put(self, key: str, found: V) -> V:
        """Adds what was found, or what this process has just written; returns what is known then."""
        now = self._clock.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None and not found:
                return found
            if entry is None:
                if len(self._entries) >= self._limit:
                    del self._entries[min(self._entries, key=lambda k: self._entries[k].used_at)]
                entry = self._entries[key] = _Entry(found, used_at=now)
            else:
                self._add(entry, found)
                entry.used_at = now
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="refresher", daemon=True)
                self._thread.start()
            return entry.value

    def _add(self, entry: _Entry[V], found: V) -> None:
        """What was found joins what is known. Needs the lock."""
        if found:
            entry.value = self._merge(entry.value, found)

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
                    found = self._fetch(key)
                    with self._lock:
                        if key in self._entries:  # it may have had to make room, or was forgotten, in the meantime
                            self._add(self._entries[key], found)
                except Exception:
                    told = {"event": "refresh-failed", "key": key}
                    log.debug("refreshing %(key)s failed; the last known value holds", told, exc_info=True)
