"""A replica in memory, for tests of the links.

It keeps the real engine's contract and can be made to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from failover.lab.errors import CursorLost, ReplicaDown
from failover.lab.replication.link import Cursor, Page, ReplicatedTable
from failover.lab.replication.rules import Item, Key, Stamp, key_of, later, stamp_of

Deliver = Callable[[tuple[Item, ...]], tuple[Item, ...]]


class FakeReplica:
    """One incarnation. ``deliver`` may repeat and reorder the images of a stream.

    ``puts`` counts the attempts to write, refused ones too: an echo would show there. ``reads``
    counts reads of the stream.
    """

    def __init__(self, region: str, tables: Mapping[str, tuple[str, ...]], *, incarnation: int = 1) -> None:
        self.region = region
        self.incarnation = incarnation
        self.deliver: Deliver = tuple
        self.puts = self.reads = 0
        self._tables = dict(tables)
        self._items: dict[str, dict[Key, Item]] = {table: {} for table in tables}
        self._streams: dict[str, list[Item]] = {table: [] for table in tables}
        self._calls_until_failure: int | None = None

    def restarted(self, *, keep_data: bool) -> FakeReplica:
        """The next incarnation.

        Its streams are empty, and it has this one's data if that was saved.
        """
        replica = FakeReplica(self.region, self._tables, incarnation=self.incarnation + 1)
        replica.deliver = self.deliver
        if keep_data:
            replica._items = {table: dict(items) for table, items in self._items.items()}
        return replica

    def fail_after(self, calls: int | None) -> None:
        """Let this many calls pass, then raise ReplicaDown at each. None ends the failure."""
        self._calls_until_failure = calls

    def contents(self, table: str) -> dict[Key, Item]:
        """What the table holds, whether the engine answers or not."""
        return dict(self._items[table])

    def end_of_stream(self, table: str) -> Cursor:
        """A cursor behind the last record."""
        self._call()
        return Cursor((f"{self.incarnation}/{table}/{len(self._streams[table])}",))

    def read(self, cursor: Cursor) -> Page:
        """Everything behind the cursor. Raises CursorLost for a cursor of another incarnation."""
        self._call()
        self.reads += 1
        incarnation, table, position = cursor.iterators[0].split("/")
        if int(incarnation) != self.incarnation:
            raise CursorLost(f"{self.region}: a cursor of incarnation {incarnation} in {self.incarnation}")
        stream = self._streams[table]
        end = Cursor((f"{incarnation}/{table}/{len(stream)}",))
        news = tuple(stream[int(position) :])
        return Page(self.deliver(news) if news else (), end)

    def scan(self, table: str) -> Iterator[Item]:
        """Every item."""
        self._call()
        return iter(list(self._items[table].values()))

    def stamps(self, table: ReplicatedTable) -> dict[Key, Stamp]:
        """Key and stamp of every item that has a stamp."""
        self._call()
        return {key: stamp for key, item in self._items[table.name].items() if (stamp := stamp_of(item))}

    def put_later(self, table: str, item: Item, stamp: Stamp) -> bool:
        """Write the item unless a later one is there."""
        self._call()
        self.puts += 1
        key = key_of(item, self._tables[table])
        present = self._items[table].get(key)
        if present is not None and not later(stamp, stamp_of(present)):
            return False
        self._items[table][key] = item
        self._streams[table].append(item)
        return True

    def _call(self) -> None:
        if self._calls_until_failure is None:
            return
        if self._calls_until_failure <= 0:
            raise ReplicaDown(f"{self.region}: down, as the test asked")
        self._calls_until_failure -= 1
