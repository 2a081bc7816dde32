"""Addresses of this machine that are dead, or that take connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence

from tests.failover.adapters import faulty

WRITTEN = faulty.reply(200, {})


@contextlib.contextmanager
def dropping(port: int, addresses: Sequence[str]) -> Iterator[None]:
    """At these addresses a SYN is dropped, as where a machine is gone: their queues of connections are full."""
    with contextlib.ExitStack() as stack:
        for address in addresses:
            listener = stack.enter_context(socket.create_server((address, port), family=_family(address), backlog=0))
            for _ in range(4):
                waiting = stack.enter_context(socket.socket(_family(address)))
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
        yield


@contextlib.contextmanager
def alive(port: int, address: str) -> Iterator[list[socket.socket]]:
    """At this address a region answers every request; yields the connections that were made to it."""
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        with connection, contextlib.suppress(OSError):
            faulty.says(WRITTEN)(connection, threading.Event())

    with socket.create_server((address, port), family=_family(address)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        yield connections
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(5)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
