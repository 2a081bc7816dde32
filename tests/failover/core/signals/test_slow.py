"""A gray failure: the region answers, too late. What is called slow, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.events import EventKind
from failover.core.regions import Region
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary
from tests.failover.core.signals.days import Day, canary, slowed
from tests.simulation.support import CONFIG, EAST, WEST, Post, decision, failing

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def test_a_region_whose_answers_take_far_longer_than_usual_and_than_elsewhere_is_left() -> None:
    day = slowed()
    assert day.active() == WEST
    (opened,) = [event for event in day.events if event.kind is EventKind.CIRCUIT_OPENED]
    assert opened.reason.startswith("slow: p99 ")
    assert "usually 10 ms; us-west-2 would take about 80 ms" in opened.reason
    assert " UTC: us-east-1: slow: p99 " in day.watch.status(day.now, day.wall, [])["summary"]


def test_a_region_that_is_merely_far_away_is_as_slow_as_ever() -> None:
    day = Day(distance_ms=1.0)
    day.canaries[EAST] = failing()
    day.step(3)
    day.lives(300, 95, region=WEST)
    day.canaries[EAST] = canary(1)
    day.lives(300, 95, region=WEST)
    assert day.state(WEST) is CLOSED


def test_a_far_region_that_takes_over_is_not_called_slow_beside_the_quick_one_that_came_back() -> None:
    day = Day(distance_ms=250)
    day.watch.on_decisions([decision(WEST)])
    day.lives(60, 280, region=WEST)
    day.watch.on_decisions([decision(None, epoch=2, id="d2")])
    day.lives(120, 280, region=WEST)
    assert day.state(WEST) is CLOSED
    assert not day.row("slow-p99", WEST)["met"]


def test_traffic_never_flips_to_a_region_that_is_not_clearly_better() -> None:
    day = Day(distance_ms=400.0)
    day.lives(240, 8)
    day.lives(120, 900)
    assert day.state(EAST) is CLOSED
    assert day.row("slow-p99")["met"]
    row = day.row("slow-elsewhere")
    assert not row["met"]
    assert row["text"].endswith("us-west-2 would take about 410 ms, which is clearly better from 1230 ms on.")


@pytest.mark.parametrize("trouble", ["open", "silent", "behind"])
def test_traffic_never_flips_for_slowness_to_a_region_that_is_itself_in_trouble(trouble: str) -> None:
    day = Day()
    day.lives(120, 8)
    if trouble == "open":
        day.canaries[WEST] = failing()
    if trouble == "silent":
        day.canaries[WEST] = Canary()
    if trouble == "behind":
        day.paused.add((EAST, WEST))
    day.step(6)
    day.lives(120, 900)
    assert (day.state(EAST), day.active()) == (CLOSED, EAST)
    assert "no other region is closed, well and up to date" in day.row("slow-elsewhere")["text"]


def test_too_little_traffic_is_not_judged() -> None:
    day = Day()
    day.lives(120, 8)
    day.step(80)
    for _ in range(39):
        day.answer(EAST, 900, 1)
        day.step(seconds=0.7)
    assert day.state(EAST) is CLOSED
    assert not day.row("slow-volume")["met"]


def test_a_short_stall_is_not_a_slow_region() -> None:
    day = Day()
    day.lives(120, 8)
    day.lives(9, 1000)
    day.lives(60, 8)
    assert day.state(EAST) is CLOSED


def test_a_difference_that_nobody_would_notice_is_not_slow() -> None:
    day = Day(distance_ms=5)
    day.lives(240, 8)
    day.lives(60, 140)
    assert day.row("slow-elsewhere")["met"]
    assert day.row("slow-for-most")["met"]
    assert not day.row("slow-p99")["met"]
    assert day.state(EAST) is CLOSED


def test_a_slow_tail_flips_nothing() -> None:
    day = Day()
    day.lives(120, 8)
    day.lives(120, 8, tail=1500)
    assert day.row("slow-p99")["met"]
    assert day.row("slow-elsewhere")["met"]
    assert not day.row("slow-for-most")["met"]
    assert day.state(EAST) is CLOSED


def test_while_what_is_usual_is_not_known_nothing_is_slow() -> None:
    day = Day()
    day.lives(29, 900)
    assert not day.row("slow-p99")["met"]
    assert "not known yet" in day.row("slow-p99")["text"]
    day.lives(120, 900)
    assert day.state(EAST) is CLOSED


def test_a_pinned_region_is_never_left_for_slowness_alone() -> None:
    day = Day()
    day.watch.on_decisions([decision(EAST)])
    day.lives(120, 8)
    day.lives(120, 900)
    assert day.state(EAST) is CLOSED
    assert "it is pinned" in day.row("slow-for-most")["text"]


def test_a_slow_region_is_degraded_and_raises_an_alarm() -> None:
    day = slowed()
    status = day.watch.status(day.now, day.wall, [])
    assert status["regions"][0]["state"] == "degraded"
    assert ("slow", EAST, "alarm") in {(one["name"], one["region"], one["state"]) for one in status["alarms"]}


def test_many_slow_answers_within_a_few_seconds_are_no_steady_traffic() -> None:
    day = Day()
    day.lives(120, 8)
    day.step(80)
    for _ in range(12):
        day.answer(EAST, 900, 5)
        day.step()
    assert day.row("slow-volume")["met"]
    assert (day.row("slow-for-most")["value"], day.state(EAST)) == (None, CLOSED)


def test_a_region_whose_canary_just_failed_is_no_alternative_until_enough_have_passed_again() -> None:
    day = Day()
    day.lives(120, 8)
    day.canaries[WEST] = failing()
    day.step()
    day.canaries[WEST] = canary(70)
    day.step(CONFIG.canaries_to_close - 1)
    assert "no other region is closed, well and up to date" in day.row("slow-elsewhere")["text"]
    day.step()
    assert "us-west-2 would take" in day.row("slow-elsewhere")["text"]


def test_another_region_counts_as_slow_as_the_slowest_of_its_latest_five_canaries() -> None:
    day = Day()
    day.lives(120, 8)
    day.canaries[WEST] = canary(300)
    day.step()
    day.canaries[WEST] = canary(70)
    thresholds = []
    for _ in range(6):
        day.step()
        thresholds.append(day.row("slow-elsewhere")["threshold"])
    assert thresholds[:4] == [thresholds[0]] * 4
    assert thresholds[4:] == [thresholds[4]] * 2
    assert thresholds[0] - thresholds[4] == 230 * CONFIG.slow_factor


def test_a_region_that_is_still_being_tried_is_nobody_to_flip_to_however_well_its_canaries_pass() -> None:
    day = Day()
    day.lives(120, 8)
    failed = replace(day.met[WEST], requests=3, failed=3, openings=1, last_reason="timeout")
    day.met[WEST] = failed
    day.reports(w1=dict(day.met))
    day.until(WEST, HALF_OPEN)
    day.lives(30, 8)
    assert day.state(WEST) is HALF_OPEN
    assert "no other region is closed, well and up to date" in day.row("slow-elsewhere")["text"]


def test_a_region_that_follows_the_rules_again_is_left_when_it_is_slow() -> None:
    day = Day()
    day.watch.on_decisions([decision(EAST)])
    day.lives(120, 8)
    day.watch.on_decisions([decision(None, epoch=2, id="d2")])
    day.lives(60, 900)
    assert day.state(EAST) is OPEN


def test_of_two_other_regions_the_quicker_one_is_what_a_region_is_held_against() -> None:
    day = Post(regions=(Region(EAST, 0), Region("eu-west-1", 1), Region(WEST, 2)))
    day.canaries |= {"eu-west-1": canary(140), WEST: canary(70)}
    day.step(CONFIG.canaries_to_close)
    rows = day.watch.status(day.now, day.wall, [])["explain"]
    (text,) = [row["text"] for row in rows if (row["rule"], row["region"]) == ("slow-elsewhere", EAST)]
    assert "us-west-2 answers its canaries in 70 ms" in text


def test_a_region_below_the_floor_is_not_left_though_it_is_slower_than_ever_and_another_is_quicker() -> None:
    day = Day(distance_ms=10.0)
    day.lives(120, 8)
    day.lives(60, 140)
    assert (day.row("slow-elsewhere")["met"], day.row("slow-for-most")["met"]) == (True, True)
    assert day.state(EAST) is CLOSED


def test_a_region_most_of_whose_answers_are_quicker_than_elsewhere_is_not_left_for_the_others() -> None:
    day = Day(distance_ms=400.0)
    day.lives(120, 8)
    day.lives(60, 300, tail=2500)
    assert (day.row("slow-p99")["met"], day.row("slow-elsewhere")["met"]) == (True, True)
    assert day.state(EAST) is CLOSED


@pytest.mark.parametrize(("answers", "known"), [(CONFIG.slow_volume - 1, False), (CONFIG.slow_volume, True)])
def test_what_is_usual_is_learnt_of_enough_answers_only(answers: int, known: bool) -> None:
    day = Day()
    day.answer(EAST, 8, answers - 1)
    day.step(2 * round(CONFIG.slow_window_s))
    day.answer(EAST, 8, 1)
    assert (day.row("slow-p99")["threshold"] is not None) is known
