"""Reads the list of surveys one page at a time, the latest change first, without reading
definitions.

Beside each row of a survey a region keeps a small row (ListingRow) with what a list shows. Readers
merge small rows as they merge the rows themselves. An index of the rows' keys by time of change
says which surveys come next. DynamoDB keeps the index, so it never misses a row. A small row may be
missing or old, where its writer was cut off between the two writes: then the index has another time
than the small row, and that survey is read in full.
"""

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
from polls.surveys.merge import JSON, Row, mark, merge, rivals
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

PAGE = 16  # surveys; with two regions 32 small rows, and two waves of reads of their voters
WHOLE_SHELF_S = 5.0  # ten calls of 500 keys to a far region
LONGEST_TITLE, LONGEST_WORD = 200, 50  # characters
# No ballots are taken where one of these is not understood, as in stored.py.
WHERE_UNREAD = frozenset({"access", "opens_at", "closes_at"})
log = logging.getLogger(__name__)


class Shelf(StrEnum):
    """The list in which a survey stands."""

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
    """Some surveys. The next page begins behind the place `next`; None at the end."""

    surveys: tuple[Listed, ...]
    next: str | None


@dataclass(frozen=True)
class _Small:
    """A row as a list needs it, and its place in the index."""

    place: Place
    shelf: str
    row: Row


def shelf_of(row: Row) -> Shelf:
    """The list in which the survey of a merged row stands."""
    if row.value(tombstone(row.born)):
        return Shelf.GONE
    return Shelf.ARCHIVED if row.value("archived") is True else Shelf.SHOWN


def put_beside(item: SurveyRow, row: Row) -> None:
    """Write the small row of a row that was just written to the bound region. The change stands
    even if this fails: readers of the list see that the small row is behind.
    """
    small = ListingRow(str(item.code), str(item.region), round=row.round, fields=condensed(row), shelf=item.shelf)
    earlier = ListingRow.code.does_not_exist() | (ListingRow.updated_at < item.updated_at)
    try:
        small.put(earlier, updated_at=int(item.updated_at))
    except DatabaseError as error:
        details = {"event": "listing-behind", "code": str(item.code), "error": type(error).__name__}
        log.warning("the listing of survey %(code)s is behind: %(error)s", details)


def condensed(row: Row) -> dict[str, JSON]:
    """The JSON of a row with short values: a mark stands for each long value."""
    left_out = {name for name in row.fields if name.startswith((HIDDEN_TEXT, EXPIRES))} - {expiry_name(row.round)}
    listed = {name: field for name, field in row.fields.items() if name not in left_out}
    short = {name: replace(field, value=_short(name, field.value)) for name, field in listed.items()}
    entries = packed(Row(row.round, short, row.versions))
    for name in row.versions.keys() & entries.keys():
        entries[name]["mark"] = row.fields[name].name[1]
    return entries


def page(shelf: Shelf = Shelf.SHOWN, after: str = "", *, size: int = PAGE) -> Known[ListPage]:
    """Up to `size` surveys of a shelf behind the place `after`, merged from every region that
    answers. An `after` that is no place means the first page. Raises NoRegionAnswered.
    """
    regions: list[str] = []

    def index(place: Place | None) -> Iterable[Read]:
        reads = selectors.everywhere(lambda _bound: shelf_page(shelf, place, limit=2 * size))
        regions[:] = reads
        return reads.values()

    turned = turn(Place.parse(after), size, index, partial(_entries, shelf))
    behind = str(turned.next) if turned.next else None
    return Known(ListPage(tuple(turned.entries.values()), behind), regions[0], gateway.clock.wall())


def every(shelf: Shelf) -> Iterator[Listed]:
    """Every survey of a shelf, the latest change first, and also those that change meanwhile.
    Raises NoRegionAnswered.
    """
    by_region = selectors.everywhere(lambda _bound: shelf_places(shelf), timeout=WHOLE_SHELF_S)
    places = sorted(set().union(*by_region.values()), reverse=True)
    codes, standing = list(dict.fromkeys(place.code for place in places)), by_code(places)
    for at in range(0, len(codes), 2 * PAGE):
        entries = _entries(shelf, codes[at : at + 2 * PAGE], standing)
        yield from (entry.value for entry in entries.values())


def standing() -> dict[str, frozenset[Place]]:
    """The places of every shown survey in the bound region, by code."""
    return by_code(shelf_places(Shelf.SHOWN))


