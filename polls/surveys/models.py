"""The tables of the surveys in DynamoDB. Not the Django ORM: these are PynamoDB models, bound to a
region by the gateway, and have no migrations.

Every key ends in the region that wrote the item, so no item is ever written by two regions and
readers merge (merge.py).
"""

from typing import Any, Self

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import AttributeDeserializationError
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from failover.gateway import RegionalModel, StoredJSON
from polls.common.models import PAGE_ITEMS, Page, log
from polls.common.paging import Place, Read, read_behind
from polls.surveys.merge import Row
from polls.surveys.packing import packed, unpacked

BESIDES = 2  # places that a page of an index reads and cannot use: its first, and those of its last time


class StoredRow(RegionalModel):
    """One region's row of one survey: `round`, and the JSON of packing.py in `fields`. `shelf`
    names the list in which the survey stands, as far as the writer knew.
    """

    code = UnicodeAttribute(hash_key=True)
    region = UnicodeAttribute(range_key=True)
    round = NumberAttribute()
    fields = StoredJSON(null=True)
    shelf = UnicodeAttribute(null=True)

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """As PynamoDB's method, but an item that it cannot read becomes an empty one (`is_readable`
        is false). So it does no harm to other rows of the same read.
        """
        known = {attribute.attr_name for attribute in cls.get_attributes().values()}
        try:
            item = super().from_raw_data(data)
            item.unknown = {name: value for name, value in data.items() if name not in known}
            return item
        except (AttributeDeserializationError, ValueError, TypeError) as error:
            code, region = (str(data.get(key, {}).get("S", "")) for key in ("code", "region"))
            details = {"event": "survey-row-unreadable", "code": code, "error": type(error).__name__}
            log.warning("a stored row of survey %(code)s cannot be read: %(error)s", details)
            return cls(code, region, round=0, updated_at=0, updated_in=region)

    @property
    def is_readable(self) -> bool:
        """Whether the row holds properties, understood or not."""
        return isinstance(self.fields, dict)

    def row(self) -> Row:
        """The row as plain data; never fails (packing.py)."""
        return unpacked(self.round, self.fields, region=str(self.region))

    def unchanged(self) -> Condition:
        """The condition that the item stands as it was read, or that it is not yet there, where it
        was not.
        """
        if "updated_at" not in self.attribute_values:
            return type(self).code.does_not_exist()
        # Only a deletion replaces an item that cannot be read at all.
        return type(self).updated_at == self.updated_at if self.is_readable else type(self).code.exists()

    def take(self, row: Row) -> None:
        """Hold what `row` says from now on. What this version does not understand of the item stays
        in it.
        """
        self.round, self.fields = row.round, packed(row, over=self.fields)


class ByChange(GlobalSecondaryIndex["SurveyRow"]):  # type: ignore[no-untyped-call]  # PynamoDB's hook has no types
    """The keys of one shelf's rows, by the time when a row was last written."""

    class Meta:
        index_name = "by-change"
        projection = KeysOnlyProjection()

    shelf = UnicodeAttribute(hash_key=True)
    updated_at = NumberAttribute(range_key=True)


class SurveyRow(StoredRow):
    """What one region changed about one survey."""

    class Meta:
        table_name = "survey-definitions"

    by_change = ByChange()


class ListingRow(StoredRow):
    """The part of a SurveyRow that a list of surveys shows (listing.py), with the same key. It
    belongs to the SurveyRow with the same `updated_at`; where a writer was cut off between the two,
    it belongs to an earlier one.
    """

    class Meta:
        table_name = "survey-listing"


def shelf_page(shelf: str, after: Place | None, *, limit: int) -> Read:
    """About `limit` places of a shelf behind `after` in the bound region. One call; more calls only
    where so many rows were written in the same microsecond.
    """
    from_there = SurveyRow.updated_at <= after.updated_at if after is not None else None
    rows = SurveyRow.query(
        shelf, from_there, index_name="by-change", scan_index_forward=False, page_size=limit + BESIDES
    )
    return read_behind(after, ((_places(page), "LastEvaluatedKey" in page) for page in rows.page_iter))


def shelf_places(shelf: str) -> set[Place]:
    """All places of a shelf in the bound region. The earliest change is read first: a row that
    changes meanwhile moves to a place that is not yet read, so that no row is missed.
    """
    rows = SurveyRow.query(shelf, index_name="by-change", page_size=PAGE_ITEMS)
    return {place for page in rows.page_iter for place in _places(page)}


def _places(page: dict[str, Any]) -> list[Place]:
    return [Place(int(item["updated_at"]["N"]), item["code"]["S"], item["region"]["S"]) for item in page["Items"]]


def unlisted_page(start: dict[str, Any] | None) -> Page:
    """A page of the bound region's items that stand on no shelf: an earlier version of this program
    wrote them.
    """
    scan = SurveyRow.scan(SurveyRow.shelf.does_not_exist(), page_size=PAGE_ITEMS, last_evaluated_key=start)
    page = next(scan.page_iter)
    return Page(page["Items"], page.get("LastEvaluatedKey"))
