"""Servers that misbehave as regions do, on real sockets of this machine, and the real clients that talk to them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import trustme

from failover.adapters import dns, models
from failover.adapters.binding import Connections
from failover.adapters.clients import make_clients
from failover.conf import FailoverConfig

EAST, WEST = "us-east-1", "us-west-2"


def _second_loopback() -> str:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return "::1"
    return "127.0.0.9"


SIX = _second_loopback()
"""This machine over IPv6; where it has none, another of its IPv4 addresses."""
NO_FAMILY = 255
"""An address family that no machine has sockets for, as one without IPv6 has none for an AAAA record."""
TIMEOUT_S = 0.25
"""The clients' connect and read timeouts here: short, and far from what a loaded machine needs for an answer."""
PATIENT_S = 20.0
"""The same where every region answers or breaks off at once, so that nobody waits for it."""

Behaviour = Callable[[socket.socket, threading.Event], None]


@contextlib.contextmanager
def server(behave: Behaviour) -> Iterator[int]:
    """Listens on a free port and gives each connection to `behave` in a thread of its own; yields the port.

    At the end the event that `behave` got is set, and every thread must end.
    """
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    open_now: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behave(connection, over)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if over.is_set():
                connection.close()
                return
            open_now.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    port = int(listener.getsockname()[1])
    try:
        yield port
    finally:
        over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()  # wakes the acceptor
        acceptor.join(5)
        listener.close()
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # a client that keeps its connection must not keep the test
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive(), "a server's thread outlived its test"


def read_request(connection: socket.socket) -> bytes:
    """One HTTP request's body."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65_536)
        if not more:
            raise ConnectionError("the client went away")
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return body


def reply(status: int, document: object, *, checksum: bool = True) -> bytes:
    """An HTTP reply as DynamoDB sends it."""
    body = json.dumps(document).encode()
    crc = f"x-amz-crc32: {zlib.crc32(body)}\r\n" if checksum else ""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n{crc}"
    return head.encode() + b"\r\n" + body


def refusal(code: str, *, status: int = 400) -> bytes:
    """A DynamoDB error."""
    return reply(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "so it is"})


def says(answer: bytes, *, then_close: bool = False) -> Behaviour:
    """Answers every request with the same bytes."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            read_request(connection)
            connection.sendall(answer)
            if then_close:
                return

    return behave


class Network:
    """The way to a region whose connections can all die without a packet, as behind a NAT that forgets them, while new
    ones are served. `fresh` is how new ones are served, `made` how many there were.
    """

    def __init__(self, answer: bytes) -> None:
        self.made = 0
        self.fresh: Behaviour = says(answer)
        self._answer = answer
        self._deaths = 0
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        with self._lock:
            self.made += 1
            born = self._deaths
        if born:
            return self.fresh(connection, over)
        while not over.is_set():
            read_request(connection)
            if self._deaths != born:
                over.wait(60)
                return None
            connection.sendall(self._answer)
        return None

    def dies(self) -> None:
        """Every connection that there is falls silent."""
        with self._lock:
            self._deaths += 1


def hangs(connection: socket.socket, over: threading.Event) -> None:
    """Accepts and never answers."""
    over.wait(60)


def drips(connection: socket.socket, over: threading.Event) -> None:
    """Answers a byte every 50 ms, for ever: no single read takes long."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.is_set():
        connection.sendall(b" ")
        over.wait(0.05)


def resets(connection: socket.socket, over: threading.Event) -> None:
    """Reads the request and resets the connection."""
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes(connection: socket.socket, over: threading.Event) -> None:
    """Reads the request and closes without an answer."""
    read_request(connection)


def resets_at_once(connection: socket.socket, over: threading.Event) -> None:
    """Resets the connection at the first bytes: amid a handshake, where one was to be."""
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes_at_once(connection: socket.socket, over: threading.Event) -> None:
    """Closes the connection at the first bytes, in order."""
    connection.recv(65_536)


def talks_nonsense(connection: socket.socket, over: threading.Event) -> None:
    """Reads the request, and answers past the encryption."""
    read_request(connection)
    os.write(connection.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))


def over_tls(authority: trustme.CA, behave: Behaviour, *, name: str = "127.0.0.1") -> Behaviour:
    """Shakes hands with a certificate for `name`, and then behaves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    def secured(connection: socket.socket, over: threading.Event) -> None:
        # A copy, because wrapping takes the socket away from the server, which has to end it.
        with context.wrap_socket(connection.dup(), server_side=True) as secure:
            behave(secure, over)

    return secured


def make_config(
    run_dir: Path,
    ports: dict[str, int],
    nameserver: tuple[str, int] | None = None,
    *,
    timeout: float = TIMEOUT_S,
) -> FailoverConfig:
    """Settings for regions that listen on these ports; with a nameserver they go by their real names."""
    return FailoverConfig(
        regions=tuple(ports),
        endpoints={
            region: f"http://{f'dynamodb.{region}.amazonaws.com' if nameserver else '127.0.0.1'}:{port}"
            for region, port in ports.items()
        },
        nameserver=nameserver,
        run_dir=run_dir,
        connect_timeout_s=timeout,
        read_timeout_s=timeout,
        threads=2,
    )


@contextlib.contextmanager
def models_wired(config: FailoverConfig) -> Iterator[Connections]:
    """Within the block the models of this process talk to `config`'s regions, by its nameserver."""
    restore = dns.install(dns.Resolver(map(config.host, config.regions), config.nameserver, timeout=TIMEOUT_S))
    connections = Connections(make_clients(config))
    before = models._connections
    models.use_connections(connections)
    try:
        yield connections
    finally:
        models.use_connections(before)
        connections.close()
        restore()


class Region:
    """A region that stays where it is, so that one client serves many tests, and behaves as told."""

    def __init__(self, port: int, connections: Connections) -> None:
        self.port = port
        self._connections = connections
        self.behave: Behaviour = closes

    def wire(self) -> None:
        """The models of this process talk to this region (again)."""
        models.use_connections(self._connections)

    def behaves(self, behave: Behaviour) -> None:
        """From the next call on, over a fresh connection."""
        self._connections.close()
        self.behave = behave


@contextlib.contextmanager
def region(run_dir: Path, name: str = EAST, *, timeout: float = TIMEOUT_S) -> Iterator[Region]:
    """The models of this process talk to one region that behaves as it is told."""
    made_later: list[Region] = []

    def behave(connection: socket.socket, over: threading.Event) -> None:
        made_later[0].behave(connection, over)

    with server(behave) as port, models_wired(make_config(run_dir, {name: port}, timeout=timeout)) as connections:
        made_later.append(Region(port, connections))
        yield made_later[0]


class Stopwatch:
    """How long a block took, in seconds."""

    def __enter__(self) -> Stopwatch:
        self._started = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._started
