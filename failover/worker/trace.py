"""Records the current request's gateway calls, for the reply's headers and for the log of failures."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING

from failover.core.errors import Attempt

if TYPE_CHECKING:
    from django.http import HttpRequest

log = logging.getLogger(__name__)


class Trace:
    """The attempts of one request in order, and the region that served it last."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        self.attempts: list[Attempt] = []
        self.region: str | None = None
        self._request = request

    def add(self, attempts: Sequence[Attempt], region: str | None) -> None:
        """Notes one call."""
        self.attempts += attempts
        self.region = region or self.region

    @cached_property
    def id(self) -> str:
        """A name for this request, made when it is first needed."""
        return uuid.uuid4().hex

    @property
    def failed(self) -> bool:
        """Whether an attempt failed, so that the log mentions this request."""
        return any(attempt.error_class is not None for attempt in self.attempts)

    @property
    def about(self) -> dict[str, str]:
        """What the log may say about the request: its name, the address's pattern, and the survey's
        code, if it has one. Never its path, which can hold a voting link.
        """
        match = self._request.resolver_match if self._request is not None else None
        if match is None:
            return {"trace": self.id}
        return {"trace": self.id, "route": match.route, "code": str(match.kwargs.get("code", ""))[:40]}


_trace: ContextVar[Trace | None] = ContextVar("failover_trace", default=None)


@contextmanager
def tracing(request: HttpRequest | None = None) -> Iterator[Trace]:
    """Collects the calls made within the block."""
    trace = Trace(request)
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


def note(attempts: Sequence[Attempt], region: str | None) -> None:
    """Adds one call to the current trace, if there is one. Logs each attempt that failed."""
    trace = _trace.get()
    if trace is not None:
        trace.add(attempts, region)
    for attempt in attempts:
        if attempt.error_class is not None:
            _log_failure(attempt, {} if trace is None else trace.about)


def _log_failure(attempt: Attempt, about: dict[str, str]) -> None:
    log.warning(
        "%(event)s in %(region)s: %(outcome)s after %(ms)s ms (%(detail)s)",
        {
            "event": "attempt-failed",
            "region": attempt.region,
            "outcome": attempt.outcome.value,
            "class": attempt.error_class,
            "ms": round(attempt.ms, 1),
            "detail": attempt.detail,
            **about,
        },
    )
