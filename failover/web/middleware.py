"""Adds headers to every reply that touched data: the region that served it, and every attempt."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from failover.core.errors import Attempt
from failover.worker.trace import tracing


class ServedByMiddleware:
    """Adds `X-Served-Region` and `Server-Timing` (one entry per attempt, durations in ms), and,
    when an attempt failed, `X-Trace-Id`, the name under which the log has it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on and reads the trace that it left."""
        with tracing(request) as trace:
            response = self._get_response(request)
        if trace.region:
            response["X-Served-Region"] = trace.region
        if trace.attempts:
            response["Server-Timing"] = ", ".join(map(_entry, trace.attempts[-20:]))
        if trace.failed:
            response["X-Trace-Id"] = trace.id
        return response


def _entry(attempt: Attempt) -> str:
    return f'{attempt.region};desc="{attempt.outcome.value}";dur={attempt.ms:.1f}'
