"""Counters are added, subtracted and written as JSON field by field."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from failover.core.counters import (
    LATENCY_BOUNDS_MS,
    NOTHING,
    CallCounters,
    RegionCounters,
    counters_from_json,
    counters_to_json,
)

NUMBERS = [counter.name for counter in fields(RegionCounters) if counter.name not in ("failures", "latency")]
LATENCY = (0, 2, *[0] * (len(LATENCY_BOUNDS_MS) - 1))
MANY = RegionCounters(**dict.fromkeys(NUMBERS, 5), failures={"dns": 4, "tls": 1}, latency=LATENCY)
FEW = RegionCounters(**dict.fromkeys(NUMBERS, 2), failures={"dns": 2, "timeout": 3}, latency=LATENCY)


def test_every_counter_is_added_and_subtracted() -> None:
    both = MANY + FEW
    assert {name: getattr(both, name) for name in NUMBERS} == dict.fromkeys(NUMBERS, 7)
    assert both.failures == {"dns": 6, "tls": 1, "timeout": 3}
    assert both.latency == tuple(2 * count for count in LATENCY)
    back = both - FEW
    assert {name: getattr(back, name) for name in NUMBERS} == dict.fromkeys(NUMBERS, 5)
    assert back.failures == {"dns": 4, "tls": 1, "timeout": 0}
    assert back.latency == LATENCY


def test_nothing_adds_nothing_on_either_side() -> None:
    assert MANY + NOTHING == NOTHING + MANY == MANY


def test_calls_add_up() -> None:
    sum_ = CallCounters(answered=2, failed_over=1) + CallCounters(answered=1, refused=3, unanswered=4, denied=2)
    assert sum_ == CallCounters(answered=3, refused=3, unanswered=4, failed_over=1, denied=2)
    assert sum_.calls == 10


def test_every_counter_survives_the_journey() -> None:
    written = json.loads(json.dumps(counters_to_json(RegionCounters, MANY)))
    assert RegionCounters(**counters_from_json(RegionCounters, written)) == MANY


@pytest.mark.parametrize("wrong", [{"latency": [1, 2]}, {"requests": "many"}, {"failures": 3}, {"ok": None}])
def test_what_are_no_counters_cannot_be_read(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        counters_from_json(RegionCounters, {**counters_to_json(RegionCounters, MANY), **wrong})


def test_the_error_rate_is_that_of_the_weighed_requests() -> None:
    assert (NOTHING.error_rate, RegionCounters(requests=4, failed=1).error_rate) == (0.0, 0.25)
    assert RegionCounters(requests=8, failed=3, unweighed=4, unweighed_failed=2).error_rate == 0.25


@pytest.mark.parametrize(("share", "ms"), [(0.5, 2.5), (1.0, 3.0)])
def test_a_percentile_lies_inside_its_bucket(share: float, ms: float) -> None:
    latency = [0] * 22
    latency[2] = 10
    assert RegionCounters(latency=tuple(latency)).percentile(share) == pytest.approx(ms)


def test_a_percentile_of_nothing_is_none_and_one_above_the_last_bound_is_at_least_it() -> None:
    assert RegionCounters().percentile(0.5) is None
    assert RegionCounters(latency=(0,) * 21 + (1,)).percentile(0.5) == 3000
