"""Carries the SDK's requests to one region over kept connections, and ends each exchange on time.

botocore's own transport bounds every single `recv`, so a reply that drips a byte every half second
never times out (measured: 84 s, then success). It gives each address of a name a whole connect
timeout. And it sends head and body apart: two packets where one is enough. Here one timeout holds
for a name and a connection with its handshake, over all addresses, and one for a whole reply. The
SDK still builds, signs and reads the messages; the standard library parses HTTP. Proxies of the
environment are not used: a region is reached directly, as its canary reaches it.

`Transport` replaces `client._endpoint.http_session`, a private name. So botocore is pinned, and
`tests/failover/adapters/test_transport.py` fails when an upgrade changes it.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import botocore.exceptions as sdk
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.httpsession import get_cert_path

from failover.adapters.dial import Dialer
from failover.core.ports import Clock

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest


MOST_IDLE_S = 10.0
"""A connection that lay idle for longer is not used again: a NAT or VPN may have dropped it."""
_made_since: ContextVar[float] = ContextVar("failover_connections_made_since", default=float("-inf"))


@contextmanager
def connections_made_since(monotonic_s: float) -> Iterator[None]:
    """Within the block, and in this context only, no exchange uses a connection that was made
    earlier.
    """
    token = _made_since.set(monotonic_s)
    try:
        yield
    finally:
        _made_since.reset(token)


@dataclass(slots=True)
class _Connection:
    """A connection, and the pool's `era` in which it was made. `idle_wall` is seconds since the
    epoch, the other times are monotonic seconds.
    """

    sock: socket.socket
    era: int
    made_at: float
    pooled: bool = False
    idle_since: float = 0.0
    idle_wall: float = 0.0

    def is_old(self, now: float, wall: float) -> bool:
        """Whether it lay idle for too long, by either clock: the monotonic clock stands still while
        a laptop sleeps, and the wall clock can be set.
        """
        return now - self.idle_since > MOST_IDLE_S or wall - self.idle_wall > MOST_IDLE_S


class _Stream(io.RawIOBase):
    """What `http.client` reads a reply from: a socket with one deadline (monotonic seconds) for all
    reads together.
    """

    def __init__(self, sock: socket.socket, clock: Clock, until: float) -> None:
        self._sock = sock
        self._clock = clock
        self._until = until

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As a socket's."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        remaining = self._until - self._clock.monotonic()
        if remaining <= 0:
            raise TimeoutError("the reply took too long")
        self._sock.settimeout(remaining)
        return self._sock.recv_into(buffer)


class _Body:
    """A reply's body in the form that botocore expects."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        """All of it, in one piece."""
        yield self._content


