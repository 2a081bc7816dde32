"""Replication lag, from beats written in one region and seen in another."""

from __future__ import annotations

import pytest

from failover.core.signals.lag import MOST_BEATS, Lag, LagMeter, LagState
from tests.simulation.support import CONFIG


def beating(beats: int = 3, *, delay: float = 0.1) -> LagMeter:
    """A meter whose beats, twice a second from 0 on, arrived after `delay` s."""
    meter = LagMeter(CONFIG)
    for seq in range(beats):
        meter.wrote(seq, seq * 0.5)
        meter.saw(seq, seq * 0.5 + delay)
    return meter


def test_the_lag_is_how_old_the_newest_beat_was_when_it_was_seen() -> None:
    lag = beating().lag(1.2)
    assert (lag.ms, lag.state) == (pytest.approx(100), LagState.OK)
    assert lag.age_s == pytest.approx(0.1)


def test_nothing_written_is_unknown() -> None:
    assert LagMeter(CONFIG).lag(5.0).state is LagState.UNKNOWN


def test_nothing_written_lately_is_unknown() -> None:
    meter = beating()
    assert meter.lag(1.0 + CONFIG.quiet_s).state is LagState.OK
    silent = meter.lag(1.1 + CONFIG.quiet_s)
    assert (silent.ms, silent.state) == (None, LagState.UNKNOWN)
    assert silent.age_s == pytest.approx(CONFIG.quiet_s), "when a beat last arrived is still known"


def test_during_a_pause_the_lag_rises_steadily_and_then_is_called_slow_and_stalled() -> None:
    meter = beating()
    lags = []
    for seq in range(3, 40):
        meter.wrote(seq, seq * 0.5)
        lags.append(meter.lag(seq * 0.5))
    rising = [lag.ms or 0.0 for lag in lags]
    assert rising == sorted(rising)
    assert rising[-1] == pytest.approx(18_000)
    states = [lag.state for lag in lags]
    assert [states.count(word) for word in ("ok", "slow", "stalled")] == [5, 16, 16]


def test_after_a_pause_the_lag_falls_with_what_arrives() -> None:
    meter = beating()
    for seq in range(3, 21):
        meter.wrote(seq, seq * 0.5)
    meter.saw(10, 10.0)
    assert meter.lag(10.0).ms == pytest.approx(5000)
    meter.saw(20, 10.2)
    assert meter.lag(10.2).ms == pytest.approx(200)


def test_seeing_the_same_beat_again_neither_freshens_nor_ages_the_figure() -> None:
    meter = beating()
    meter.saw(2, 3.0)
    assert meter.lag(3.0).ms == pytest.approx(100)
    assert meter.lag(3.0).age_s == pytest.approx(1.9)


def test_until_a_first_beat_has_arrived_the_lag_is_unknown_and_then_at_least_the_wait() -> None:
    meter = LagMeter(CONFIG)
    for seq in range(10):
        meter.wrote(seq, seq * 0.5)
    assert meter.lag(1.9).state is LagState.UNKNOWN
    assert meter.lag(4.5).ms == pytest.approx(4500)


def test_what_was_measured_before_a_silence_says_nothing_about_the_time_after_it() -> None:
    meter = beating()
    meter.wrote(50, 100.0)
    assert meter.lag(100.1) == Lag(None, LagState.UNKNOWN, pytest.approx(99.0)), "99 s ago one was seen to arrive"
    meter.saw(50, 100.2)
    assert meter.lag(100.2).ms == pytest.approx(200)


def test_a_beat_that_is_told_as_seen_before_it_is_told_as_written_still_counts() -> None:
    meter = beating()
    meter.saw(3, 1.6)
    meter.wrote(3, 1.5)
    assert meter.lag(1.9).ms == pytest.approx(100)
    assert meter.lag(1.9).age_s == pytest.approx(0.3)


def test_a_long_pause_costs_bounded_memory_and_keeps_the_oldest_beat() -> None:
    meter = LagMeter(CONFIG)
    for seq in range(20 * MOST_BEATS):
        meter.wrote(seq, seq * 0.5)
    assert len(meter._unseen) <= MOST_BEATS
    now = 20 * MOST_BEATS * 0.5
    assert meter.lag(now).ms == pytest.approx(now * 1000)


def test_a_beat_that_was_seen_before_its_write_returned_has_no_lag_and_never_a_negative_one() -> None:
    meter = beating()
    meter.saw(3, 1.5)
    meter.wrote(3, 1.6)
    assert meter.lag(1.7).ms == 0.0


@pytest.mark.parametrize("again", [2, 3], ids=["an older one", "the same one"])
def test_a_beat_has_arrived_when_it_was_seen_first_whatever_is_seen_after_it(again: int) -> None:
    meter = beating()
    meter.saw(3, 1.6)
    meter.saw(again, 2.6)
    meter.wrote(3, 1.5)
    assert meter.lag(2.7).ms == pytest.approx(100)


def test_limits_are_met_by_what_is_exactly_as_much() -> None:
    meter = LagMeter(CONFIG)
    meter.wrote(0, 0.0)
    assert meter.lag(CONFIG.lag_limit_ms / 1000).state is LagState.UNKNOWN
    meter.saw(0, CONFIG.lag_limit_ms / 1000)
    lag = meter.lag(CONFIG.lag_limit_ms / 1000)
    assert (lag.state, lag.within(CONFIG.lag_limit_ms), lag.within(CONFIG.lag_limit_ms - 1)) == (
        LagState.OK,
        True,
        False,
    )
    meter.wrote(1, CONFIG.quiet_s)
    assert meter.lag(CONFIG.quiet_s).ms == CONFIG.lag_limit_ms, "it was not quiet for longer than that"
