"""The list of surveys: what it shows is what the surveys are, and what it costs does not grow with them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from failover import gateway, wiring
from polls.surveys import codes, definitions, listing, reader, selectors
from polls.surveys.listing import Shelf
from polls.surveys.merge import Row, change, put_on
from polls.surveys.models import ListingRow, SurveyRow
from polls.surveys.selectors import SurveyUnknown
from polls.surveys.services import survey_archive, survey_close, survey_delete, survey_open, survey_reset
from polls.surveys.survey import Survey, first_values
from polls.tallies import store as tallies
from tests.conftest import Lab
from tests.polls.conftest import QUESTIONS
from tests.polls.surveys.listed import large, without_words
from tests.waiting import wait_until

EAST, WEST = "us-east-1", "us-west-2"
lab = pytest.mark.lab


class Traffic:
    """What was asked of which table or index, and how many bytes came back."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bytes = 0

    def sent(self, model: Any, params: Any, **_: Any) -> None:
        asked = json.loads(params["body"])
        table = asked.get("IndexName") or asked.get("TableName") or next(iter(asked["RequestItems"]))
        self.calls[f"{model.name} {table}"] += 1

    def came(self, http_response: Any, **_: Any) -> None:
        self.bytes += len(http_response.content)


@contextmanager
def watched(wired: wiring.Wired) -> Iterator[Traffic]:
    """Everything that this process asks of both regions, once nothing is kept fresh in the background any more."""
    traffic = Traffic()
    events = [client.meta.events for client in wired.clients.values()]
    for event in events:
        event.register("before-call.dynamodb", traffic.sent, unique_id="listing-sent")
        event.register("after-call.dynamodb", traffic.came, unique_id="listing-came")
    try:
        selectors._surveys.forget()
        looks: list[int] = []

        def quiet() -> bool:
            looks.append(traffic.calls.total())
            return looks[-3:].count(looks[-1]) == 3

        wait_until(quiet, within=20, what="the background is quiet", every=0.3)
        traffic.calls.clear()
        traffic.bytes = 0
        yield traffic
    finally:
        for event in events:
            event.unregister("before-call.dynamodb", unique_id="listing-sent")
            event.unregister("after-call.dynamodb", unique_id="listing-came")


def shown(code: str, shelf: Shelf = Shelf.SHOWN) -> Survey | None:
    return next((listed.survey for listed in listing.every(shelf) if listed.survey.code == code), None)


def first(page: listing.ListPage) -> str:
    return page.surveys[0].survey.code


@lab
@pytest.mark.django_db
def test_a_page_of_large_surveys_takes_a_few_small_calls(
    wired: wiring.Wired, make_survey: Callable[..., Survey], instructor: Client
):
    size = len(str(definitions.to_json(reader.parse({"title": "T", "questions": large()}))))
    assert size > 160_000
    for number in range(listing.PAGE):
        make_survey(title=f"Large {number}", questions=large())
    with watched(wired) as traffic:
        page = listing.page().value
    titles = [listed.survey.definition.title for listed in page.surveys]
    assert titles == [f"Large {n}" for n in range(listing.PAGE)][::-1]
    assert {listed.question_count for listed in page.surveys} == {28}
    assert traffic.calls == {"Query by-change": 2, "BatchGetItem survey-listing": 2}  # each once a region
    assert traffic.bytes < 2 * listing.PAGE * 3_000
    with watched(wired) as traffic:
        assert instructor.get("/admin/surveys/").status_code == 200
    assert traffic.calls.pop("Query survey-tallies") <= 2 * listing.PAGE  # the voters of each
    assert traffic.calls == {"Query by-change": 2, "BatchGetItem survey-listing": 2}
    assert traffic.bytes < size


