"""One direction of replication: from one region's streams into another region, across restarts.

A link's cursors belong to one pair of incarnations. As soon as either engine is another one, the
link starts over. It takes a cursor at the end of every stream, **then** compares both tables by a
scan, and then follows the streams from those cursors. So every write is in the scan, behind the
cursor, or in both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from failover.lab.errors import CursorLost
from failover.lab.replication.rules import Item, Key, Stamp, later, missing, stamp_of, to_copy

DAY_MS = 86_400_000.0
IDLE_STEPS, IDLE_READ_EVERY = 10, 4
"""A stream that was empty at more than so many steps is read at every fourth step only.

A read costs an engine a millisecond of CPU, and a laptop that only waits for a class should not be
busy.
"""


@dataclass(frozen=True)
class Cursor:
    """A place in a table's stream: one iterator per shard.

    It means nothing to another incarnation of the engine.
    """

    iterators: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """The new images that a stream had, and the cursor to read on from."""

    images: tuple[Item, ...]
    cursor: Cursor


@dataclass(frozen=True)
class ReplicatedTable:
    """A table that is copied: its name and its key attributes, hash key first."""

    name: str
    key_names: tuple[str, ...]


class Replica(Protocol):
    """One incarnation of one region's engine.

    Every method raises ReplicaDown when the engine does not answer.
    """

    @property
    def region(self) -> str: ...
    @property
    def incarnation(self) -> int: ...
    def end_of_stream(self, table: str) -> Cursor:
        """A cursor behind the last record."""

    def read(self, cursor: Cursor) -> Page:
        """The next records' new images. Raises CursorLost when only a scan can help."""

    def scan(self, table: str) -> Iterator[Item]:
        """Every item, strongly consistent."""

    def stamps(self, table: ReplicatedTable) -> dict[Key, Stamp]:
        """Key and stamp of every item that has a stamp."""

    def put_later(self, table: str, item: Item, stamp: Stamp) -> bool:
        """Write the item unless a later one is there; False when it was refused."""


