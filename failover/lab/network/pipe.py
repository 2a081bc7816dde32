"""One direction of a connection through a front, with the distance that loopback does not have."""

from __future__ import annotations

import asyncio
from collections import deque

BUFFER_LIMIT = 1 << 20
"""Bytes on their way in one direction above which the sender is no longer read."""
DRIP_S = 0.5
"""Pause before each byte of a reply that drips."""


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


class DripPipe(Pipe):
    """A pipe that lets through a byte every DRIP_S: no single wait is long, and the whole never ends."""

    _next = 0.0

    def feed(self, data: bytes | None, due: float) -> None:
        """Take a chunk; its bytes leave one by one."""
        for place in range(len(data or b"")):
            self._next = max(due, self._next + DRIP_S)
            super().feed(data[place : place + 1] if data else None, self._next)
        if data is None:
            super().feed(None, max(due, self._next))
