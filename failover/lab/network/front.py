"""A region's front: a TCP proxy that can be shut, cut connections, misbehave and add distance.

The front's port never changes while the lab runs, because it is part of the application's endpoint.
A second socket keeps the port while the front is shut. It never listens, so a client is refused as
by a closed port.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never

from failover.lab.network.manners import Answering, Cuttable, Manner, Mute, Resetting
from failover.lab.network.pipe import DripPipe, Pipe
from failover.lab.network.sockets import BlackHole, bound, reset
from failover.lab.network.wire import DENIED, THROTTLED, UNAVAILABLE, Requests


@dataclass(frozen=True)
class FrontTls:
    """A region's certificates for TLS handshakes: the right one, and one for another host name."""

    right: ssl.SSLContext
    wrong: ssl.SSLContext


class _End(asyncio.Protocol):
    """One of a connection's two ends.

    ``out`` takes its bytes to the other end, ``into`` brings the other's.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.out: Pipe | None = None
        self.into: Pipe | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._connection.arrived(self, data)

    def eof_received(self) -> bool:
        self._connection.arrived(self, None)
        # True keeps the transport open for writing. With TLS that is impossible: asyncio closes it
        # by itself.
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, _error: Exception | None) -> None:
        self._connection.lost(self)

    def pause_writing(self) -> None:
        if self.into:
            self.into.writable(False)

    def resume_writing(self) -> None:
        if self.into:
            self.into.writable(True)


class _ClientEnd(_End):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # asyncio sets this only on sockets that it made itself. Without it every second reply waits
        # 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.accepted()


class Connection:
    """A client's connection to the front and, behind it, the front's to the engine.

    ``_early`` keeps what the client sends before the engine is connected.
    """

    def __init__(self, front: Front, manner: Manner = Manner.SERVE) -> None:
        self.manner = manner
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._handshake_over = self._loop.time()
        self._early: list[bytes | None] = []
        self._requests = Requests() if front.service_ms else None
        self.client = _ClientEnd(self)
        self.engine = _End(self)

    @property
    def is_in_line(self) -> bool:
        """Whether its requests wait behind those of others, in a region that is overloaded."""
        return self._requests is not None

    def accepted(self) -> None:
        """Count the new client and connect to the engine.

        Over a distance, connecting takes a round trip and a TLS handshake another. On loopback they
        take none, so the first bytes are held back for as long.
        """
        self._handshake_over = self._loop.time() + self._front.trip_s() * (2 if self._front.tls else 1)
        self._front.connections.add(self)
        self._front.dialling.add(task := self._loop.create_task(self._dial()))
        task.add_done_callback(self._front.dialling.discard)

    async def _dial(self) -> None:
        try:
            await self._loop.create_connection(lambda: self.engine, "127.0.0.1", self._front.engine_port)
        except OSError:
            self.cut()
            return
        if self.client.transport is None or self.client.transport.is_closing() or self.engine.transport is None:
            self.cut()
            return
        reply_pipe = DripPipe if self.manner is Manner.DRIP else Pipe
        self.client.out = self.engine.into = Pipe(self.client.transport, self.engine.transport)
        self.engine.out = self.client.into = reply_pipe(self.engine.transport, self.client.transport)
        early, self._early = self._early, []
        for data in early:
            self.arrived(self.client, data)

    def arrived(self, end: _End, data: bytes | None) -> None:
        """Pass bytes (None: the end of them) from one end to the other, half a round trip later."""
        if end.out is None:
            self._early.append(data)
        elif end is self.engine and self.manner is Manner.LOST_REPLY:
            self.cut()
        else:
            due = max(self._loop.time(), self._handshake_over) + self._front.trip_s() / 2
            if data and end is self.client and self._requests:
                due = self._front.served_at(due, self._requests.feed(data))
            end.out.feed(data, due)

    def lost(self, end: _End) -> None:
        """One end is gone. Close the other behind the bytes that are still on the wire."""
        self._front.connections.discard(self)
        other = self.engine if end is self.client else self.client
        if end.into:
            end.into.close()
        if end.out:
            end.out.feed(None, self._loop.time() + self._front.trip_s() / 2)
        elif other.transport and not other.transport.is_closing():
            other.transport.close()

    def cut(self) -> None:
        """Reset both ends at once and drop the bytes on the wire."""
        for end in (self.client, self.engine):
            if end.out:
                end.out.close()
            if end.transport:
                reset(end.transport)
        self._front.connections.discard(self)


class Front:
    """The proxy itself.

    Everything here runs on the fronts' event loop; see gate.py for other threads.
    """

    def __init__(self, rtt_ms: float, tls: FrontTls | None = None) -> None:
        self.rtt_ms = rtt_ms
        self.added_ms = 0.0
        self.service_ms = 0.0
        """How long the region works on each request, one at a time; 0: as long as its engine does."""
        self._free_at = 0.0
        self.tls = tls
        self.engine_port = 0
        self.connections: set[Cuttable] = set()
        self.dialling: set[asyncio.Task[None]] = set()
        self._keeper = bound(0)
        self.port: int = self._keeper.getsockname()[1]
        self._manner = Manner.REFUSE
        self._close: Callable[[], Awaitable[None]] = _nothing

    @property
    def is_open(self) -> bool:
        """Whether a new connection is accepted."""
        return self._manner not in (Manner.REFUSE, Manner.BLACKHOLE)

    def trip_s(self) -> float:
        """The round trip, s, with what a fault adds to it."""
        return (self.rtt_ms + self.added_ms) / 1000

    def work(self, service_ms: float) -> None:
        """Work on one request at a time, each so long, on new connections; 0 ends it, and cuts those in the line."""
        self.service_ms, self._free_at = service_ms, 0.0
        for connection in list(self.connections):
            if isinstance(connection, Connection) and connection.is_in_line and not service_ms:
                connection.cut()

    def served_at(self, arrives: float, requests: int) -> float:
        """When requests that arrive at this loop time are done, behind those that arrived before. Those
        whose clients gave up are worked on too.
        """
        if not requests:
            return arrives
        self._free_at = max(arrives, self._free_at) + requests * self.service_ms / 1000
        return self._free_at

    async def treat(self, manner: Manner) -> None:
        """Treat new connections in this manner.

        Connections that were opened under another fault's manner are cut; those that are served
        live on. The port does not close in between, except before a black hole: another listener
        could take the black hole's own connection.
        """
        if manner is not self._manner:
            close, self._close = self._close, _nothing
            if manner is Manner.BLACKHOLE:
                await close()
                close = _nothing
            self._close = await self._open(manner)
            await close()
            self._manner = manner
        for connection in list(self.connections):
            if connection.manner not in (Manner.SERVE, manner):
                connection.cut()

    def cut(self) -> int:
        """Reset every open connection and return how many there were."""
        connections = list(self.connections)
        for connection in connections:
            connection.cut()
        return len(connections)

    async def end(self) -> None:
        """Shut, cut all connections, and give the port back. No socket stays behind."""
        await self.treat(Manner.REFUSE)
        self._keeper.close()
        self.cut()
        for dial in self.dialling:
            dial.cancel()  # a suspended engine accepts no connection
        if self.dialling:
            await asyncio.wait(self.dialling)
        await _turns()

    async def _open(self, manner: Manner) -> Callable[[], Awaitable[None]]:
        """Begin to treat new connections in this manner. Returns what ends it."""
        if manner is Manner.REFUSE:
            return _nothing
        if manner is Manner.BLACKHOLE:
            hole = BlackHole(self.port)

            async def let_through() -> None:
                hole.close()

            return let_through
        loop = asyncio.get_running_loop()
        context = self._context(manner)
        server = await loop.create_server(lambda: self._greet(manner), sock=bound(self.port), ssl=context)

        async def close() -> None:
            # A flaw of asyncio: a connection that the server has just accepted hangs for ever if
            # the server closes before its protocol is made.
            # https://github.com/python/cpython/issues/109564
            loop.remove_reader(server.sockets[0].fileno())
            await _turns()
            server.close()

        return close

    def _context(self, manner: Manner) -> ssl.SSLContext | None:
        if self.tls is None or manner in (Manner.TLS_HANG, Manner.TLS_RESET):
            return None  # the other end of this handshake speaks no TLS
        return self.tls.wrong if manner is Manner.TLS_WRONG_CERTIFICATE else self.tls.right

    def _greet(self, manner: Manner) -> asyncio.Protocol:
        match manner:
            case Manner.SERVE | Manner.DRIP | Manner.LOST_REPLY | Manner.TLS_WRONG_CERTIFICATE:
                return Connection(self, manner).client
            case Manner.RESET | Manner.TLS_RESET:
                return Resetting(manner, self.connections)
            case Manner.HTTP_503:
                return Answering(manner, self.connections, UNAVAILABLE, self.trip_s)
            case Manner.THROTTLE:
                return Answering(manner, self.connections, THROTTLED, self.trip_s)
            case Manner.DENY:
                return Answering(manner, self.connections, DENIED, self.trip_s)
            case Manner.HANG | Manner.TLS_HANG | Manner.REFUSE | Manner.BLACKHOLE:
                return Mute(manner, self.connections)
            case _:
                assert_never(manner)


async def _nothing() -> None:
    """Does nothing: what ends a closed port."""


async def _turns() -> None:
    """Let the loop turn until every accepted connection has its protocol and every cut one is gone.

    For an accepted connection asyncio makes a task, a transport and a protocol, one in each turn.
    """
    for _ in range(4):
        await asyncio.sleep(0)
