"""Reads a list one page at a time, in the order of an index of several regions' rows. Each entry
comes once, at the place of its latest row. Pure, apart from the readers that callers pass in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from failover import gateway

T = TypeVar("T")
MOST_READS = 10  # of the index for one page; entries of other lists are passed over


class Place(NamedTuple):
    """Where a row stands on its shelf, the latest change first; `updated_at` is microseconds since
    the epoch.
    """

    updated_at: int
    code: str
    region: str

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """The place that a page's address names; None for any other text."""
        number, _dash, rest = text.partition("-")
        code, _dash, region = rest.partition("-")
        updated_at = gateway.text.whole_number(number)
        if updated_at is None or not code or not region or not region.isascii() or len(rest) >= 100:
            return None
        return cls(updated_at, code, region)

    def __str__(self) -> str:
        """The place as an address names it."""
        return f"{self.updated_at}-{self.code}-{self.region}"


class Read(NamedTuple):
    """Places of one region behind a given place, the latest first, and whether more follow. They
    are complete down to the time of the last one.
    """

    places: Sequence[Place]
    more: bool


class Entry(NamedTuple, Generic[T]):
    """The value of the merged rows under one code, and the latest of their places in this list."""

    value: T
    latest: Place


class Turned(NamedTuple, Generic[T]):
    """A page: its entries by code, in order. The next page begins behind `next`; None at the end."""

    entries: dict[str, T]
    next: Place | None


Index = Callable[[Place | None], Iterable[Read]]  # the places behind one, of each region that answers
Entries = Callable[[Sequence[str], Mapping[str, frozenset[Place]]], Mapping[str, Entry[T]]]


def turn(start: Place | None, size: int, index: Index, entries: Entries[T]) -> Turned[T]:
    """A page of up to `size` entries behind `start`, the last place that the page before looked at.

    `index` reads the places behind a place. `entries` gets codes, and the places of every code that
    was read, and returns the entries of those codes that belong to the list. An entry whose latest
    place is not behind `start` was on an earlier page, or has changed since that page.
    """
    place = start
    listed: dict[str, T] = {}
    looked_at: set[str] = set()
    for _read in range(MOST_READS):
        reads = list(index(place))
        ends = [read.places[-1].updated_at for read in reads if read.more]
        places_read = {each for read in reads for each in read.places}
        # Behind the end of one region's read, places of another region may be missing.
        places = sorted((each for each in places_read if not ends or each.updated_at >= max(ends)), reverse=True)
        standing = by_code(places)
        while places:
            codes = list(dict.fromkeys(each.code for each in places if each.code not in looked_at))
            codes = codes[: size - len(listed)]
            known = entries(codes, standing) if codes else {}
            while places and (places[0].code in looked_at or places[0].code in codes):
                place = places.pop(0)
                entry = known.get(place.code)
                if place.code not in looked_at and entry is not None and (start is None or entry.latest < start):
                    listed[place.code] = entry.value
                looked_at.add(place.code)
                if len(listed) == size:
                    return Turned(listed, place if places or ends else None)
        if not ends:
            return Turned(listed, None)
    return Turned(listed, place)


def by_code(places: Iterable[Place]) -> dict[str, frozenset[Place]]:
    """Places by the code of their entry."""
    grouped: dict[str, set[Place]] = {}
    for place in places:
        grouped.setdefault(place.code, set()).add(place)
    return {code: frozenset(standing) for code, standing in grouped.items()}


def read_behind(after: Place | None, parts: Iterable[tuple[list[Place], bool]]) -> Read:
    """The places that an index has behind `after`. `parts` are what it gives from the time of
    `after` on, each with whether more follow; this takes as many parts as it needs to have a place.

    An index promises no order among equal times. So while more follow, places of the last time are
    left for the next reading.
    """
    given: list[Place] = []
    for part, more in parts:
        given += part
        last = min((place.updated_at for place in given), default=0)
        behind = sorted(place for place in given if after is None or place < after)
        places = [place for place in behind[::-1] if not more or place.updated_at > last]
        if places or not more:
            return Read(places, more)
    return Read([], False)
