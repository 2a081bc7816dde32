"""Half an hour of virtual time with random faults every few seconds, many times over: no rule is ever broken.

`SEEDS=1000 python -m pytest tests/properties/test_days.py` tries a thousand half hours; a few dozen otherwise.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

import pytest

from tests.core.rules import Inspector
from tests.core.world import TICK_S, Fault, World

SEEDS = int(os.environ.get("SEEDS", "60"))
GROUPS = 20
MINUTES = 30


def half_hour(seed: int) -> Counter[str]:
    """One world, and what happened in it."""
    random = Random(seed)
    world = World(random, regions=2 + (seed % 3 == 0), hosts=1 + seed % 2)
    inspector = Inspector(world)
    often = random.choice((0.1, 0.3, 0.6))
    names = list(world.places)
    quiet = 0.0
    while world.now < MINUTES * 60:
        if world.now >= quiet and random.random() < often:
            world.hurt(random.choice(names), random.choice(list(Fault)), random.choice((3, 10, 40, 90)))
        if random.random() < 0.01:
            quiet = world.now + 180  # calm enough to come back, and to learn what is usual
        if random.random() < 0.02:
            world.pause(*random.sample(names, 2))
        if random.random() < 0.05:
            world.resume()
        if random.random() < 0.01:
            world.decide(random.choice(world.hosts), random.choice([None, None, *names]))
        if random.random() < 0.01:
            random.choice(world.hosts).restart_worker(0)
        if random.random() < 0.003:
            host = random.choice(world.hosts)
            host.restart_monitor()
            inspector.monitor_restarted(host)
        inspector.step()
    inspector.calm(600)
    inspector.recovered()
    return inspector.seen


@pytest.mark.parametrize("group", range(GROUPS))
def test_in_half_an_hour_of_random_faults_no_rule_is_broken(group: int) -> None:
    for seed in range(group, SEEDS, GROUPS):
        try:
            half_hour(seed)
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken


def test_such_a_half_hour_is_eventful() -> None:
    """Rules that are never put to the test would hold for nothing."""
    seen = sum((half_hour(seed) for seed in range(6)), Counter[str]())
    expected = {"circuit-opened", "circuit-half-open", "circuit-closed", "failover", "failback", "switched"}
    expected |= {"routing-pinned", "routing-auto", "lag-alarm", "answered", "refused", "unanswered", "unknown"}
    expected |= {"slow", "outrun", "flapping"}
    assert not expected - set(seen)
    assert seen["answered"] > 0.8 * sum(seen[name] for name in ("answered", "refused", "unanswered", "unknown"))
    assert TICK_S * 360 == MINUTES * 60
