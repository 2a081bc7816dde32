"""Stand-ins in front of an engine, on real sockets: one that passes calls on, and is slow at some of them by rule."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.students import read_reply
from tests.failover.adapters.faulty import server


@dataclass
class SlowAtSome:
    """Counts calls, and holds back every `every`-th reply by `seconds`; never when `every` is 0."""

    every: int
    seconds: float
    calls: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next_is_slow(self) -> bool:
        """Counts one call."""
        self.calls = next(self._numbers)
        return bool(self.every) and self.calls % self.every == 0


@contextlib.contextmanager
def passing_on(engine_port: int, manner: SlowAtSome) -> Iterator[str]:
    """Yields the URL of a server that passes each call on to the engine, a connection there for each one here."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.create_connection(("127.0.0.1", engine_port), timeout=10) as engine:
            engine.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request := _request(connection):
                slow = manner.next_is_slow()
                engine.sendall(request)
                reply = read_reply(engine)
                if slow:
                    over.wait(manner.seconds)
                connection.sendall(reply.head + b"\r\n" + reply.body)

    with server(behave) as port:
        yield f"http://127.0.0.1:{port}"


def _request(connection: socket.socket) -> bytes:
    """The next request as it came; empty when the client has gone."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        if not (more := connection.recv(65_536)):
            return b""
        received += more
    lines = received[:end].lower().split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length"))
    while len(received) < end + 4 + length:
        if not (more := connection.recv(65_536)):
            return b""
        received += more
    return received
