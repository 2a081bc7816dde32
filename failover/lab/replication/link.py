"""One direction of replication: from one region's streams into the other region, across restarts of both.

A link's place in the stream belongs to one pair of incarnations. As soon as either engine is another one, the link
starts over: it marks the end of every stream, **then** compares both tables by a scan, then follows the streams
from the marks, so that a write is in the scan or behind the mark and never in neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from failover.lab.errors import CursorLost
from failover.lab.replication.rules import Item, Key, Stamp, later, missing, stamp_of, to_copy

DAY_MS = 86_400_000.0
SILENT, SELDOM = 10, 4
"""A stream that said nothing at so many steps is read at every fourth: a look costs an engine a millisecond of CPU, and
a laptop that only waits for a class should not be busy.
"""


@dataclass(frozen=True)
class Cursor:
    """A place in a table's stream: one iterator a shard, meaningless to any other incarnation of the engine."""

    iterators: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """What a stream had to say, and where to read on."""

    images: tuple[Item, ...]
    cursor: Cursor


@dataclass(frozen=True)
class Source:
    """A replicated table: its name and its key attributes, hash key first."""

    table: str
    names: tuple[str, ...]


class Replica(Protocol):
    """One incarnation of one region's engine. Every method raises ReplicaDown when the engine does not answer."""

    @property
    def region(self) -> str: ...
    @property
    def incarnation(self) -> int: ...
    def end_of_stream(self, table: str) -> Cursor:
        """A mark behind the last record."""

    def read(self, cursor: Cursor) -> Page:
        """The next records' new images. Raises CursorLost when only a scan can help."""

    def scan(self, table: str) -> Iterator[Item]:
        """Every item, strongly consistent."""

    def stamps(self, source: Source) -> dict[Key, Stamp]:
        """Every item's key and stamp."""

    def put_later(self, table: str, item: Item, stamp: Stamp) -> bool:
        """Write the item unless a later one is there; False when it was refused."""


@dataclass(frozen=True)
class LinkStats:
    """What a link did since the lab started. Times are epoch seconds, the lag is of the last item applied (ms)."""

    read: int = 0
    applied: int = 0
    refused: int = 0
    resyncs: int = 0
    resynced: int = 0
    backlog: int = 0
    last_applied_at: float | None = None
    last_lag_ms: float | None = None
    worst_lag_ms: float | None = None


class Link:
    """Call ``step`` again and again from one thread; ``stats`` and ``in_sync`` may be read from any."""

    def __init__(self, sources: Sequence[Source], *, wall: Callable[[], float]) -> None:
        self._sources = sources
        self._wall = wall
        self._pair: tuple[int, int] | None = None
        self._cursors: dict[str, Cursor] = {}
        self._silent: dict[str, int] = {}
        self._waiting: deque[tuple[float, str, Key, Item]] = deque()
        self._pending: dict[tuple[str, Key], Item] = {}
        self._stats = LinkStats()

    @property
    def stats(self) -> LinkStats:
        """A snapshot."""
        return self._stats

    def in_sync(self, source: int, target: int) -> bool:
        """Whether these two incarnations have been compared, so that only the streams matter from here on."""
        return self._pair == (source, target)

    def step(self, source: Replica, target: Replica, *, paused: bool, delay_s: float = 0.0) -> None:
        """Move everything that can be moved now. Raises ReplicaDown; nothing is lost then, the next step goes on.

        A paused link still reads, so that its backlog can be shown and no iterator grows old, but writes nothing. Of
        what is read, each image waits for ``delay_s`` of its own, so that an item that changes all the time arrives,
        only later. A comparison by scan does not wait.
        """
        pair = (source.incarnation, target.incarnation)
        if self._pair != pair:
            self._forget()
            if paused:
                return
            self._resync(source, target)
            self._pair = pair
        try:
            self._read(source)
        except CursorLost:
            self._forget()
            return
        self._ripen(self._wall() - delay_s)
        if not paused:
            self._apply(target)

    def _forget(self) -> None:
        self._pair = None
        self._cursors.clear()
        self._silent.clear()
        self._waiting.clear()
        self._pending.clear()
        self._stats = replace(self._stats, backlog=0)

    def _resync(self, source: Replica, target: Replica) -> None:
        self._cursors = {each.table: source.end_of_stream(each.table) for each in self._sources}
        copied = 0
        for each in self._sources:
            present = target.stamps(each)
            for item in missing(source.scan(each.table), present, each.names):
                copied += self._put(target, each.table, item)
        self._stats = replace(self._stats, resyncs=self._stats.resyncs + 1, resynced=self._stats.resynced + copied)

    def _read(self, source: Replica) -> None:
        for each in self._sources:
            silent = self._silent[each.table] = self._silent.get(each.table, 0) + 1
            while silent <= SILENT or silent % SELDOM == 0:
                page = source.read(self._cursors[each.table])
                self._cursors[each.table] = page.cursor
                for key, item in to_copy(page.images, source=source.region, names=each.names).items():
                    self._waiting.append((self._wall(), each.table, key, item))
                self._stats = replace(self._stats, read=self._stats.read + len(page.images))
                if not page.images:
                    break
                self._silent[each.table] = 0

    def _ripen(self, read_by: float) -> None:
        """What was read by then (epoch seconds) may be written; of an item's images only the latest is."""
        while self._waiting and self._waiting[0][0] <= read_by:
            _, table, key, item = self._waiting.popleft()
            self._hold(table, key, item)
        self._stats = replace(self._stats, backlog=len(self._waiting) + len(self._pending))

    def _hold(self, table: str, key: Key, item: Item) -> None:
        held, stamp = self._pending.get((table, key)), stamp_of(item)
        if stamp is not None and (held is None or later(stamp, stamp_of(held))):
            self._pending[table, key] = item

    def _apply(self, target: Replica) -> None:
        for (table, key), item in list(self._pending.items()):
            applied = self._put(target, table, item)
            del self._pending[table, key]
            now, stamp = self._wall(), stamp_of(item)
            stats = replace(self._stats, backlog=len(self._waiting) + len(self._pending))
            if not applied or stamp is None:
                self._stats = replace(stats, refused=stats.refused + 1)
                continue
            self._stats = replace(stats, applied=stats.applied + 1, last_applied_at=now)
            lag_ms = (now - stamp.at / 1e6) * 1000
            # Not every item is ordered by a time: a ballot is by its name. Such an item tells no lag.
            if abs(lag_ms) < DAY_MS:
                worst = max(lag_ms, stats.worst_lag_ms or 0.0)
                self._stats = replace(self._stats, last_lag_ms=max(0.0, lag_ms), worst_lag_ms=worst)

    @staticmethod
    def _put(target: Replica, table: str, item: Item) -> bool:
        stamp = stamp_of(item)
        return stamp is not None and target.put_later(table, item, stamp)
