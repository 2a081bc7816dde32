"""What a count looks like as a percentage: rounded once, and never "none" or "all" of what is neither."""

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from polls.results.charts import Average, Part, chart
from polls.surveys import definitions, reader
from polls.tallies.tally import Tally

WHOLES = st.integers(1, 100_000)


@pytest.mark.parametrize(
    ("count", "whole", "text", "fine", "percent"),
    [
        (5, 11, "45 %", "45.5 %", 45.5),
        (199, 200, "> 99 %", "99.5 %", 99.5),
        (1, 200, "1 %", "0.5 %", 0.5),
        (1, 201, "< 1 %", "0.5 %", 0.5),
        (1, 8, "13 %", "12.5 %", 12.5),
        (3, 8, "38 %", "37.5 %", 37.5),
        (1, 3, "33 %", "33.3 %", 33.3),
        (0, 7, "0 %", "0.0 %", 0.0),
        (7, 7, "100 %", "100.0 %", 100.0),
        (0, 0, "0 %", "0.0 %", 0.0),
        (1, 5_000, "< 1 %", "< 0.1 %", 0.0),
        (4_999, 5_000, "> 99 %", "> 99.9 %", 100.0),
    ],
)
def test_a_part_is_rounded_once_and_half_up(count: int, whole: int, text: str, fine: str, percent: float):
    part = Part(count, whole)
    assert (part.text, part.fine, part.percent) == (text, fine, percent)


@given(WHOLES, st.data())
def test_a_part_is_off_by_half_a_step_at_most_and_says_none_and_all_of_none_and_all_alone(whole: int, data):
    part = Part(data.draw(st.integers(0, whole)), whole)
    assert abs(part.rounded * whole - 100 * part.count) * 2 <= whole
    assert abs(part.percent * whole - 100 * part.count) <= 0.05 * whole + 1e-6 * whole
    assert (part.text == "0 %") == (part.count == 0)
    assert (part.text == "100 %") == (part.count == whole)


def test_a_german_page_has_a_comma():
    with translation.override("de"):
        assert Part(1, 3).fine == "33,3 %"
        assert Part(1, 5_000).fine == "< 0,1 %"


@pytest.mark.parametrize(
    ("total", "given", "short", "exact"), [(69, 20, 3.5, 3.45), (689, 200, 3.4, 3.45), (9, 4, 2.3, 2.25), (5, 1, 5, 5)]
)
def test_each_form_of_an_average_is_rounded_once(total: int, given: int, short: float, exact: float):
    average = Average(total, given)
    assert (average.short, average.exact) == (short, exact)


def question(kind: str) -> definitions.Question:
    raw = {"text": "Which?", "kind": kind, "options": ["a", "b", "c"]}
    return reader.parse({"title": "T", "questions": [raw]}).questions[0]


@pytest.mark.parametrize(
    ("kind", "counts", "odd"),
    [
        ("single", (1, 1, 1), 99),
        ("single", (2, 2, 1), None),
        ("single", (5, 5, 1), 99),
        ("multiple", (3, 3, 3), None),
        ("single", (0, 0, 0), None),
        ("single", (3, 3, 2), 101),
        ("single", (199, 1, 0), None),
    ],
)
def test_percentages_that_do_not_come_to_a_hundred_are_said_to(kind: str, counts: tuple[int, ...], odd: int | None):
    chosen = dict(zip(("o1", "o2", "o3"), counts, strict=True))
    answered = 3 if kind == "multiple" else sum(counts)
    assert chart(question(kind), Tally(answered, {"q1": answered}, {"q1": chosen})).odd_sum == odd
