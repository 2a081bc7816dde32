"""Small rows merge to what a list shows of the rows themselves, whatever these hold."""

from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from failover import gateway
from polls.common.paging import Place
from polls.surveys import listing, reader
from polls.surveys.listing import Listed, Shelf
from polls.surveys.merge import Row, change, merge, put_on
from polls.surveys.models import ListingRow
from polls.surveys.packing import packed, unpacked
from polls.surveys.survey import Survey, defined_values, first_values, from_row, tombstone
from tests.polls.conftest import QUESTIONS
from tests.polls.surveys.listed import large, without_words
from tests.polls.surveys.test_stored_properties import FIELDS

SOUND = reader.parse({"title": "T", "questions": QUESTIONS})
FIRST = put_on(None, change(Row(), first_values(SOUND, now_s=0), now_ms=1, new_round=True), region="east")
ASKED = defined_values(SOUND)["questions"]


def small(rows: list[Row], regions: list[str]) -> list[Any]:
    return [
        listing._Small(
            Place(place, "CODE", region),
            listing.shelf_of(row),
            unpacked(row.round, listing.condensed(row), region=region),
        )
        for place, (row, region) in enumerate(zip(rows, regions, strict=True))
    ]


def alike(listed: Listed | None, survey: Survey, count: int) -> None:
    assert listed is not None
    expected = without_words(survey, allow_change=listed.survey.definition.allow_change)
    assert replace(listed.survey, unread=frozenset()) == replace(
        expected, unread=frozenset(), hidden_texts=listed.survey.hidden_texts
    )
    assert bool(listed.survey.unread) == bool(survey.unread)
    assert listed.question_count == count


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["east", "west"]),
            st.booleans(),
            st.sampled_from(
                [
                    {"title": "Other"}, {"title": "Third"}, {"questions": ASKED[:1]}, {"questions": ASKED[1:]},
                    {"state": "closed"}, {"state": "open", "archived": False}, {"archived": True},
                    {"help": "Read"}, {"opens_at": "2026-01-01T00:00:00Z"}, {"closes_at": "2020-01-01T00:00:00Z"},
                    {"results": "hidden"}, {"access": "link"}, {tombstone(1): True},
                ]
            ),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_the_small_rows_come_to_what_the_rows_come_to(edits: list[tuple[str, bool, dict[str, Any]]]):
    rows: dict[str, Row] = {"east": FIRST}
    for at, (region, knows, values) in enumerate(edits, 2):
        since = merge(rows.values()) if knows else rows.get(region, FIRST)
        rows[region] = put_on(rows.get(region), change(since, values, now_ms=at), region=region)
    survey = from_row("CODE", merge(rows.values()))
    shelf = listing.shelf_of(merge(rows.values()))
    alike(listing._merged("CODE", small(list(rows.values()), list(rows))), survey, len(survey.definition.questions))
    others = set(Shelf) - {shelf}
    assert all(listing._merged("CODE", small(list(rows.values()), list(rows)), other) is None for other in others)


@given(FIELDS)
@example({tombstone(1): {"v": 1.0, "at": 9}})
@example({"hidden-text:q1.0": {"v": None, "at": 0, "seen": None}})
def test_any_json_in_a_row_is_condensed_and_listed(fields: Any):
    row = merge([FIRST, unpacked(1, fields, region="west")])
    listed = listing._merged("CODE", small([row], ["east"]))
    if row.value("questions") is None and not from_row("CODE", row).deleted:
        assert listed is None
        return
    assert listed is not None
    assert listed.survey.deleted is from_row("CODE", row).deleted
    assert listed.survey.is_open is from_row("CODE", row).is_open


def test_a_small_row_is_small_whatever_its_survey_says():
    definition = reader.parse({"title": "T" * 200, "questions": large(), "help": "x" * 1000})
    row = change(FIRST, {**defined_values(definition), "state": "closed"}, now_ms=5)
    for at in range(6, 60):
        row = put_on(
            row, change(row, {"title": f"{at}" * 90, f"hidden-text:q1.{at:016x}": 1}, now_ms=at), region="east"
        )
    assert len(str(packed(row))) > 160_000
    assert len(str(listing.condensed(row))) < 3_000
    assert ListingRow.Meta.table_name in {spec.name for spec in gateway.tables()}
