"""Socket operations that asyncio does not have: keep a port, drop connection attempts, reset."""

from __future__ import annotations

import asyncio
import socket
import struct

ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER with which close() sends a reset.

The client sees a broken connection, not an orderly end.
"""


def bound(port: int) -> socket.socket:
    """A socket bound to a port on loopback; 0 chooses a free one.

    Other sockets of the same user may share the port if they set SO_REUSEPORT too, as only ours do.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def reset(transport: asyncio.Transport) -> None:
    """Close with a reset, below TLS too. What is still to be sent is lost."""
    if not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        transport.abort()


class BlackHole:
    """A port on which ``connect()`` hangs, as on a network that loses packets.

    It listens with room for one connection in its queue. A connection of its own takes that place
    and is never accepted. The kernel then drops further SYNs, on loopback too, and the client's
    kernel sends them again and again.
    """

    def __init__(self, port: int) -> None:
        self._listener = bound(port)
        self._listener.listen(0)
        self._filler = socket.socket()
        self._filler.setblocking(False)
        self._filler.connect_ex(("127.0.0.1", port))

    def close(self) -> None:
        """Stop dropping.

        Attempts that are still repeated reach the next socket that listens on the port.
        """
        self._listener.close()
        self._filler.close()
