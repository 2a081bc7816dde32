"""What is known about one region at one moment: which lag counts, whether it is quick again, what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core.errors import ErrorClass
from failover.core.regions import Region
from failover.core.signals.health import Canary, Layer
from failover.core.watching.facts import RegionFacts
from tests.failover.core.signals.days import canary
from tests.simulation.support import EAST, GOOD, REGIONS, WEST, Post, denied, failing, passing

BROKEN = Layer(False, 2.0, "timeout", ErrorClass.UNKNOWN)


def known(canary: Canary | None = None, *, quick_ms: float | None = None) -> RegionFacts:
    """The first region after one canary, or before any. `quick_ms`: it was left for being slower than that."""
    post = Post()
    if canary is not None:
        post.watch.on_canary(EAST, canary, post.now)
    return replace(post.watch.facts(post.now)[EAST], quick_ms=quick_ms)


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (known(failing()), "dns"),
        (known(Canary(GOOD, BROKEN)), "connect"),
        (known(Canary(GOOD, GOOD, BROKEN, GOOD)), "write"),
        (known(Canary(GOOD, GOOD, BROKEN, BROKEN)), "write"),
        (known(Canary(GOOD, GOOD, GOOD, BROKEN)), "read"),
        (known(passing()), "traffic"),
        (known(denied()), "traffic"),
        (known(), "traffic"),
        (known(passing(), quick_ms=200.0), "slow"),
        (known(denied(), quick_ms=200.0), "slow"),
        (known(failing(), quick_ms=200.0), "dns"),
    ],
    ids=[
        "no address",
        "no connection",
        "no write",
        "the first layer that fails",
        "no read",
        "canaries pass",
        "the canary says nothing",
        "no canary yet",
        "it was left for being slow",
        "slow, and the canary says nothing",
        "slow, and now it fails",
    ],
)
def test_what_is_wrong_with_a_region_is_counted_under_one_word(facts: RegionFacts, cause: str) -> None:
    assert facts.cause == cause


@pytest.mark.parametrize(
    ("facts", "quick"),
    [
        (known(canary(900)), True),
        (known(canary(200), quick_ms=200.0), True),
        (known(canary(201), quick_ms=200.0), False),
        (known(Canary(GOOD, GOOD, Layer(True, 9), Layer(True, 900)), quick_ms=200.0), False),
        (known(failing(), quick_ms=200.0), False),
        (known(quick_ms=200.0), False),
    ],
    ids=[
        "it was never too slow",
        "exactly as long as it may take",
        "longer",
        "one of its two calls longer",
        "the canary got no answer",
        "no canary yet",
    ],
)
def test_a_region_that_was_too_slow_is_quick_again_when_its_latest_canary_says_so(
    facts: RegionFacts, quick: bool
) -> None:
    assert facts.quick is quick


@pytest.mark.parametrize(
    "behind_s", [0.0, 30.0], ids=["the others are up to date", "another one is far behind, but it is known how far"]
)
def test_a_lag_that_is_not_known_counts_as_worse_than_any_that_is(behind_s: float) -> None:
    third = "eu-west-1"
    post = Post(regions=(*REGIONS, Region(third, 2)))
    for name in (third, WEST):
        post.watch.on_beat_written(name, 1, post.now)
    post.watch.on_beat_seen(third, EAST, 1, post.now + behind_s)
    facts = post.watch.facts(post.now)[EAST]
    assert {name: lag.ms for name, lag in facts.lags.items()} == {third: behind_s * 1000, WEST: None}
    assert facts.lag == facts.lags[WEST]
    assert not facts.lag_fine, "nobody knows whether results would run backwards"
