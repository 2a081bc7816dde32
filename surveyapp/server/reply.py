"""A reply on its way to the client. Writing to it never waits for the client."""

from __future__ import annotations

import socket
import tempfile
from typing import IO

KB = 1024
AT_ONCE = 64 * KB
"""Bytes that are collected before they are sent: most replies leave in one piece."""
IN_MEMORY = 64 * KB
MOST = 256 * 1024 * KB
"""Bytes that a client may leave waiting; they lie in a file."""


class Reply:
    """Takes the place of the socket to which gunicorn writes a reply.

    One thread at a time uses it: the thread that serves the request, then the loop's.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pieces: list[bytes] = []
        self._collected = 0
        self._rest: IO[bytes] | None = None  # what the client did not take at once
        self._read = 0
        self._written = 0
        self.begun = False

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken."""
        return self._collected + self._written - self._read

    def sendall(self, data: bytes) -> None:
        """Adds to the reply. Raises OSError when the client is gone, or leaves more than `MOST`
        bytes untaken.
        """
        self._pieces.append(data)
        self._collected += len(data)
        if self._collected >= AT_ONCE:
            self.flush()

    def flush(self) -> bool:
        """Sends as much as the client takes now. Returns whether that was everything. Raises
        OSError when the client is gone.
        """
        collected = b"".join(self._pieces)
        self.discard()
        if self._send_rest():
            collected = collected[self._send(collected) :]
        if collected:
            self._keep(collected)
        return self._rest is None

    def discard(self) -> None:
        """Drops what is collected and not yet sent."""
        self._pieces.clear()
        self._collected = 0

    def close(self) -> None:
        """Drops what the client has not taken."""
        self.discard()
        if self._rest is not None:
            self._rest.close()
            self._rest = None

    def _keep(self, data: bytes) -> None:
        if self._rest is None:
            self._rest = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  (closed by `close`)
            self._read = self._written = 0
        if self.waiting + len(data) > MOST:
            raise BrokenPipeError("the client reads too slowly")
        self._rest.seek(self._written)
        self._written += self._rest.write(data)

    def _send_rest(self) -> bool:
        while self._rest is not None:
            self._rest.seek(self._read)
            data = self._rest.read(AT_ONCE)
            sent = self._send(data)
            self._read += sent
            if self._read == self._written:
                self._rest.close()
                self._rest = None
            elif sent < len(data):
                return False
        return True

    def _send(self, data: bytes) -> int:
        """Sends without waiting. Returns how many bytes the system took."""
        sent = 0
        while sent < len(data):
            try:
                sent += self._connection.send(memoryview(data)[sent:])
            except BlockingIOError:
                break
            self.begun = True
        return sent
