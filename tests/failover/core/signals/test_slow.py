"""A gray failure: the region answers, too late. What is called slow, what is not, and how it comes back."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import Any

import pytest

from failover.core.config import RouterConfig
from failover.core.counters import LATENCY_BOUNDS_MS
from failover.core.events import EventKind
from failover.core.exchange.reports import RegionReport
from failover.core.regions import Region
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from tests.simulation.support import CONFIG, EAST, GOOD, WEST, Post, decision, failing

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
NONE = (0,) * (len(LATENCY_BOUNDS_MS) + 1)


def canary(ms: float) -> Canary:
    """A canary that passed, each of whose calls took so long."""
    call = Layer(True, ms)
    return Canary(GOOD, GOOD, call, call)


class Day(Post):
    """A host with one busy worker: four answers a second in each region that takes traffic."""

    def __init__(self, *, distance_ms: float = 70.0, config: RouterConfig | None = None) -> None:
        super().__init__(config or CONFIG)
        self.canaries[WEST] = canary(distance_ms)
        self.met = {EAST: RegionReport(), WEST: RegionReport()}
        self.reports(w1=dict(self.met))

    def answer(self, region: str, ms: float, count: int = 2, *, trial: bool = False) -> None:
        was = self.met[region]
        buckets = list(was.latency)
        buckets[bisect_left(LATENCY_BOUNDS_MS, ms)] += count
        self.met[region] = replace(
            was,
            requests=was.requests + count,
            ok=was.ok + count,
            latency=tuple(buckets),
            trials_passed=was.trials_passed + (count if trial else 0),
        )
        self.reports(w1=dict(self.met))

    def lives(self, seconds: float, ms: float, *, region: str = EAST, tail: float = 0) -> None:
        """So many seconds of traffic that takes `ms`; of every tenth second's answers one takes `tail`."""
        for number in range(round(seconds * 2)):
            self.answer(region, ms)
            if tail and number % 20 == 0:
                self.answer(region, tail, 1)
            self.step()

    def row(self, rule: str, region: str = EAST) -> Any:
        """What `explain` says about a rule."""
        rows = self.watch.status(self.now, self.wall, [])["explain"]
        return next(one for one in rows if (one["rule"], one["region"]) == (rule, region))


def slowed() -> Day:
    """A day on which the first region became slow, and was left for it."""
    day = Day()
    day.lives(120, 8)
    for _ in range(120):
        if day.state(EAST) is OPEN:
            return day
        day.lives(0.5, 900)
    raise AssertionError("a minute of slow answers, and it is not left")


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


def test_what_a_region_does_while_it_is_left_does_not_become_usual() -> None:
    day = slowed()
    day.canaries[EAST] = canary(900)
    day.lives(600, 900)
    assert day.state(EAST) is OPEN
    assert day.watch.facts(day.now)[EAST].slowness.pace.usual_p99_ms == pytest.approx(10, abs=1)


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


def test_a_region_that_was_too_slow_stays_open_while_its_canaries_are_slow() -> None:
    day = slowed()
    day.canaries[EAST] = canary(900)
    day.step(600)
    assert day.state(EAST) is OPEN
    assert not day.row("disputed")["met"], "no traffic says so any more"
    assert day.watch.status(day.now, day.wall, [])["regions"][0]["state"] == "degraded"
    assert not day.row("failback-pace")["met"]
    assert "waits for quick answers" in day.watch.status(day.now, day.wall, [])["summary"]


def test_a_slow_trial_sends_a_region_that_was_too_slow_back_and_quick_ones_close_it() -> None:
    day = slowed()
    day.until(EAST, HALF_OPEN)
    day.answer(EAST, 900, 3, trial=True)
    (opened,) = day.step()
    assert (opened.kind, opened.reason) == (
        EventKind.CIRCUIT_OPENED,
        "3 live trials took longer than 200 ms; held for at least 10 s",
    )
    day.until(EAST, HALF_OPEN)
    day.step(10)
    assert day.state(EAST) is HALF_OPEN, "its canaries were quick all the time: they alone close nothing"
    day.answer(EAST, 9, 3, trial=True)
    day.step()
    assert day.state(EAST) is CLOSED
    assert day.row("failback-pace")["text"].endswith("it was not left for being slow.")


def test_slow_canaries_do_not_close_a_region_that_was_too_slow_however_long_there_is_no_traffic() -> None:
    day = slowed()
    day.until(EAST, HALF_OPEN)
    day.canaries[EAST] = canary(900)
    day.step(2 * 130)
    assert day.state(EAST) is HALF_OPEN
    day.canaries[EAST] = canary(1)
    day.step()
    assert day.state(EAST) is CLOSED


def test_one_slow_trial_among_quick_ones_neither_opens_nor_closes() -> None:
    day = slowed()
    day.until(EAST, HALF_OPEN)
    day.answer(EAST, 9, 2, trial=True)
    day.answer(EAST, 900, 1, trial=True)
    day.step(10)
    assert day.state(EAST) is HALF_OPEN
    day.answer(EAST, 9, 1, trial=True)
    day.step()
    assert day.state(EAST) is CLOSED


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


def test_stragglers_that_answer_late_while_a_slow_region_is_left_do_not_keep_it_away() -> None:
    day = slowed()
    began = day.now
    day.canaries[EAST] = canary(900)
    day.step(200)
    day.answer(EAST, 900)
    day.canaries[EAST] = canary(8)
    day.until(EAST, CLOSED)
    assert day.now - began < CONFIG.error_window_s + 5


def test_one_slow_trial_is_enough_that_canaries_alone_do_not_close_the_circuit() -> None:
    day = slowed()
    day.canaries[EAST] = canary(900)
    day.step(2 * round(CONFIG.error_window_s) + 1)
    day.canaries[EAST] = canary(8)
    day.until(EAST, HALF_OPEN)
    day.answer(EAST, 900, 1, trial=True)
    day.step(20)
    assert day.state(EAST) is HALF_OPEN


@pytest.mark.parametrize(("ms", "state"), [(200, CLOSED), (250, OPEN)], ids=["just quick enough", "just too slow"])
def test_trials_in_a_region_that_was_slow_are_held_against_the_limit_that_it_broke(
    ms: float, state: CircuitState
) -> None:
    day = slowed()
    day.canaries[EAST] = canary(8)
    day.until(EAST, HALF_OPEN)
    for _ in range(CONFIG.trials_to_close):
        day.answer(EAST, ms, 1, trial=True)
    day.step()
    assert day.state(EAST) is state
    if state is OPEN:
        assert "3 live trials took longer than 200 ms" in day.events[-1].reason


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