@lab
def test_pages_hold_every_survey_once_the_latest_change_first(make_survey: Callable[..., Survey]):
    made = [make_survey(title=f"Paged {number}").code for number in range(7)]
    survey_close(code=made[2])
    order = [made[2], *(code for code in made[::-1] if code != made[2])]
    found: list[str] = []
    after: str | None = ""
    while after is not None and len(found) < 7:
        page = listing.page(after=after, size=3).value
        assert len(page.surveys) == 3
        found += [listed.survey.code for listed in page.surveys]
        after = page.next
    assert found[:7] == order
    everything = [listed.survey.code for listed in listing.every(Shelf.SHOWN)]
    assert len(everything) == len(set(everything))
    assert first(listing.page(after="no place").value) == made[2]


@lab
def test_a_survey_that_ends_a_page_is_not_on_the_next_one_by_its_older_row(make_survey: Callable[..., Survey]):
    code = make_survey().code
    row = selectors.found_now(code).row
    write(code, WEST, change(row, {"title": "West"}, now_ms=row.changed_at + 1))
    write(code, EAST, change(row, {"title": "East"}, now_ms=row.changed_at + 2))
    top = listing.page(size=1).value
    assert first(top) == code
    rest = [listed.survey.code for listed in listing.page(after=top.next or "", size=9).value.surveys]
    assert code not in rest


@lab
def test_a_survey_goes_from_shelf_to_shelf(make_survey: Callable[..., Survey]):
    code = make_survey().code
    survey_archive(code=code)
    assert shown(code) is None
    assert shown(code, Shelf.ARCHIVED) is not None
    survey_open(code=code)
    assert shown(code, Shelf.ARCHIVED) is None
    assert shown(code) == without_words(selectors.found_now(code).survey)
    survey_delete(code=code)
    assert all(shown(code, shelf) is None for shelf in (Shelf.SHOWN, Shelf.ARCHIVED))


def write(code: str, region: str, changed: Row, *, listed: bool = True, round_number: int = 1) -> SurveyRow:
    """A row of `region` as its writer leaves it, who may have been cut off before the small one."""
    with gateway.at(region):
        own = next(iter(SurveyRow.query(code, SurveyRow.region == region, consistent_read=True)), None)
        merged = put_on(own.row() if own else None, changed, region=region)
        item = own or SurveyRow(code, region)
        item.take(merged)
        item.shelf = listing.shelf_of(merged)
        item.put(updated_at=max(gateway.stamp(), int(own.updated_at) + 1) if own else None)
        if listed:
            listing.put_beside(item, merged)
        return item


@lab
def test_what_two_sides_of_a_split_changed_is_merged_however_far_apart_their_rows_stand(
    make_survey: Callable[..., Survey],
):
    code = make_survey().code
    row = selectors.found_now(code).row
    now = int(gateway.clock.wall() * 1000)
    write(code, EAST, change(row, {"state": "closed", "title": "East"}, now_ms=now + 1))
    for number in range(4):
        make_survey(title=f"Between {number}")
    write(code, WEST, change(row, {"title": "West", "opens_at": "2099-01-01T00:00:00Z"}, now_ms=now + 2))
    top = listing.page(size=2).value
    survey = top.surveys[0].survey
    assert (survey.code, survey.definition.title, survey.switch, survey.split) == (code, "West", "closed", {"title"})
    assert survey.definition.opens_at is not None
    rest = [listed.survey.code for listed in listing.page(after=top.next or "", size=9).value.surveys]
    assert code not in rest


@lab
def test_a_writer_that_is_cut_off_between_both_rows_loses_no_survey_from_the_list(make_survey: Callable[..., Survey]):
    known, new = make_survey().code, "CUTOFF" + make_survey().code[:4]
    row = selectors.found_now(known).row
    write(known, EAST, change(row, {"title": "Cut off"}, now_ms=row.changed_at + 1), listed=False)
    definition = reader.parse({"title": "Never listed", "questions": QUESTIONS})
    write(new, WEST, replace(change(Row(), first_values(definition, now_s=0), now_ms=1), round=1), listed=False)
    found = {listed.survey.code: listed.survey.definition.title for listed in listing.page().value.surveys}
    assert found[known] == "Cut off"
    assert found[new] == "Never listed"
    survey_close(code=new)
    assert shown(new) == without_words(selectors.found_now(new).survey)


