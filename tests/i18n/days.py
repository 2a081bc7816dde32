"""Status documents as the engine itself writes them, for many situations of the regions."""

import socket
from collections.abc import Callable

from failover.adapters.dns_cache import Served
from failover.adapters.errors import DNS_DETAIL
from failover.adapters.probes import NOT_REACHED, _resolved
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.phrases import phrase
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from failover.core.status.types import StatusDocument, iso
from tests.failover.core.signals.days import Day
from tests.simulation.support import EAST, GOOD, WEST, Post, decision, met, passing

NO_ADDRESS = next(iter(DNS_DETAIL.values()))
TIMEOUT = Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, phrase("no reply in time"), TimeoutError())


def failing(detail: str = NO_ADDRESS) -> Canary:
    """A canary that found no address, as the probe describes it."""
    return Canary(Layer(False, 2.0, detail, ErrorClass.NOT_SENT), NOT_REACHED, NOT_REACHED, NOT_REACHED)


def calm() -> Post:
    """Every region is healthy."""
    post = Post()
    post.step(5)
    return post


def dns_empty() -> Post:
    """us-east-1 has no address, and us-west-2 serves."""
    post = calm()
    post.canaries[EAST] = failing()
    post.step(4)
    return post


def stale_dns() -> Post:
    """The name is gone, and its last good address serves."""
    post = calm()
    failure = socket.gaierror(next(iter(DNS_DETAIL)), "empty")
    served = Served(("127.0.0.1",), since=post.wall, until=post.wall + 600, failure=failure)
    post.canaries[EAST] = Canary(_resolved(served, 1.0), GOOD, GOOD, GOOD)
    post.step(4)
    return post


def write_fails() -> Post:
    """Connections work and writes do not; the lag into the region is not known."""
    post = calm()
    broken = Layer(False, 2.0, phrase("no reply in time"), ErrorClass.UNKNOWN)
    post.canaries[EAST] = Canary(GOOD, GOOD, broken, NOT_REACHED)
    post.step(4)
    return post


def live_traffic() -> Post:
    """A worker met failures while canaries passed."""
    post = calm()
    post.reports()
    reason = phrase("{failures} failures in a row: {reason}", failures=3, reason=TIMEOUT.in_words)
    post.reports(w1={EAST: met(3, 3, openings=1, circuit=CircuitState.OPEN, last_reason=reason)})
    post.step(2)
    return post


def error_rate() -> Post:
    """Too large a share of the requests failed."""
    post = calm()
    post.reports()
    post.reports(w1={EAST: met(100, 12)})
    post.step(1)
    return post


def waiting() -> Post:
    """The region answers again, but may not serve yet: replication lags."""
    post = dns_empty()
    post.canaries[EAST] = passing()
    post.paused = {(WEST, EAST)}
    post.step(20)
    return post


def half_open() -> Post:
    """The region is tried again."""
    post = dns_empty()
    post.canaries[EAST] = passing()
    post.until(EAST, CircuitState.HALF_OPEN)
    return post


def back() -> Post:
    """An outage is over."""
    post = half_open()
    post.until(EAST, CircuitState.CLOSED)
    post.step(2)
    return post


def pinned() -> Post:
    """A person has pinned us-west-2; another decision of the same epoch was superseded."""
    post = calm()
    post.watch.on_decisions([decision(WEST, epoch=2, id="b", forced=True), decision(None, epoch=2, id="a")])
    post.step(2)
    return post


def pinned_and_down() -> Post:
    """The pinned region fails, and the other one is behind."""
    post = pinned()
    post.canaries[WEST] = failing()
    post.step(4)
    return post


def all_down() -> Post:
    """Every region fails."""
    post = calm()
    post.canaries = {EAST: failing(), WEST: failing(DNS_DETAIL[max(DNS_DETAIL)])}
    post.step(5)
    return post


def lagging() -> Post:
    """Replication stands still."""
    post = calm()
    post.paused = {(EAST, WEST), (WEST, EAST)}
    post.step(30)
    return post


def slow() -> Post:
    """A gray failure: the region became slow, and another one serves."""
    day = Day()
    for _ in range(6):
        day.lives(35, 20)
    day.lives(60, 900)
    return day


def flapping() -> Post:
    """The circuit opens again and again."""
    post = calm()
    for _ in range(7):
        post.canaries[EAST] = failing()
        post.until(EAST, CircuitState.OPEN)
        post.canaries[EAST] = passing()
        post.until(EAST, CircuitState.CLOSED)
    post.canaries[EAST] = failing()
    post.until(EAST, CircuitState.OPEN)
    return post


DAYS: tuple[Callable[[], Post], ...] = (
    calm,
    dns_empty,
    stale_dns,
    write_fails,
    live_traffic,
    error_rate,
    waiting,
    half_open,
    back,
    pinned,
    pinned_and_down,
    all_down,
    lagging,
    slow,
    flapping,
)


def document(post: Post) -> StatusDocument:
    """The document that the monitor would publish."""
    return post.watch.status(post.now, post.wall, post.events)


def at(post: Post, wall: float) -> StatusDocument:
    """The document as if it were written at `wall` (seconds since the epoch)."""
    return {**document(post), "generated_at": iso(wall)}
