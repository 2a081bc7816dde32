"""How every figure is taken: in rounds, the variants of a round one after another, so that drift hits all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
LEAST_ROUNDS = 7


@dataclass(frozen=True)
class Cost:
    """What one call cost on average: this process's CPU, all of its threads together, and wall time; microseconds."""

    cpu: float
    wall: float


def interleaved(
    variants: Mapping[str, Callable[[], T]],
    *,
    rounds: int,
    within: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, list[T]]:
    """Each variant once a round, the round beginning with another variant each time; a value a round by variant.

    Ends after `rounds` rounds, or after LEAST_ROUNDS once `within` seconds are over: on a busy machine there are fewer
    rounds, not a longer bench.
    """
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"{rounds} rounds say too little: at least {LEAST_ROUNDS}")
    names = list(variants)
    found: dict[str, list[T]] = {name: [] for name in names}
    deadline = monotonic() + within
    for turn in range(rounds):
        if turn >= LEAST_ROUNDS and monotonic() > deadline:
            break
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(variants[name]())
    return found


def cost_of(call: Callable[[], object], *, times: int) -> Cost:
    """The mean cost of `call` over `times` calls in a row.

    CPU is `time.process_time`: user and system time of every thread of this process, so a hand-over to a pool's
    thread is in it; what the engine, another process, uses is not. The collector is emptied first, then runs as it
    always does.
    """
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu / times * 1e6, wall / times * 1e6)
