"""What the monitor's tests share: hosts whose circuit has been opened."""

from __future__ import annotations

from failover.core.events import EventKind
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import (
    EAST,
    Post,
    failing,
    met,
)

OPEN = CircuitState.OPEN


def kinds(post: Post) -> list[EventKind]:
    return [event.kind for event in post.events]


def opened_by_canaries() -> Post:
    post = Post()
    post.step(5)
    post.canaries[EAST] = failing()
    post.step(3)
    assert post.state(EAST) is OPEN
    return post


def opened_by_traffic() -> Post:
    post = Post()
    post.reports()
    post.step(5)
    post.reports(w1={EAST: met(3, 3, openings=1, circuit=OPEN, last_reason="3 failures in a row: timeout")})
    post.step()
    assert post.state(EAST) is OPEN
    return post
