"""A region's ballots and tallies in memory. They keep the promises of TallyStore; a test can act
between two calls.
"""

from collections.abc import Callable

from polls.ballots.merge import Cast
from polls.tallies.ports import Compared, Kept, Scheme, Shard, Stored


class FakeRegion:
    """One region, which several recounters see, each through a FakeTallies of its own."""

    def __init__(self, *schemes: Scheme) -> None:
        self.schemes = {scheme.code: scheme for scheme in schemes}
        self.ballots: dict[Shard, list[Cast]] = {}
        self.rows: dict[Shard, Stored] = {}
        self.marks: dict[tuple[str, int], Compared] = {}


class FakeTallies:
    """The TallyStore of a FakeRegion. `before` is called with the name of each method before the
    method does anything. It may do what others do meanwhile, or raise.
    """

    def __init__(self, region: FakeRegion, before: Callable[[str], None] = lambda _method: None) -> None:
        self._region = region
        self.before = before

    def scheme(self, code: str) -> Scheme | None:
        """See TallyStore."""
        self.before("scheme")
        return self._region.schemes.get(code)

    def open_schemes(self) -> list[Scheme]:
        """See TallyStore."""
        self.before("open_schemes")
        return [scheme for scheme in self._region.schemes.values() if scheme.is_open]

    def casts(self, shard: Shard) -> list[Cast]:
        """See TallyStore."""
        self.before("casts")
        return list(self._region.ballots.get(shard, []))

    def stored(self, shard: Shard) -> Stored | None:
        """See TallyStore."""
        self.before("stored")
        return self._region.rows.get(shard)

    def write(self, shard: Shard, new: Stored, *, over: str | None) -> bool:
        """See TallyStore."""
        self.before("write")
        standing = self._region.rows.get(shard)
        if (standing.version if standing else None) != over:
            return False
        self._region.rows[shard] = new
        return True

    def kept(self, code: str, number: int) -> Kept:
        """See TallyStore."""
        self.before("kept")
        shards = {s.number: row for s, row in self._region.rows.items() if (s.code, s.round) == (code, number)}
        return Kept(shards, self._region.marks.get((code, number)))

    def mark(self, scheme: Scheme, compared: Compared) -> None:
        """See TallyStore."""
        self.before("mark")
        self._region.marks[scheme.code, scheme.round] = compared
