"""What the current request's calls to the gateway came to, for the reply's headers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from failover.core.errors import Attempt


class Trace:
    """The attempts of one request in order, and the region that served it last."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.region: str | None = None

    def add(self, attempts: Sequence[Attempt], region: str | None) -> None:
        """Notes one call."""
        self.attempts += attempts
        self.region = region or self.region


_trace: ContextVar[Trace | None] = ContextVar("failover_trace", default=None)


@contextmanager
def tracing() -> Iterator[Trace]:
    """Collects what happens within the block."""
    trace = Trace()
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


def note(attempts: Sequence[Attempt], region: str | None) -> None:
    """Adds one call to the current trace, if there is one."""
    trace = _trace.get()
    if trace is not None:
        trace.add(attempts, region)
