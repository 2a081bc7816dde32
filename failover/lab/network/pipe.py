"""One direction of a connection through a front, with the delay of a long distance."""

from __future__ import annotations

import asyncio
from collections import deque

BUFFER_LIMIT = 1 << 20
"""With more bytes than this on their way in one direction, no more are read from the sender."""
DRIP_S = 0.5
"""Pause between the bytes of a reply that drips."""


class Pipe:
    """Passes chunks on in order, each at the loop time at which it is due.

    Chunks therefore travel one behind the other, as on a long wire: a round trip takes one round
    trip's time, however many chunks it has.
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
        """Take a chunk, or None for the end of the stream, and pass it on at loop time ``due``."""
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
        """Drop the chunks that are still on the wire."""
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
                # HTTP has no half-closed connections, and an engine would keep such a connection
                # for ever.
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
    """Passes on one byte every DRIP_S.

    No single wait is long, but the reply as a whole takes for ever.
    """

    _next = 0.0

    def feed(self, data: bytes | None, due: float) -> None:
        """Take a chunk and pass on its bytes one by one."""
        if data is None:
            super().feed(None, max(due, self._next))
            return
        for index in range(len(data)):
            self._next = max(due, self._next + DRIP_S)
            super().feed(data[index : index + 1], self._next)