class Transport:
    """A pool of connections to one endpoint: at most `size` idle ones, each idle for at most ten
    seconds.

    Pooled connections can die without a packet (NAT, VPN, sleep); only a timeout shows it. So when
    a pooled one fails, the others of its era are closed too, and the error says that it was
    `pooled`. Each emptying of the pool begins a new era, so a late timeout of an older connection
    does not close newer ones.

    `connect_timeout` is the seconds for a connection with its TLS handshake, less the seconds that
    its name took (dns.py bounds those). `read_timeout` is the seconds for a whole reply. An https
    endpoint's certificate is verified. Thread-safe.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        connect_timeout: float,
        read_timeout: float,
        size: int,
        clock: Clock,
        loopback_only: bool = False,
    ) -> None:
        parts = urlsplit(endpoint)
        self._endpoint = endpoint
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._netloc = parts.netloc.encode("ascii")
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._size = size
        self._clock = clock
        self._tls = tls_context() if parts.scheme == "https" else None
        self._dialer = Dialer(clock, loopback_only=loopback_only)
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._era = 0
        weakref.finalize(self, _close_all, self._idle)  # for a client that was never closed

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Sends one request and returns the reply.

        Raises the errors of botocore's own transport, with a stricter meaning.
        EndpointConnectionError, ConnectTimeoutError and SSLError: the request was not sent.
        ReadTimeoutError and ConnectionClosedError: its outcome is unknown.
        """
        connection = self._take() or self._connect()
        pooled, keep = connection.pooled, False
        try:
            response, content = self._exchange(connection.sock, request)
            keep = not response.will_close
        except TimeoutError as error:
            self._failed(connection)
            raise sdk.ReadTimeoutError(endpoint_url=self._endpoint, error=error, pooled=pooled) from error
        except (OSError, HTTPException) as error:
            self._failed(connection)
            raise sdk.ConnectionClosedError(
                endpoint_url=self._endpoint, request=request, error=error, pooled=pooled
            ) from error
        finally:
            self._done(connection, keep=keep)
        headers: Any = response.headers  # botocore takes any mapping
        return AWSResponse(request.url, response.status, headers, _Body(content))

    def close(self) -> None:
        """Closes idle connections now, and busy ones after their exchange. Later requests connect
        anew.
        """
        with self._lock:
            self._empty()

    def _failed(self, connection: _Connection) -> None:
        """Empties the pool: the other connections of this era may have died as well."""
        with self._lock:
            if connection.pooled and connection.era == self._era:
                self._empty()

    def _empty(self) -> None:
        self._era += 1
        _close_all(self._idle)

    def _take(self) -> _Connection | None:
        """Takes the most recently used connection, or returns None when a new one has to be made."""
        now, wall, connection = self._clock.monotonic(), self._clock.wall(), None
        with self._lock:
            while self._idle and self._idle[0].is_old(now, wall):
                self._idle.pop(0).sock.close()
            if self._idle and self._idle[-1].made_at >= _made_since.get():
                connection = self._idle.pop()
        if connection is not None and (connection.is_old(now, wall) or _is_stale(connection.sock)):
            connection.sock.close()
            return None
        return connection

    def _exchange(self, sock: socket.socket, request: AWSPreparedRequest) -> tuple[HTTPResponse, bytes]:
        until = self._clock.monotonic() + self._read_timeout
        sock.settimeout(self._read_timeout)  # of `sendall` as a whole
        sock.sendall(self._message(request))
        stream: Any = _Stream(sock, self._clock, until)  # HTTPResponse needs only makefile of a socket
        response = HTTPResponse(stream, method=request.method)
        response.begin()
        return response, response.read()

    def _message(self, request: AWSPreparedRequest) -> bytes:
        """Head and body together, so that they leave in one packet."""
        parts = urlsplit(request.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        head = [f"{request.method} {target} HTTP/1.1".encode("ascii"), b"Host: " + self._netloc]
        head.append(b"Accept-Encoding: identity")
        headers: Any = request.headers  # the stubs know no items
        head += [name.encode("ascii") + b": " + _bytes(value) for name, value in headers.items()]
        return b"\r\n".join(head) + b"\r\n\r\n" + _bytes(request.body or b"")

    def _connect(self) -> _Connection:
        sock = self._dial()
        with self._lock:  # a connection made while the pool was emptied belongs to the new era
            return _Connection(sock, self._era, self._clock.monotonic())

    def _dial(self) -> socket.socket:
        until = self._clock.monotonic() + self._connect_timeout
        try:
            addresses = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise sdk.EndpointConnectionError(endpoint_url=self._endpoint, error=error) from error
        try:
            raw, address = self._dialer.connect(addresses, until=until)
        except TimeoutError as error:
            raise sdk.ConnectTimeoutError(endpoint_url=self._endpoint, error=error) from error
        except OSError as error:
            raise sdk.EndpointConnectionError(endpoint_url=self._endpoint, error=error) from error
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Unacknowledged data ends the connection after this time, also after we have closed it.
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(self._read_timeout * 1000)))
        if self._tls is None:
            return raw
        try:
            raw.settimeout(max(0.001, until - self._clock.monotonic()))  # of the handshake as a whole
            return self._tls.wrap_socket(raw, server_hostname=self._host)
        except OSError as error:  # ssl.SSLError among them, a timeout, a reset
            raw.close()
            self._dialer.failed(address)
            raise sdk.SSLError(endpoint_url=self._endpoint, error=error) from error

    def _done(self, connection: _Connection, *, keep: bool) -> None:
        connection.pooled = True
        connection.idle_since, connection.idle_wall = self._clock.monotonic(), self._clock.wall()
        with self._lock:
            keep = keep and connection.era == self._era and len(self._idle) < self._size
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.sock.close()


def _close_all(idle: list[_Connection]) -> None:
    while idle:
        idle.pop().sock.close()


def tls_context() -> ssl.SSLContext:
    """A context that verifies certificates against AWS_CA_BUNDLE, or botocore's own authorities."""
    bundle = botocore.session.Session().get_config_variable("ca_bundle")
    return ssl.create_default_context(cafile=bundle or get_cert_path(True))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")


def _is_stale(sock: socket.socket) -> bool:
    """Whether the other end has closed, or sent something unasked, while the connection lay idle."""
    try:
        watch = select.poll()
        watch.register(sock, select.POLLIN)
        return bool(watch.poll(0))
    except (OSError, ValueError):
        return True
