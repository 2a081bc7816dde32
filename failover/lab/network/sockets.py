"""What a front does to sockets below asyncio: hold a port, drop its connection attempts, reset a connection."""

from __future__ import annotations

import asyncio
import socket
import struct

ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER that closes with a reset: a cut connection is felt as one, not as a polite end."""


def bound(port: int) -> socket.socket:
    """A socket bound to loopback that shares its port with our own others only (SO_REUSEPORT: same user)."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


def reset(transport: asyncio.Transport) -> None:
    """Close with a reset, also below TLS, whatever is still to be sent."""
    if not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        transport.abort()


class BlackHole:
    """A port that drops every attempt to connect: ``connect()`` hangs, as on a network that loses the packets.

    It listens with room for one connection in its queue, which a connection of its own takes and nobody ever accepts:
    the kernel then drops further SYNs, also on loopback, and the caller sends them again and again.
    """

    def __init__(self, port: int) -> None:
        self._listener = bound(port)
        self._listener.listen(0)
        self._filler = socket.socket()
        self._filler.setblocking(False)
        self._filler.connect_ex(("127.0.0.1", port))

    def close(self) -> None:
        """Attempts that are still waiting go to whoever listens next."""
        self._listener.close()
        self._filler.close()
