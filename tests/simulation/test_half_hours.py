"""Half an hour of virtual time with random faults every few seconds, many times: no rule is ever broken.

What `tests.simulation.rules` and `tests.simulation.calls` look at in every step of each of them:

- No call fails while a region works: it is answered within its deadline, unless all regions are out of order, or the
  caller's own permission is, or a write that may not be repeated was sent and nobody knows what came of it.
- The deadline is kept by every call, whatever it meets. No region is asked twice but for throttling, and for one
  that was cut short and may have been about to answer.
- Many calls of a worker at once lose none, put no blame on a region that answers in time, and leave no more than a few
  waiting for one that hangs. They give their places back, and each is counted once.
- No flip without a cause: a circuit opens only where something was wrong, lately and not before it last closed; no
  single failed canary, no refusal and no denial opens one, and slowness none that a person chose.
- Failback by the rules only: after the hold, with canaries passed, and with replication up to date.
- The hold doubles up to its cap, starts afresh after a calm, and is longer for a region that flaps.
- Half-open lets single trials through: two workers' calls may be there at once, two of one worker never.
- A monitor that is killed goes on with the circuits, the holds and the openings that it had.
- A pin holds until a later decision ends it, through every failure and every restart; all hosts follow the same one.
- Traffic goes to the first region that is closed, by pin and priority, and no worker sends any where its host's circuit
  or its own is open, while there is another.
- View, status, events and what is explained agree with each other.
- Whatever happened, ten minutes of calm bring everything back: then nothing happens any more, and no alarm is left.

Spread over the processors that there are. A failure names its seed: `half_hour(SEED)` is that story again. Each run has
the same 120 stories; `HALF_HOURS=1000` asks for so many, as after a change of the engine. Fewer than 120 need not
meet everything that can happen.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random

import pytest

from tests.simulation.places import Fault
from tests.simulation.rules import Inspector
from tests.simulation.world import TICK_S, World

USUAL = 120
SEEDS = int(os.environ.get("HALF_HOURS", USUAL))
GROUPS = max(1, SEEDS // 40)
CHUNK = 5
MINUTES = 30
CROWDS = (4, 8, 12)
FAULTS = list(Fault)


def half_hour(seed: int) -> Counter[str]:
    """One world, and what happened in it."""
    random = Random(seed)
    hosts = 2 if seed % 4 == 0 else 1
    world = World(random, regions=3 if seed % 4 == 1 else 2, hosts=hosts, workers=2 // hosts)
    inspector = Inspector(world)
    often = random.choice((0.1, 0.3, 0.6))
    gray = random.random() < 0.3  # then slowness is left alone: only a minute of it is more than a stall
    names = list(world.places)
    quiet = 0.0
    while world.now < MINUTES * 60:
        crowded = 0.005
        if world.now >= quiet and random.random() < often:
            crowded = 0.05  # rather when a fault has just begun and nobody knows of it
            fault, together = random.choice(FAULTS), 1 if random.random() < 0.8 else 2
            for name in random.sample(names, together):
                if not (gray and world.places[name].fault is Fault.SLOW):
                    world.hurt(name, fault, random.choice((60, 90, 150) if fault is Fault.SLOW else (8, 20, 40, 90)))
        if random.random() < 0.01:
            quiet = world.now + 180  # calm enough to come back, and to learn what is usual
        if random.random() < 0.02:
            world.pause(*random.sample(names, 2))
        if random.random() < 0.05:
            world.resume()
        if random.random() < 0.01:
            for host in random.sample(world.hosts, random.randint(1, len(world.hosts))):
                world.decide(host, random.choice([None, None, *names]))
        if random.random() < 0.01:
            random.choice(world.hosts).restart_worker(0)
        if random.random() < 0.003:
            host = random.choice(world.hosts)
            host.restart_monitor()
            inspector.monitor_restarted(host)
        inspector.step(crowd=random.choice(CROWDS) if random.random() < crowded else 0)
    inspector.recover()
    return inspector.seen


def half_hours(seeds: Sequence[int]) -> Counter[str]:
    """Several, one after the other."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            seen += half_hour(seed)
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken
    return seen


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """One process a processor, begun afresh: a copy of this one would inherit its threads' locks."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("group", range(GROUPS))
def test_in_half_an_hour_of_random_faults_no_rule_is_broken(group: int, processes: ProcessPoolExecutor) -> None:
    seeds = range(group, SEEDS, GROUPS)
    seen = sum(
        processes.map(half_hours, [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]), Counter[str]()
    )
    assert seeds
    # Rules that are never put to the test would hold for nothing.
    expected = {"circuit-opened", "circuit-half-open", "circuit-closed", "failover", "failback", "switched"}
    expected |= {"routing-pinned", "routing-auto", "lag-alarm", "configuration-alarm", "configuration-cleared"}
    expected |= {"answered", "refused", "unanswered", "unknown"}
    expected |= {"slow", "stalled", "flapping", "doubled", "beside-a-trial", "restarted", "restarted-away"}
    expected |= {"shortened", "passed-by", "asked-again", "kept", "crowd-throttled"}
    assert not expected - set(seen) or SEEDS < USUAL
    assert seen["answered"] > 0.8 * sum(seen[name] for name in ("answered", "refused", "unanswered", "unknown"))
    assert TICK_S * 360 == MINUTES * 60
