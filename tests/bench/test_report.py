"""The report's arithmetic. Nothing here measures time: a busy machine must not fail a test."""

import itertools
import json

import pytest

from tests.bench.measure import interleaved
from tests.bench.report import HEADINGS, Aim, Judged, Report, Row, Spread, figure, p99

ROW = Row("votes", "a loop", "1/s", [10, 30, 20, 40, 50], [20, 20, 20, 20, 25], Aim(1.0, at_least=True))


def test_a_spread_is_the_median_between_its_quartiles_in_any_order() -> None:
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(2, 3, 4)
    assert Spread.of([1, 2, 3, 4]) == Spread(1.75, 2.5, 3.25)


def test_a_ratio_is_taken_within_each_round_and_not_between_medians() -> None:
    assert ROW.ratio == Spread(1.0, 1.5, 2.0)
    assert ROW.difference == Spread(0, 10, 20)
    drifting = Row("x", "y", "ms", [1, 10, 100], [2, 20, 200])
    assert drifting.ratio == Spread(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("aim", "ratio", "met"),
    [
        (Aim(1.1), 1.1, True),
        (Aim(1.1), 1.11, False),
        (Aim(0.6, at_least=True), 0.6, True),
        (Aim(0.6, at_least=True), 0.59, False),
    ],
)
def test_an_aim_is_met_at_its_bound_and_missed_beyond_it(aim: Aim, ratio: float, met: bool) -> None:
    assert aim.met_by(ratio) is met


def test_a_row_without_an_aim_is_neither_met_nor_missed() -> None:
    assert Row("x", "y", "ms", [1, 2], [1, 2]).met is None
    assert Row("x", "y", "ms", [1, 2], [1, 2]).cells()[-2:] == ("", "")


@pytest.mark.parametrize(
    ("judged", "bound", "met"),
    [
        (Judged.RATIO, 1.5, True),  # 2, 1.5 and 1 of the peer's: the median is 1.5
        (Judged.RATIO, 1.4, False),
        (Judged.DIFFERENCE, 5, True),
        (Judged.DIFFERENCE, 4, False),
        (Judged.OURS, 15, True),
        (Judged.OURS, 14, False),
        (Judged.WORST, 40, True),
        (Judged.WORST, 39, False),
    ],
)
def test_an_aim_is_held_against_what_it_names(judged: Judged, bound: float, met: bool) -> None:
    assert Row("x", "y", "ms", [10, 15, 40], [5, 10, 40], Aim(bound, judged=judged)).met is met


def test_of_what_must_be_at_least_so_much_the_worst_is_the_least() -> None:
    aim = Aim(10, at_least=True, judged=Judged.WORST)
    assert Row.alone("x", "1/s", [10, 15, 40], aim).met is True
    assert Row.alone("x", "1/s", [9, 15, 40], aim).met is False


def test_a_figure_without_a_peer_has_empty_cells_and_says_its_worst() -> None:
    row = Row.alone("growth", "MB", [1, 2, 6], Aim(5, judged=Judged.WORST))
    assert row.cells() == (
        "growth, MB",
        "2.00 (1.50 to 4.00), worst 6.00",
        "",
        "",
        "",
        "worst of ours <= 5.00",
        "**no**",
    )
    assert row.as_json()["ratio"] is None
    with pytest.raises(ValueError, match="no peer"):
        Row.alone("growth", "MB", [1, 2], Aim(5))


def test_one_value_is_its_own_spread() -> None:
    assert Spread.of([3]) == Spread(3, 3, 3)


@pytest.mark.parametrize(("values", "value"), [(range(1, 101), 99), (range(1, 501), 495), ([7], 7), (range(99), 98)])
def test_a_hundredth_of_the_values_lies_above_the_p99(values: range, value: int) -> None:
    assert p99(list(reversed(values))) == value


def test_a_missed_aim_is_plain_to_see() -> None:
    assert Row("x", "y", "ms", [3, 3], [2, 2], Aim(1.1)).cells()[-1] == "**no**"
    assert ROW.cells()[-1] == "yes"


def test_rounds_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rounds of ours, 3 of the peer"):
        Row("x", "y", "ms", [1, 2], [1, 2, 3])


@pytest.mark.parametrize(
    ("value", "text"), [(0.034, "0.03"), (1.096, "1.10"), (12.34, "12.3"), (991.4, "991"), (1234.5, "1,234")]
)
def test_a_figure_has_no_more_digits_than_it_deserves(value: float, text: str) -> None:
    assert figure(value) == text


def test_the_table_has_a_line_a_row_and_a_cell_a_heading() -> None:
    report = Report("2026-01-02T03:04:05+00:00", {"cpu": "a model", "cores": "2"}, [ROW, ROW], ["a note"])
    lines = [line for line in report.markdown().splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {len(HEADINGS) + 1}
    assert "| votes, 1/s | 30.0 (20.0 to 40.0) | a loop: 20.0 (20.0 to 20.0) |" in lines[2]
    assert "cpu: a model, cores: 2" in report.markdown()
    assert "- a note" in report.markdown()


def test_the_json_holds_every_round_so_that_anyone_can_reckon_again() -> None:
    document = json.loads(json.dumps(Report("now", {}, [ROW], []).as_json()))
    row = document["rows"][0]
    assert row["ours"]["values"] == [10, 30, 20, 40, 50]
    assert row["ratio"] == {"low": 1.0, "median": 1.5, "high": 2.0}
    assert (row["aim"], row["met"], row["rounds"]) == (">= 1.00", True, 5)


def test_rounds_are_interleaved_and_begin_with_another_variant_each_time() -> None:
    order: list[str] = []

    def noting(name: str):
        return lambda: order.append(name) or len(order)

    measured = interleaved({"ours": noting("ours"), "peer": noting("peer")}, rounds=8, within=60)
    assert order[:4] == ["ours", "peer", "peer", "ours"]
    assert measured["ours"] == [1, 4, 5, 8, 9, 12, 13, 16]
    with pytest.raises(ValueError, match="at least 7"):
        interleaved({"ours": noting("ours")}, rounds=6, within=60)


def test_a_busy_machine_gets_fewer_rounds_but_never_too_few_to_say_anything() -> None:
    clock = itertools.count()
    measured = interleaved({"ours": lambda: 1}, rounds=50, within=0, monotonic=lambda: next(clock))
    assert len(measured["ours"]) == 7
    clock = itertools.count()
    measured = interleaved({"ours": lambda: 1}, rounds=50, within=4, monotonic=lambda: next(clock))
    assert len(measured["ours"]) == 11
