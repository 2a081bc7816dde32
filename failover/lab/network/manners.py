"""The ways in which a front can treat a new connection, and those of them that need no engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from failover.lab.network.sockets import reset
from failover.lab.network.wire import Refusal, Requests


class Manner(StrEnum):
    """How a front treats a new connection.

    A connection that is open keeps the manner in which it was opened.
    """

    SERVE = "serve"
    REFUSE = "refuse"
    """The port is closed."""
    BLACKHOLE = "blackhole"
    """Attempts to connect are dropped."""
    HANG = "hang"
    """Accepted, and never answered; nothing reaches the engine."""
    DRIP = "drip"
    """The engine's reply comes a byte at a time."""
    RESET = "reset"
    """Reset at the first byte of a request; nothing reaches the engine."""
    LOST_REPLY = "lost-reply"
    """The engine carries the request out, and the connection is reset instead of its reply."""
    HTTP_503 = "http-503"
    THROTTLE = "throttle"
    DENY = "deny"
    TLS_HANG = "tls-hang"
    """Accepted, and the TLS handshake is never answered."""
    TLS_RESET = "tls-reset"
    """Reset during the TLS handshake."""
    TLS_WRONG_CERTIFICATE = "tls-wrong-certificate"
    """The certificate is for another host name."""


OF_THE_CONNECTION = frozenset(
    {Manner.REFUSE, Manner.BLACKHOLE, Manner.RESET, Manner.TLS_HANG, Manner.TLS_RESET, Manner.TLS_WRONG_CERTIFICATE}
)
"""Manners that a client meets before any reply. The others decide about the reply."""


class Cuttable(Protocol):
    """An open connection, as a front keeps it in its list."""

    @property
    def manner(self) -> Manner: ...
    def cut(self) -> None:
        """Reset it."""


class Mute(asyncio.Protocol):
    """Accepts a connection, reads and never answers.

    ``connections`` is the front's list of open connections.
    """

    def __init__(self, manner: Manner, connections: set[Cuttable]) -> None:
        self.manner = manner
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._connections.discard(self)

    def cut(self) -> None:
        """Reset it."""
        self._connections.discard(self)
        if self._transport:
            reset(self._transport)


class Resetting(Mute):
    """Resets the connection at the first byte that arrives."""

    def data_received(self, _data: bytes) -> None:
        self.cut()


class Answering(Mute):
    """Answers every request with an error.

    It takes ``trip_s()``, the region's round trip (s), for it.
    """

    def __init__(
        self, manner: Manner, connections: set[Cuttable], refusal: Refusal, trip_s: Callable[[], float]
    ) -> None:
        super().__init__(manner, connections)
        self._requests = Requests()
        self._refusal = refusal
        self._trip_s = trip_s

    def data_received(self, data: bytes) -> None:
        for _ in range(self._requests.feed(data)):
            asyncio.get_running_loop().call_later(self._trip_s(), self._refuse)

    def _refuse(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(self._refusal.as_bytes())