@dataclass(frozen=True)
class LinkStats:
    """What a link did since the lab started. Times are epoch seconds, lags are in ms.

    ``applied`` and ``refused`` count copies from the stream, ``resynced`` those that comparisons
    found missing. ``backlog`` is the number of images that were read and are not yet written.
    """

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
    """Call ``step`` again and again from one thread. Read ``stats`` and ``in_sync`` from any.

    What a step reads goes through two stores: ``_delayed`` has every image until its delay is over,
    ``_due`` then has the latest image of each item until it is written.
    """

    def __init__(self, tables: Sequence[ReplicatedTable], *, wall: Callable[[], float]) -> None:
        self._tables = tuple(tables)
        self._wall = wall
        self._pair: tuple[int, int] | None = None
        self._cursors: dict[str, Cursor] = {}
        self._empty_steps: dict[str, int] = {}
        self._delayed: deque[tuple[float, str, Key, Item]] = deque()
        self._due: dict[tuple[str, Key], Item] = {}
        self._stats = LinkStats()

    @property
    def stats(self) -> LinkStats:
        """A snapshot."""
        return self._stats

    def add(self, table: ReplicatedTable) -> None:
        """Copy another table too: it is compared at the next step that may copy."""
        self._tables = (*self._tables, table)

    def remove(self, name: str) -> None:
        """Copy a table no more. Another thread's step may still be in it, and then fails once."""
        self._tables = tuple(table for table in self._tables if table.name != name)

    def in_sync(self, source: int, target: int) -> bool:
        """Whether these two incarnations have been compared. The link follows the streams then."""
        return self._pair == (source, target)

    def step(self, source: Replica, target: Replica, *, paused: bool, delay_s: float = 0.0) -> None:
        """Copy everything that can be copied now.

        Raises ReplicaDown; nothing is lost then, the next step goes on.

        A paused link writes nothing. It still reads, so that its backlog can be shown and no
        iterator becomes too old. Each image that is read waits for ``delay_s`` of its own: an item
        that changes all the time arrives too, only later. A comparison by scan is not delayed.
        """
        pair = (source.incarnation, target.incarnation)
        if self._pair != pair:
            self._forget()
            if paused:
                return
            self._compare(self._tables, source, target)
            self._pair = pair
        self._follow_changed_tables(source, target, paused=paused)
        try:
            self._read(source)
        except CursorLost:
            self._forget()
            return
        self._end_delays(self._wall() - delay_s)
        if not paused:
            self._apply(target)

    def _forget(self) -> None:
        self._pair = None
        self._cursors.clear()
        self._empty_steps.clear()
        self._delayed.clear()
        self._due.clear()
        self._stats = replace(self._stats, backlog=0)

    def _follow_changed_tables(self, source: Replica, target: Replica, *, paused: bool) -> None:
        """Begin with tables that were added, and forget those that were removed."""
        names = {table.name for table in self._tables}
        for name in self._cursors.keys() - names:
            del self._cursors[name]
            self._delayed = deque(image for image in self._delayed if image[1] != name)
            self._due = {key: item for key, item in self._due.items() if key[0] != name}
        if not paused and names - self._cursors.keys():
            self._compare([table for table in self._tables if table.name not in self._cursors], source, target)

    def _compare(self, tables: Sequence[ReplicatedTable], source: Replica, target: Replica) -> None:
        self._cursors |= {table.name: source.end_of_stream(table.name) for table in tables}
        copied = 0
        for table in tables:
            present = target.stamps(table)
            for item in missing(source.scan(table.name), present, table.key_names):
                copied += self._put(target, table.name, item)
        self._stats = replace(self._stats, resyncs=self._stats.resyncs + 1, resynced=self._stats.resynced + copied)

    def _read(self, source: Replica) -> None:
        """Read every stream to its end, except idle ones whose turn it is not (see IDLE_STEPS)."""
        for table in (table for table in self._tables if table.name in self._cursors):
            steps = self._empty_steps[table.name] = self._empty_steps.get(table.name, 0) + 1
            while steps <= IDLE_STEPS or steps % IDLE_READ_EVERY == 0:
                page = source.read(self._cursors[table.name])
                self._cursors[table.name] = page.cursor
                for key, item in to_copy(page.images, source=source.region, key_names=table.key_names).items():
                    self._delayed.append((self._wall(), table.name, key, item))
                self._stats = replace(self._stats, read=self._stats.read + len(page.images))
                if not page.images:
                    break
                self._empty_steps[table.name] = 0

    def _end_delays(self, read_by: float) -> None:
        """Let the images that were read by then (epoch s) be written, the latest of each item."""
        while self._delayed and self._delayed[0][0] <= read_by:
            _, table, key, item = self._delayed.popleft()
            earlier, stamp = self._due.get((table, key)), stamp_of(item)
            if stamp is not None and (earlier is None or later(stamp, stamp_of(earlier))):
                self._due[table, key] = item
        self._stats = replace(self._stats, backlog=len(self._delayed) + len(self._due))

    def _apply(self, target: Replica) -> None:
        for (table, key), item in list(self._due.items()):
            applied = self._put(target, table, item)
            del self._due[table, key]
            now, stamp = self._wall(), stamp_of(item)
            stats = replace(self._stats, backlog=len(self._delayed) + len(self._due))
            if not applied or stamp is None:
                self._stats = replace(stats, refused=stats.refused + 1)
                continue
            self._stats = replace(stats, applied=stats.applied + 1, last_applied_at=now)
            lag_ms = (now - stamp.at / 1e6) * 1000
            # Ballots are ordered by their vote_id instead of a time: their stamp gives no lag.
            if abs(lag_ms) < DAY_MS:
                worst = max(lag_ms, stats.worst_lag_ms or 0.0)
                self._stats = replace(self._stats, last_lag_ms=max(0.0, lag_ms), worst_lag_ms=worst)

    @staticmethod
    def _put(target: Replica, table: str, item: Item) -> bool:
        stamp = stamp_of(item)
        return stamp is not None and target.put_later(table, item, stamp)
