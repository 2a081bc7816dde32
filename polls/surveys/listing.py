"""The list of surveys, a page at a time, the latest change first, without reading a definition.

Beside each row of a survey a region keeps a small one (ListingRow) that says what a list shows of
it; readers merge these as they merge the rows themselves. An index of the rows' keys by time of
change says which surveys come next. It is DynamoDB's own and cannot miss a row; the small one may,
when its writer was cut off between the two: then the index says another time than the small row,
and that survey is read in full.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from failover import gateway
from polls.common.freshness import Known
from polls.common.models import DatabaseError
from polls.common.paging import Entry, Place, Read, by_code, turn
from polls.surveys import selectors, stored
from polls.surveys.merge import Row, canonical, merge, rivals
from polls.surveys.models import ListingRow, SurveyRow, shelf_page, shelf_places, unlisted_page
from polls.surveys.packing import packed, unpacked
from polls.surveys.retention import EXPIRES, expiry_name
from polls.surveys.survey import (
    DEFINED,
    HIDDEN_TEXT,
    Survey,
    from_row,
    is_known,
    is_tombstone,
    is_whole,
    tombstone,
)

PAGE = 16  # surveys: with two regions 32 small rows, and two waves of reads of their voters
WHOLE_SHELF_S = 5.0  # ten calls of 500 keys to a far region
LONGEST_TITLE, LONGEST_WORD = 200, 50  # characters
WHERE_UNREAD = frozenset({"access", "opens_at", "closes_at"})  # as stored.py: no ballots then
JSON = Any
log = logging.getLogger(__name__)


class Shelf(StrEnum):
    """In which list a survey stands."""

    SHOWN = "shown"
    ARCHIVED = "archived"
    GONE = "gone"


@dataclass(frozen=True)
class Listed:
    """A survey without what its author wrote below the title, and how many questions it has."""

    survey: Survey
    question_count: int


@dataclass(frozen=True)
class ListPage:
    """Some surveys, and where the page behind them begins; None at the end."""

    surveys: tuple[Listed, ...]
    next: str | None


@dataclass(frozen=True)
class _Small:
    """A row as a list needs it, and where it stands."""

    place: Place
    shelf: str
    row: Row


def shelf_of(row: Row) -> Shelf:
    """In which list the survey of merged rows stands."""
    if row.value(tombstone(row.born)):
        return Shelf.GONE
    return Shelf.ARCHIVED if row.value("archived") is True else Shelf.SHOWN


def put_beside(item: SurveyRow, row: Row) -> None:
    """Write the small row of what was just written to the bound region. A failure is no failure of
    the change: whoever lists it sees that the small row is behind.
    """
    small = ListingRow(str(item.code), str(item.region), round=row.round, fields=condensed(row), shelf=item.shelf)
    earlier = ListingRow.code.does_not_exist() | (ListingRow.updated_at < item.updated_at)
    try:
        small.put(earlier, updated_at=int(item.updated_at))
    except DatabaseError as error:
        details = {"event": "listing-behind", "code": str(item.code), "error": type(error).__name__}
        log.warning("the listing of survey %(code)s is behind: %(error)s", details)


def condensed(row: Row) -> dict[str, JSON]:
    """The JSON of a row with short values: what an author wrote at length is there by its mark."""
    left_out = {name for name in row.fields if name.startswith((HIDDEN_TEXT, EXPIRES))} - {expiry_name(row.round)}
    told = {name: field for name, field in row.fields.items() if name not in left_out}
    short = {name: replace(field, value=_short(name, field.value)) for name, field in told.items()}
    entries = packed(Row(row.round, short, row.versions))
    for name in row.versions.keys() & entries.keys():
        entries[name]["mark"] = row.fields[name].name[1]
    return entries


def page(shelf: Shelf = Shelf.SHOWN, after: str = "", *, size: int = PAGE) -> Known[ListPage]:
    """Up to `size` surveys of a shelf behind the place `after`, merged from every region that
    answers. An `after` that no page gave means the first page. Raises NoRegionAnswered.
    """
    told: list[str] = []

    def index(place: Place | None) -> Iterable[Read]:
        reads = selectors.everywhere(lambda _bound: shelf_page(shelf, place, limit=2 * size))
        told[:] = reads
        return reads.values()

    turned = turn(Place.parse(after), size, index, partial(_entries, shelf))
    behind = str(turned.next) if turned.next else None
    return Known(ListPage(tuple(turned.entries.values()), behind), told[0], gateway.clock.wall())


def every(shelf: Shelf) -> Iterator[Listed]:
    """Every survey of a shelf, the latest change first, those that change meanwhile too. Raises
    NoRegionAnswered.
    """
    told = selectors.everywhere(lambda _bound: shelf_places(shelf), timeout=WHOLE_SHELF_S)
    places = sorted(set().union(*told.values()), reverse=True)
    codes, standing = list(dict.fromkeys(place.code for place in places)), by_code(places)
    for at in range(0, len(codes), 2 * PAGE):
        entries = _entries(shelf, codes[at : at + 2 * PAGE], standing)
        yield from (entry.value for entry in entries.values())


def standing() -> dict[str, frozenset[Place]]:
    """Where every survey that is shown stands in the bound region."""
    return by_code(shelf_places(Shelf.SHOWN))


def read_bound(codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> list[Listed]:
    """These surveys as the bound region has them, of those whose places are known."""
    rows = _small_rows(codes, places)
    behind = _behind(codes, places, rows)
    rows = [small for small in rows if small.place.code not in behind] + _in_full(behind)
    found = (_merged(code, [small for small in rows if small.place.code == code]) for code in codes)
    return [listed for listed in found if listed is not None]


def relist() -> int:
    """Put the surveys on their shelves that an earlier version stored without; how many rows it
    wrote. Each region's own rows are written there, and only while nobody else changes them. Raises
    what the regions raise.
    """
    written = 0
    for region in gateway.regions():
        with gateway.at(region):
            start: dict[str, Any] | None = None
            while True:
                found = unlisted_page(start)
                written += sum(_relisted(item) for item in found.rows(SurveyRow) if str(item.region) == region)
                start = found.next
                if start is None:
                    break
    return written


def _relisted(item: SurveyRow) -> bool:
    if not item.is_readable:
        return False
    row, unchanged = item.row(), item.unchanged()
    known = merge([row, *(other.row() for other in SurveyRow.query(str(item.code), consistent_read=True))])
    item.shelf = shelf_of(known)
    if not item.put(unchanged, updated_at=int(item.updated_at) + 1).written:
        return False  # whoever changed it has put it on its shelf
    put_beside(item, row)
    return True


def _entries(shelf: Shelf, codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> dict[str, Entry[Listed]]:
    """Those of these surveys that stand on a shelf, each with its latest place there."""
    found: dict[str, Entry[Listed]] = {}
    small = _everywhere(codes, places)
    for code in codes:
        listed = _merged(code, small.get(code, []), shelf)
        if listed is not None:
            there = {row.place for row in small[code] if row.shelf == shelf}
            found[code] = Entry(listed, max(there | places[code]))
    return found


def _everywhere(codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> dict[str, list[_Small]]:
    """The small rows of these surveys by code, from every region that answers; of one that is
    behind, the rows.
    """
    rows = [small for found in selectors.everywhere(lambda _b: _small_rows(codes, places)).values() for small in found]
    behind = _behind(codes, places, rows)
    for code, whole in zip(behind, selectors.side_by_side(_whole, behind), strict=True):
        if whole:  # otherwise the small rows, which are of an earlier change, are the best that there is
            rows = [small for small in rows if small.place.code != code] + whole
    by_code: dict[str, list[_Small]] = {}
    for small in rows:
        by_code.setdefault(small.place.code, []).append(small)
    return by_code


def _whole(code: str) -> list[_Small]:
    """A survey that is read in full, from every region that answers; empty when none does. A call
    of its own for each: many are behind while a region that was away is filled again, and together
    they would take too long.
    """
    try:
        told = selectors.everywhere(lambda _bound: _in_full([code]))
    except gateway.NoRegionAnswered:
        return []
    return [small for found in told.values() for small in found]


def _small_rows(codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> list[_Small]:
    """Of every region that is configured, and of those where the index has a row: one may no longer
    be configured.
    """
    keys = {(code, region) for code in codes for region in gateway.regions()}
    keys |= {(code, place.region) for code in codes for place in places.get(code, ())}
    return [_small(item, item.row()) for item in ListingRow.batch_get(sorted(keys))] if keys else []


def _in_full(codes: Sequence[str]) -> list[_Small]:
    """As the small rows would say it."""
    return [
        _small(item, unpacked(item.round, condensed(item.row()), region=str(item.region)))
        for code in codes
        for item in SurveyRow.query(code)
    ]


def _small(item: SurveyRow | ListingRow, row: Row) -> _Small:
    return _Small(Place(int(item.updated_at), str(item.code), str(item.region)), str(item.shelf), row)


def _behind(codes: Iterable[str], places: Mapping[str, frozenset[Place]], rows: Iterable[_Small]) -> list[str]:
    """Those of which the index knows a later change than the small rows."""
    latest: dict[tuple[str, str], int] = {}
    for small in rows:
        key = small.place.code, small.place.region
        latest[key] = max(small.place.updated_at, latest.get(key, 0))
    return [
        code
        for code in codes
        if any(place.updated_at > latest.get((code, place.region), -1) for place in places.get(code, ()))
    ]


def _merged(code: str, rows: Iterable[_Small], shelf: Shelf | None = None) -> Listed | None:
    """The survey that these rows come to; None where it stands on another shelf."""
    row = merge(small.row for small in rows)
    if not is_whole(row) or shelf not in (None, shelf_of(row)):
        return None
    asked = row.value("questions")
    asked = asked if isinstance(asked, dict) else {}
    short = Row(row.round, {name: field for name, field in row.fields.items() if name not in ("questions", "help")}, {})
    survey = from_row(code, short)
    if survey.deleted:
        return Listed(survey, 0)
    unread = survey.unread - {"questions"} | ({"questions"} if asked.get("unread") else set())
    survey = replace(
        survey,
        split=frozenset(name for name in row.versions if rivals(row, name)),
        unread=unread,
        votable=asked.get("votable") is True and not unread & WHERE_UNREAD,
    )
    count = asked.get("count")
    return Listed(survey, count if type(count) is int else 0)


def _short(name: str, value: JSON) -> JSON:
    """A value for a list; a mark stands for a long one, so that two versions still differ where
    their values do.
    """
    if is_tombstone(name):
        return bool(value)  # whatever it says
    if value is None or isinstance(value, bool):
        return value
    if name == "questions":
        found = stored.read({"questions": value})
        count = len(value) if isinstance(value, list) else 0
        return {"count": count, "votable": found.votable, "unread": bool(found.unread), "mark": _mark(value)}
    if name == "title" and isinstance(value, str):
        return value[:LONGEST_TITLE]
    if isinstance(value, int) or (isinstance(value, str) and len(value) <= LONGEST_WORD and name != "help"):
        return value
    return {"mark": _mark(value)} if name in DEFINED or not is_known(name) else None


def _mark(value: JSON) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:8]
