"""How figures are measured: in rounds of all variants, one after another, so that the machine's drift hits all."""

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
    """The mean cost of a call in microseconds: CPU time of all threads of this process, and wall time."""

    cpu: float
    wall: float


def interleaved(
    variants: Mapping[str, Callable[[], T]],
    *,
    rounds: int,
    within: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, list[T]]:
    """Runs each variant once per round and returns its value of each round. Each round begins with another variant.

    Ends after `rounds` rounds, or after LEAST_ROUNDS once `within` seconds are over: on a busy machine there are fewer
    rounds, not a longer bench.
    """
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"{rounds} rounds are too few: at least {LEAST_ROUNDS}")
    names = list(variants)
    measured: dict[str, list[T]] = {name: [] for name in names}
    deadline = monotonic() + within
    for turn in range(rounds):
        if turn >= LEAST_ROUNDS and monotonic() > deadline:
            break
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            measured[name].append(variants[name]())
    return measured


def cost_of(call: Callable[[], object], *, times: int) -> Cost:
    """The mean cost of `call` over `times` calls in a row.

    CPU is `time.process_time`: user and system time of every thread of this process, so a hand-over to a pool's
    thread is in it; the CPU of the engine, another process, is not. Garbage is collected first.
    """
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu / times * 1e6, wall / times * 1e6)