@lab
def test_no_definition_is_read_for_the_row_of_a_region_that_is_no_longer_configured(
    wired: wiring.Wired, make_survey: Callable[..., Survey]
):
    row = selectors.found_now(make_survey().code).row
    with gateway.at(EAST):
        item = SurveyRow("MOVED", "eu-west-1")
        item.take(Row(1, row.fields, row.versions))
        item.shelf = Shelf.SHOWN
        item.put()
        listing.put_beside(item, Row(1, row.fields, row.versions))
    wait_until(lambda: shown("MOVED") is not None, within=20, what="the survey is listed")
    wait_until(
        lambda: len(selectors.everywhere(lambda _b: ListingRow.get("MOVED", "eu-west-1"))) == 2,
        within=20,
        what="both regions hold the small row",
    )
    with watched(wired) as traffic:
        assert first(listing.page(size=1).value) == "MOVED"
    assert "Query survey-definitions" not in traffic.calls


@lab
@pytest.mark.django_db
def test_a_whole_page_of_large_surveys_whose_small_rows_are_missing_is_shown(
    make_survey: Callable[..., Survey], instructor: Client
):
    row = selectors.found_now(make_survey(questions=large()).code).row
    changed = Row(1, row.fields, row.versions)
    incomplete = [codes.make() for _ in range(listing.PAGE)]
    try:
        for code in incomplete:
            write(code, EAST, changed, listed=False)
        page = instructor.get("/admin/surveys/").content.decode()
    finally:
        for code in incomplete:  # otherwise each later list in this lab reads these 2.5 MB in full
            with suppress(SurveyUnknown):
                survey_delete(code=code)
    assert all(f"survey-{code}" in page for code in incomplete)


@lab
def test_what_an_earlier_version_stored_is_put_into_the_list(make_survey: Callable[..., Survey]):
    old, deleted = make_survey().code, make_survey().code
    survey_delete(code=deleted)
    for code in (old, deleted):
        with gateway.at(EAST):
            (item,) = SurveyRow.query(code, SurveyRow.region == EAST, consistent_read=True)
            item.shelf = None
            item.put(updated_at=int(item.updated_at) + 1)
    wait_until(lambda: shown(old) is None, within=20, what="the rows are as they were, in both regions")
    assert listing.relist() >= 2
    assert shown(old) is not None
    assert shown(deleted) is None


@lab
@pytest.mark.django_db
def test_the_list_works_while_a_regions_dns_is_empty(app: Lab, make_survey: Callable[..., Survey], instructor: Client):
    code = make_survey().code
    app.fault(EAST, "dns-empty", "--for", "60")
    for _ in range(3):
        reply = instructor.get("/admin/surveys/")
        assert reply.status_code == 200
        assert code in reply.content.decode()


@lab
def test_the_sweep_reads_only_what_was_changed(wired: wiring.Wired, make_survey: Callable[..., Survey]):
    surveys = [make_survey(questions=large()) for _ in range(3)]
    store = tallies.RegionTallies(EAST)
    codes = {survey.code for survey in surveys}
    wait_until(lambda: codes <= {s.code for s in store.open_schemes()}, within=20, what="the rows are in the index")
    with watched(wired) as traffic:
        assert codes <= {scheme.code for scheme in store.open_schemes()}
    assert set(traffic.calls) == {"Query by-change"}
    assert traffic.bytes < 50_000 + 300 * len(store.open_schemes())
    survey_reset(code=surveys[0].code)
    survey_close(code=surveys[1].code)

    def level() -> bool:
        rounds = {scheme.code: scheme.round for scheme in store.open_schemes()}
        return rounds.get(surveys[0].code) == 2 and surveys[1].code not in rounds

    wait_until(level, within=20, what="the sweep knows of the reset and the close")
