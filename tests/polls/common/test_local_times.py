"""Times in a zone whose clocks are set back and forward."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from polls.builder import drafts
from polls.common import local_times
from polls.surveys import definitions, reader

BERLIN = "Europe/Berlin"
FIRST, SECOND = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]


def survey(**more: object) -> definitions.Definition:
    return reader.parse({"title": "T", "questions": [{"text": "Why?", "kind": "text"}], **more})


@given(st.sampled_from(ZONES), st.integers(946_900_000, 4_133_800_000))
def test_a_field_that_nobody_touched_keeps_its_instant_in_every_zone(zone: str, second: int):
    before = survey(opens_at=datetime.fromtimestamp(second, UTC).isoformat())
    with timezone.override(zone):
        saved = reader.parse(drafts.document(drafts.of(before), before))
    assert saved.opens_at == before.opens_at


@pytest.mark.parametrize("at", [FIRST, SECOND], ids=["the first half past two", "the second"])
def test_both_of_an_hour_that_comes_twice_are_kept_and_told_apart(at: datetime):
    with timezone.override(BERLIN), translation.override("en"):
        assert local_times.typed_form(at) == "2026-10-25T02:30"
        assert local_times.read("2026-10-25T02:30", at) == at.isoformat()
        assert local_times.read("2026-10-25T02:30:00.000", at) == at.isoformat()
        assert local_times.comes_twice(at)
        told = local_times.with_offset(at)
    assert told == f"Oct. 25, 2026, 2:30 a.m. ({'UTC+02:00' if at == FIRST else 'UTC+01:00'})"


def test_of_an_hour_that_comes_twice_the_first_one_is_meant_when_it_is_typed():
    with timezone.override(BERLIN):
        typed = local_times.read("2026-10-25T02:30", None)
    assert typed is not None
    assert datetime.fromisoformat(typed) == FIRST


@pytest.mark.parametrize(
    ("zone", "text", "absent"),
    [
        (BERLIN, "2026-03-29T02:30", True),
        (BERLIN, "2026-03-29T01:59", False),
        (BERLIN, "2026-03-29T03:00", False),
        (BERLIN, "2026-10-25T02:30", False),
        (BERLIN, "2026-03-29T02:30+01:00", False),
        ("Australia/Lord_Howe", "2026-10-04T02:15", True),
        ("UTC", "2026-03-29T02:30", False),
        (BERLIN, "soon", False),
        (BERLIN, "", False),
        (BERLIN, "9999-12-31T23:59", False),
        (BERLIN, "0001-01-01T00:00", False),
    ],
)
def test_an_hour_that_does_not_exist_is_known(zone: str, text: str, absent: bool):
    with timezone.override(zone):
        assert local_times.is_absent(text) is absent


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("2026-03-29T02:30", "02:30 on March 29, 2026 does not exist in Europe/Berlin: the clocks go forward."),
        ("9999-12-31T23:59", "“opens_at” must lie in the years 2000 to 2100."),
        ("0026-03-29T12:00", "“opens_at” must lie in the years 2000 to 2100."),
        ("0001-01-01T00:00", "time"),
        ("2026-03-29T24:30", "time with its zone"),
        ("2026-13-01T00:00", "time with its zone"),
        ("1e9", "time with its zone"),
    ],
)
@pytest.mark.parametrize("field", drafts.TIMES)
def test_a_time_that_cannot_be_meant_is_named_at_its_field(field: str, typed: str, said: str):
    draft = drafts.of(survey())
    draft = drafts.replace(draft, **{field: typed})
    with timezone.override(BERLIN), translation.override("en"):
        with pytest.raises(definitions.DefinitionInvalid) as refused:
            reader.parse(drafts.document(draft, None))
        (mistake,) = drafts.explained(draft, refused.value.mistakes)
    assert mistake.field == field
    assert said.partition("”")[2] in mistake.what
