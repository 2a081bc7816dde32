"""How much one web worker grants its clients: seconds, bytes and connections."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from surveyapp.settings import values

KB = 1024
OTHER_FILES = 256
"""Files that a worker needs beside its clients' connections: those to the regions, databases,
logs."""


@dataclass(frozen=True)
class Limits:
    """Every deadline is absolute: a client that sends or reads a byte a second does not extend it."""

    idle_s: float = 75.0
    """A connection on which no request has begun: a browser's spare one, or one kept for the next
    request."""
    head_s: float = 10.0
    """From the first byte of a request to the end of its head."""
    body_s: float = 30.0
    """From the end of the head to the end of the body."""
    reply_s: float = 30.0
    """To take a reply, and a second more for each `slowest` bytes of it."""
    slowest: int = 64 * KB
    linger_s: float = 2.0
    """To read the last reply of a connection before it is closed."""
    connections: int = 2_000
    head: int = 64 * KB
    body: int = 1024 * KB
    small: int = 64 * KB
    """A request of this size, which is any ballot, is read whatever `held` says."""
    held: int = 64 * 1024 * KB
    """All requests that are being read or served, together."""
    chunks: int = 10_000


def from_environment() -> Limits:
    """The limits that an operator may set. Raises `ImproperlyConfigured`."""
    return Limits(
        idle_s=values.whole("WEB_IDLE_S", default=75, low=1, high=3_600),
        head_s=values.whole("WEB_HEAD_S", default=10, low=1, high=300),
        body_s=values.whole("WEB_BODY_S", default=30, low=1, high=300),
        reply_s=values.whole("WEB_REPLY_S", default=30, low=1, high=300),
        connections=values.whole("WEB_CONNECTIONS", default=2_000, low=16, high=50_000),
    )


def allow_files(connections: int) -> int:
    """Raises this process's limit of open files for so many connections, as far as the system
    permits. Returns how many connections fit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    granted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    except (ValueError, OSError):  # macOS has a limit below the one that it names
        granted = soft
    return min(connections, max(granted - OTHER_FILES, granted // 2))
