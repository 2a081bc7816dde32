"""Walking a list page by page: every entry once, the latest change first, whatever stands where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

from hypothesis import example, given
from hypothesis import strategies as st

from polls.common.paging import Entry, Place, Read, by_code, read_behind, turn

REGIONS = ("east", "west", "north")
HOURS = 3_600_000_000  # microseconds: clocks that are ahead or behind
STAMPS = st.integers(1, 6) | st.sampled_from([HOURS, HOURS + 1])
CODES = st.sampled_from([f"CODE{number}" for number in range(9)])
ROWS = st.dictionaries(st.tuples(CODES, st.sampled_from(REGIONS)), STAMPS, max_size=20)
ORDERS = st.sampled_from([lambda place: place, lambda place: place[::-1], lambda place: crc32(str(place).encode())])

AS_THEY_ARE = [lambda place: place] * 2
DEEP = [(f"CODE{number}", region) for number, region in enumerate(("north", "north", "east", "north", "east", "east"))]


class World:
    """Rows of surveys in an index that each region has, with an order of its own among equal times."""

    def __init__(self, rows: Mapping[tuple[str, str], int], elsewhere: Iterable[str], orders: Sequence[Any]) -> None:
        self.rows = dict(rows)
        self.elsewhere = frozenset(elsewhere)  # codes that have a row on the shelf and do not belong there
        self.orders = orders

    @property
    def places(self) -> set[Place]:
        return {Place(at, code, region) for (code, region), at in self.rows.items()}

    @property
    def order(self) -> list[str]:
        latest = {code: max(places) for code, places in by_code(self.places).items()}
        return [code for code in sorted(latest, key=lambda c: latest[c], reverse=True) if code not in self.elsewhere]

    def index(self, limit: int, after: Place | None) -> list[Read]:
        """What each region has: to all but the last one the rows of the north have not come yet."""
        last = self.orders[-1]
        late = {place for place in self.places if place.region == "north"}
        behind = [
            read_behind(after, self._parts(self.places - late, limit, order, after)) for order in self.orders[:-1]
        ]
        return [*behind, read_behind(after, self._parts(self.places, limit, last, after))]

    def _parts(
        self, places: Iterable[Place], limit: int, order: Any, after: Place | None
    ) -> Iterator[tuple[list[Place], bool]]:
        there = [place for place in places if after is None or place.updated_at <= after.updated_at]
        there.sort(key=lambda place: (-place.updated_at, order(place)))
        for at in range(0, len(there), limit):
            yield there[at : at + limit], at + limit < len(there)

    def entries(self, codes: Sequence[str], _standing: Mapping[str, frozenset[Place]]) -> dict[str, Entry[str]]:
        known = by_code(self.places)
        return {code: Entry(code, max(known[code])) for code in codes if code not in self.elsewhere}

    def page(self, after: Place | None, *, size: int, limit: int) -> tuple[list[str], Place | None]:
        turned = turn(after, size, lambda place: self.index(limit, place), self.entries)
        assert len(turned.entries) <= size
        return list(turned.entries), Place.parse(str(turned.next))


@given(ROWS, st.sets(CODES), st.lists(ORDERS, min_size=1, max_size=3), st.integers(1, 4), st.integers(1, 6))
@example({("CODE0", "east"): 2, ("CODE0", "west"): 1}, set(), AS_THEY_ARE[:1], 1, 3)
@example(dict(zip(DEEP, range(9, 0, -1), strict=False)), set(), AS_THEY_ARE, 4, 3)
def test_every_entry_is_on_one_page_where_its_latest_row_stands(
    rows: dict[tuple[str, str], int], elsewhere: set[str], orders: list[Any], size: int, limit: int
):
    world = World(rows, elsewhere, orders)
    listed, after = world.page(None, size=size, limit=limit)
    while after is not None:
        entries, after = world.page(after, size=size, limit=limit)
        listed += entries
    assert listed == world.order


@given(
    ROWS, st.lists(st.dictionaries(st.tuples(CODES, st.sampled_from(REGIONS)), STAMPS, max_size=3), max_size=5),
    st.lists(ORDERS, min_size=1, max_size=3), st.integers(1, 4), st.integers(1, 6),
)  # fmt: skip
def test_changes_between_two_pages_hide_nothing_else_and_double_nothing(
    rows: dict[tuple[str, str], int],
    changes: list[dict[tuple[str, str], int]],
    orders: list[Any],
    size: int,
    limit: int,
):
    world = World(rows, (), orders)
    changed: set[str] = set()
    listed, after = world.page(None, size=size, limit=limit)
    while after is not None:
        for (code, region), at in (changes.pop() if changes else {}).items():
            # A writer goes above the row that it replaces, also when its clock is behind.
            world.rows[code, region] = max(at, world.rows.get((code, region), 0) + 1)
            changed.add(code)
        entries, after = world.page(after, size=size, limit=limit)
        listed += entries
    assert len(listed) == len(set(listed))
    assert set(listed) >= {code for code, _region in rows} - changed
