"""A region's front door: a thin TCP proxy that can be shut, cut its connections, misbehave, and lie a continent away.

The port never changes while the lab runs, because the application has it in its endpoint. A second, silent socket
keeps the port ours while the door is shut: it never listens, so a client is refused as by a closed port.
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
from failover.lab.network.wire import DENIED, THROTTLED, UNAVAILABLE


@dataclass(frozen=True)
class FrontTls:
    """What a region shows in a handshake: its certificate, and one for another name."""

    right: ssl.SSLContext
    wrong: ssl.SSLContext


class _End(asyncio.Protocol):
    """One of the two ends of a connection. ``out`` takes its bytes to the other, ``into`` brings the other's."""

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
        # TLS has no half-closed connection: asyncio ends it by itself.
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
        # asyncio does this only for sockets that it made itself; without it every second reply waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.accepted()


class Connection:
    """A client and, behind the front, the engine."""

    def __init__(self, front: Front, manner: Manner = Manner.SERVE) -> None:
        self.manner = manner
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._handshake_over = self._loop.time()
        self._early: list[bytes | None] = []
        self.client = _ClientEnd(self)
        self.engine = _End(self)

    def accepted(self) -> None:
        """A client is here: count it and dial the engine. Its SYN took a round trip that loopback does not have, and
        the TLS handshake that is over took another."""
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
        """Bytes, or the end of them, from one end: half a round trip later they are at the other."""
        if end.out is None:
            self._early.append(data)
        elif end is self.engine and self.manner is Manner.LOST_REPLY:
            self.cut()
        else:
            end.out.feed(data, max(self._loop.time(), self._handshake_over) + self._front.trip_s() / 2)

    def lost(self, end: _End) -> None:
        """One end is gone; what it sent may still be on the wire, so the other is ended behind it."""
        self._front.connections.discard(self)
        other = self.engine if end is self.client else self.client
        if end.into:
            end.into.close()
        if end.out:
            end.out.feed(None, self._loop.time() + self._front.trip_s() / 2)
        elif other.transport and not other.transport.is_closing():
            other.transport.close()

    def cut(self) -> None:
        """Reset both ends at once and forget what was on its way."""
        for end in (self.client, self.engine):
            if end.out:
                end.out.close()
            if end.transport:
                reset(end.transport)
        self._front.connections.discard(self)


class Front:
    """The proxy itself; everything here runs on the front's event loop (see gate.py for the other threads)."""

    def __init__(self, rtt_ms: float, tls: FrontTls | None = None) -> None:
        self.rtt_ms = rtt_ms
        self.added_ms = 0.0
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
        """A round trip, with what a fault adds to it."""
        return (self.rtt_ms + self.added_ms) / 1000

    async def treat(self, manner: Manner) -> None:
        """Treat new connections so. What was opened under another fault's manner is cut; what was served lives on.

        The port does not close in between, but before a black hole, whose own connection must not be taken by another.
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
        """Reset every open connection; returns how many there were."""
        doomed = list(self.connections)
        for connection in doomed:
            connection.cut()
        return len(doomed)

    async def end(self) -> None:
        """Shut, cut, and give the port back; no socket stays behind."""
        await self.treat(Manner.REFUSE)
        self._keeper.close()
        self.cut()
        for dial in self.dialling:
            dial.cancel()  # an engine that stands still takes nobody
        if self.dialling:
            await asyncio.wait(self.dialling)
        await _turns()

    async def _open(self, manner: Manner) -> Callable[[], Awaitable[None]]:
        """Begin to treat new connections so; returns what ends it."""
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
            # A connection that a server has just taken would hang for ever if the server closed before it was met
            # (a flaw of asyncio: https://github.com/python/cpython/issues/109564).
            loop.remove_reader(server.sockets[0].fileno())
            await _turns()
            server.close()

        return close

    def _context(self, manner: Manner) -> ssl.SSLContext | None:
        if self.tls is None or manner in (Manner.TLS_HANG, Manner.TLS_RESET):
            return None  # a handshake that something meets which speaks no TLS
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
    """A closed port needs nobody to close it."""


async def _turns() -> None:
    """So many turns of the loop that what was accepted before them has been met (a task, a transport and a protocol
    are made for it, one a turn), and what was cut is gone.
    """
    for _ in range(4):
        await asyncio.sleep(0)