def read_bound(codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> list[Listed]:
    """These surveys as the bound region has them. `places` must have their places."""
    rows = _small_rows(codes, places)
    behind = _behind(codes, places, rows)
    rows = [small for small in rows if small.place.code not in behind] + _in_full(behind)
    merged = (_merged(code, [small for small in rows if small.place.code == code]) for code in codes)
    return [listed for listed in merged if listed is not None]


def relist() -> int:
    """Put surveys on their shelves that an earlier version of this program stored without a shelf.
    Returns how many rows it wrote. It writes each region's own rows there, and no row that somebody
    else has just changed. Raises what the regions raise.
    """
    written = 0
    for region in gateway.regions():
        with gateway.at(region):
            start: dict[str, Any] | None = None
            while True:
                unlisted = unlisted_page(start)
                written += sum(_relisted(item) for item in unlisted.rows(SurveyRow) if str(item.region) == region)
                start = unlisted.next
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
        return False  # the writer who changed it has put it on its shelf
    put_beside(item, row)
    return True


def _entries(shelf: Shelf, codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> dict[str, Entry[Listed]]:
    """Of these surveys those that stand on a shelf, each with its latest place there."""
    entries: dict[str, Entry[Listed]] = {}
    small = _everywhere(codes, places)
    for code in codes:
        listed = _merged(code, small.get(code, []), shelf)
        if listed is not None:
            there = {row.place for row in small[code] if row.shelf == shelf}
            entries[code] = Entry(listed, max(there | places[code]))
    return entries


def _everywhere(codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> dict[str, list[_Small]]:
    """The small rows of these surveys by code, from every region that answers; in full where a
    small row is behind.
    """
    by_region = selectors.everywhere(lambda _bound: _small_rows(codes, places))
    rows = [small for region_rows in by_region.values() for small in region_rows]
    behind = _behind(codes, places, rows)
    for code, whole in zip(behind, selectors.side_by_side(_whole, behind), strict=True):
        if whole:  # otherwise the small rows of an earlier change are all that we have
            rows = [small for small in rows if small.place.code != code] + whole
    by_code: dict[str, list[_Small]] = {}
    for small in rows:
        by_code.setdefault(small.place.code, []).append(small)
    return by_code


def _whole(code: str) -> list[_Small]:
    """A survey that is read in full, from every region that answers; empty when no region does.

    This is one call for each survey: while a region that was away is filled again, many small rows
    are behind, and reading all of those surveys in one call would take too long.
    """
    try:
        by_region = selectors.everywhere(lambda _bound: _in_full([code]))
    except gateway.NoRegionAnswered:
        return []
    return [small for rows in by_region.values() for small in rows]


def _small_rows(codes: Sequence[str], places: Mapping[str, frozenset[Place]]) -> list[_Small]:
    """The small rows of all configured regions, and of regions in the index that are no longer
    configured.
    """
    keys = {(code, region) for code in codes for region in gateway.regions()}
    keys |= {(code, place.region) for code in codes for place in places.get(code, ())}
    return [_small(item, item.row()) for item in ListingRow.batch_get(sorted(keys))] if keys else []


def _in_full(codes: Sequence[str]) -> list[_Small]:
    """Small rows that are made of the rows themselves."""
    return [
        _small(item, unpacked(item.round, condensed(item.row()), region=str(item.region)))
        for code in codes
        for item in SurveyRow.query(code)
    ]


def _small(item: SurveyRow | ListingRow, row: Row) -> _Small:
    return _Small(Place(int(item.updated_at), str(item.code), str(item.region)), str(item.shelf), row)


def _behind(codes: Iterable[str], places: Mapping[str, frozenset[Place]], rows: Iterable[_Small]) -> list[str]:
    """Those codes for which the index has a later change than the small rows."""
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
    """The survey of these rows, merged; None where they are no survey, or it stands on another
    shelf.
    """
    row = merge(small.row for small in rows)
    if not is_whole(row) or shelf not in (None, shelf_of(row)):
        return None
    questions = row.value("questions")
    questions = questions if isinstance(questions, dict) else {}
    short = Row(row.round, {name: field for name, field in row.fields.items() if name not in ("questions", "help")}, {})
    survey = from_row(code, short)
    if survey.deleted:
        return Listed(survey, 0)
    unread = survey.unread - {"questions"} | ({"questions"} if questions.get("unread") else set())
    survey = replace(
        survey,
        split=frozenset(name for name in row.versions if rivals(row, name)),
        unread=unread,
        votable=questions.get("votable") is True and not unread & WHERE_UNREAD,
    )
    count = questions.get("count")
    return Listed(survey, count if type(count) is int else 0)


def _short(name: str, value: JSON) -> JSON:
    """A value for a list. A mark stands for a long value, so that two versions differ where their
    values do.
    """
    if is_tombstone(name):
        return bool(value)
    if value is None or isinstance(value, bool):
        return value
    if name == "questions":
        read = stored.read({"questions": value})
        count = len(value) if isinstance(value, list) else 0
        return {"count": count, "votable": read.votable, "unread": bool(read.unread), "mark": mark(value)}
    if name == "title" and isinstance(value, str):
        return value[:LONGEST_TITLE]
    if isinstance(value, int) or (isinstance(value, str) and len(value) <= LONGEST_WORD and name != "help"):
        return value
    return {"mark": mark(value)} if name in DEFINED or not is_known(name) else None
