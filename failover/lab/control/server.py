"""The lab's own little HTTP server: its state as JSON, and the faults, for whoever can read the token file.

Loopback only. Every request must name this server in Host (so that no web page can reach it by a DNS trick) and
carry the token. ``GET /state``, ``POST /faults`` with ``{"region", "kind", "seconds"?, "keep_connections"?, "ms"?}``,
``DELETE /faults`` or ``DELETE /faults?region=R``. Errors are ``{"error": "one line"}``.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from failover.core.text import whole_number
from failover.lab.errors import FaultRefused, LabError
from failover.lab.faults.book import FaultBook
from failover.lab.faults.kinds import DEFAULT_S, Order

LONGEST_BODY = 4096
READ_TIMEOUT_S = 10.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without the name of this machine, for which the standard library would ask the network's nameserver."""
        TCPServer.server_bind(self)


class ControlServer:
    """Serves in a daemon thread. ``state()`` gives the state document."""

    def __init__(self, book: FaultBook, state: Callable[[], dict[str, Any]], token: str) -> None:
        self._server = _Server(("127.0.0.1", 0), _handler(book, state, token))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="control", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def order_from(body: bytes) -> Order:
    """Read an order. Raises FaultRefused in one line for anything that is not one."""
    try:
        asked = json.loads(body)
    except ValueError:
        raise FaultRefused("the body is not JSON") from None
    if not isinstance(asked, dict):
        raise FaultRefused("the body is not a JSON object")
    region, kind = asked.get("region"), asked.get("kind")
    seconds, keep, ms = asked.get("seconds", DEFAULT_S), asked.get("keep_connections", False), asked.get("ms")
    if not isinstance(region, str) or not isinstance(kind, str):
        raise FaultRefused("region and kind must be text")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise FaultRefused("seconds must be a number")
    if not isinstance(keep, bool):
        raise FaultRefused("keep_connections must be true or false")
    if ms is not None and (isinstance(ms, bool) or not isinstance(ms, int) or ms < 0):
        raise FaultRefused("ms must be a whole number of milliseconds")
    return Order(region, kind, float(seconds), keep, ms)


def _handler(book: FaultBook, state: Callable[[], dict[str, Any]], token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "lab"
        sys_version = ""
        timeout = READ_TIMEOUT_S

        def do_GET(self) -> None:
            if self._admitted() and self._is_at("/state"):
                self._reply(HTTPStatus.OK, state())

        def do_POST(self) -> None:
            if self._admitted() and self._is_at("/faults"):
                body = self._body()
                if body is not None:
                    self._try(lambda: {"fault": book.set(order_from(body))})

        def do_DELETE(self) -> None:
            if self._admitted() and self._is_at("/faults"):
                region = parse_qs(urlsplit(self.path).query).get("region", [None])[0]
                self._try(lambda: {"cleared": book.clear(region)})

        def log_message(self, *_: object) -> None:
            """Say nothing: what matters is in the lab's own log."""

        def _admitted(self) -> bool:
            host, port = self.connection.getsockname()
            if self.headers.get("Host") != f"{host}:{port}":
                return self._reply(HTTPStatus.MISDIRECTED_REQUEST, {"error": "wrong Host"})
            given = self.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                return self._reply(HTTPStatus.UNAUTHORIZED, {"error": "wrong or missing token"})
            return True

        def _is_at(self, path: str) -> bool:
            if urlsplit(self.path).path == path:
                return True
            return self._reply(HTTPStatus.NOT_FOUND, {"error": f"there is only {path} for {self.command}"})

        def _body(self) -> bytes | None:
            length = whole_number(self.headers.get("Content-Length", ""))
            if length is None:
                self._reply(HTTPStatus.LENGTH_REQUIRED, {"error": "Content-Length is required"})
                return None
            if length > LONGEST_BODY:
                self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"at most {LONGEST_BODY} bytes"})
                return None
            return self.rfile.read(length)

        def _try(self, work: Callable[[], dict[str, Any]]) -> None:
            try:
                done = work()
            except FaultRefused as error:
                self._reply(HTTPStatus.CONFLICT, {"error": str(error)})
            except LabError as error:
                self._reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})
            else:
                self._reply(HTTPStatus.OK, done)

        def _reply(self, status: HTTPStatus, document: dict[str, Any]) -> bool:
            body = json.dumps(document).encode()
            self.close_connection = True
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            return False

    return Handler
