"""A small HTTP server inside the lab: gives its state as JSON, sets faults and clears them, and makes
the tables of drills.

- ``GET /state``: the state document.
- ``POST /faults`` with ``{"region", "kind", "seconds"?, "keep_connections"?, "ms"?}``: ``{"fault":
  {...}}``.
- ``DELETE /faults``, ``DELETE /faults?region=R`` or ``DELETE /faults?region=R&kind=K``: ``{"cleared":
  [{...}]}``.
- ``POST /tables`` with ``{"name"}``, ``DELETE /tables``: a drill's table, and the end of all of them;
  ``{"tables": [...]}``, those that there are, or those that were removed.

Errors are ``{"error": "one line"}``. It listens on loopback only. Every request must carry the
token, which only the lab's owner can read, and must name this server's own address in Host: a web
page cannot do that, even when a DNS name of its own leads here (DNS rebinding).
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
from failover.lab.drill_tables import DrillTables
from failover.lab.errors import FaultRefused, LabError, LayerTaken
from failover.lab.faults.book import FaultBook
from failover.lab.faults.kinds import DEFAULT_S, Order

LONGEST_BODY = 4096
READ_TIMEOUT_S = 10.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without looking up this machine's name.

        The standard library would ask a nameserver for it.
        """
        TCPServer.server_bind(self)


class ControlServer:
    """Serves in a daemon thread. ``state()`` gives the state document."""

    def __init__(self, book: FaultBook, tables: DrillTables, state: Callable[[], dict[str, Any]], token: str) -> None:
        self._server = _Server(("127.0.0.1", 0), _handler(book, tables, state, token))
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
    """Read an order from a request's body. Raises FaultRefused when it is not one."""
    fields = _object(body)
    region, kind = fields.get("region"), fields.get("kind")
    seconds, keep, ms = fields.get("seconds", DEFAULT_S), fields.get("keep_connections", False), fields.get("ms")
    if not isinstance(region, str) or not isinstance(kind, str):
        raise FaultRefused("region and kind must be text")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise FaultRefused("seconds must be a number")
    if not isinstance(keep, bool):
        raise FaultRefused("keep_connections must be true or false")
    if ms is not None and (isinstance(ms, bool) or not isinstance(ms, int) or ms < 0):
        raise FaultRefused("ms must be a whole number of milliseconds")
    return Order(region, kind, float(seconds), keep, ms)


def _object(body: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises FaultRefused."""
    try:
        fields = json.loads(body)
    except ValueError:
        raise FaultRefused("the body is not JSON") from None
    if not isinstance(fields, dict):
        raise FaultRefused("the body is not a JSON object")
    return fields


def _handler(
    book: FaultBook, tables: DrillTables, state: Callable[[], dict[str, Any]], token: str
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "lab"
        sys_version = ""
        timeout = READ_TIMEOUT_S

        def do_GET(self) -> None:
            if self._admitted() and self._is_at("/state"):
                self._reply(HTTPStatus.OK, state())

        def do_POST(self) -> None:
            if self._admitted() and self._is_at("/faults", "/tables"):
                body = self._body()
                if body is not None and self._is_for("/faults"):
                    self._try(lambda: {"fault": book.set(order_from(body))})
                elif body is not None:
                    self._try(lambda: self._add_table(body))

        def do_DELETE(self) -> None:
            if self._admitted() and self._is_at("/faults", "/tables"):
                if self._is_for("/tables"):
                    self._try(lambda: {"tables": tables.clear()})
                    return
                query = parse_qs(urlsplit(self.path).query)
                region, kind = (query.get(name, [None])[0] for name in ("region", "kind"))
                self._try(lambda: {"cleared": book.clear(region, kind)})

        def _add_table(self, body: bytes) -> dict[str, Any]:
            tables.add(str(_object(body).get("name")))
            return {"tables": tables.names()}

        def log_message(self, *_: object) -> None:
            """Log nothing: the lab's own log has every fault."""

        def _admitted(self) -> bool:
            """Whether Host and token are right; otherwise the error is sent."""
            host, port = self.connection.getsockname()
            if self.headers.get("Host") != f"{host}:{port}":
                return self._reply(HTTPStatus.MISDIRECTED_REQUEST, {"error": "wrong Host"})
            given = self.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                return self._reply(HTTPStatus.UNAUTHORIZED, {"error": "wrong or missing token"})
            return True

        def _is_for(self, path: str) -> bool:
            return urlsplit(self.path).path == path

        def _is_at(self, *paths: str) -> bool:
            """Whether the request is for one of these paths; otherwise the error is sent."""
            if any(map(self._is_for, paths)):
                return True
            there_is = f"there is only {' and '.join(paths)} for {self.command}"
            return self._reply(HTTPStatus.NOT_FOUND, {"error": there_is})

        def _body(self) -> bytes | None:
            """The request's body.

            None, with the error sent, when its length is missing or too great.
            """
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
                document = work()
            except LayerTaken as error:
                self._reply(HTTPStatus.LOCKED, {"error": str(error)})
            except FaultRefused as error:
                self._reply(HTTPStatus.CONFLICT, {"error": str(error)})
            except LabError as error:
                self._reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})
            else:
                self._reply(HTTPStatus.OK, document)

        def _reply(self, status: HTTPStatus, document: dict[str, Any]) -> bool:
            """Send the reply and close. Returns False, so that a check can end with it."""
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
