"""A region's front door: a thin TCP proxy that can be shut, cut its connections, and lie a continent away.

The port never changes while the lab runs, because the application has it in its endpoint. A second, silent socket
keeps the port ours while the door is shut: it never listens, so a client is refused as by a closed port.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque

BUFFER_LIMIT = 1 << 20
"""Bytes on their way in one direction above which the sender is no longer read."""
ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER that closes with a reset: a cut connection is felt as one, not as a polite end."""


class Pipe:
    """One direction of a connection: what arrives is passed on ``delay`` seconds later, in order.

    Each chunk carries the time at which it is due, so chunks travel one behind the other as on a long wire, and a
    round trip costs one round trip however many chunks it has.
    """

    def __init__(self, reader: asyncio.Transport, writer: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = reader
        self._writer = writer
        self._wire: deque[tuple[float, bytes | None]] = deque()
        self._waiting = 0
        self._writable = True
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, data: bytes | None, due: float) -> None:
        """Take a chunk, or None for the end of the stream, that may leave at loop time ``due``."""
        if self._wire:
            due = max(due, self._wire[-1][0])
        self._wire.append((due, data))
        self._waiting += len(data or b"")
        self._flush()
        self._balance()

    def writable(self, is_writable: bool) -> None:
        """The receiver's buffer is full, or has room again."""
        self._writable = is_writable
        self._balance()

    def close(self) -> None:
        """Forget what is on the wire."""
        if self._timer:
            self._timer.cancel()
        self._wire.clear()

    def _flush(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._wire and self._wire[0][0] <= self._loop.time():
            _, data = self._wire.popleft()
            if self._writer.is_closing():
                continue
            if data is None:
                # HTTP knows no half-closed connection, and an engine that is told of one keeps it for ever.
                self._writer.close()
            else:
                self._waiting -= len(data)
                self._writer.write(data)
        if self._wire:
            self._timer = self._loop.call_at(self._wire[0][0], self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        self._flush()
        self._balance()

    def _balance(self) -> None:
        if self._reader.is_closing():
            return
        if self._writable and self._waiting < BUFFER_LIMIT:
            self._reader.resume_reading()
        else:
            self._reader.pause_reading()


class _End(asyncio.Protocol):
    """One of the two ends of a connection. ``other`` is where its bytes go."""

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
        return True

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

    def __init__(self, front: Front) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._handshake_over = self._loop.time()
        self._early: list[bytes | None] = []
        self.client = _ClientEnd(self)
        self.engine = _End(self)

    def accepted(self) -> None:
        """A client is here: count it and dial the engine. Its SYN took a round trip that loopback does not have."""
        self._handshake_over = self._loop.time() + self._front.rtt_ms / 1000
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
        self.client.out = self.engine.into = Pipe(self.client.transport, self.engine.transport)
        self.engine.out = self.client.into = Pipe(self.engine.transport, self.client.transport)
        early, self._early = self._early, []
        for data in early:
            self.arrived(self.client, data)

    def arrived(self, end: _End, data: bytes | None) -> None:
        """Bytes, or the end of them, from one end: half a round trip later they are at the other."""
        if end.out is None:
            self._early.append(data)
            return
        end.out.feed(data, max(self._loop.time(), self._handshake_over) + self._front.rtt_ms / 2000)

    def lost(self, end: _End) -> None:
        """One end is gone; what it sent may still be on the wire, so the other is ended behind it."""
        self._front.connections.discard(self)
        other = self.engine if end is self.client else self.client
        if end.into:
            end.into.close()
        if other.transport and not other.transport.is_closing():
            due = self._loop.time() + self._front.rtt_ms / 2000
            self._loop.call_at(due, other.transport.close)

    def cut(self) -> None:
        """Reset both ends at once and forget what was on its way."""
        for end in (self.client, self.engine):
            if end.out:
                end.out.close()
            if end.transport and not end.transport.is_closing():
                raw = end.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                end.transport.abort()
        self._front.connections.discard(self)


class Front:
    """The proxy itself; everything here runs on the front's event loop (see gate.py for the other threads)."""

    def __init__(self, rtt_ms: float) -> None:
        self.rtt_ms = rtt_ms
        self.engine_port = 0
        self.connections: set[Connection] = set()
        self.dialling: set[asyncio.Task[None]] = set()
        self._keeper = _bound(0)
        self.port: int = self._keeper.getsockname()[1]
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """Whether a new connection is accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Accept connections. Harmless when open."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: Connection(self).client, sock=_bound(self.port))

    def shut(self) -> None:
        """Refuse new connections; open ones live on. Harmless when shut."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> int:
        """Reset every open connection; returns how many there were."""
        doomed = list(self.connections)
        for connection in doomed:
            connection.cut()
        return len(doomed)

    def end(self) -> None:
        """Shut, cut, and give the port back."""
        self.shut()
        self.cut()
        self._keeper.close()


def _bound(port: int) -> socket.socket:
    """A socket bound to loopback that shares its port with our own others only (SO_REUSEPORT: same user)."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound
