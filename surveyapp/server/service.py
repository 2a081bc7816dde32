"""Runs a complete request through the WSGI application, in a thread of a pool that waits for no
client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from gunicorn.http import wsgi

from failover.adapters.clock import SystemClock
from surveyapp.server.connections import Connection
from surveyapp.server.reply import Reply

FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 26\r\n\r\n"
    b"500 Internal Server Error\n"
)


class Service:
    """A WSGI application, with gunicorn's configuration and log."""

    def __init__(self, application: Callable[..., Iterable[bytes]], config: Any, log: Any, clock: SystemClock) -> None:
        self._application = application
        self._config = config
        self._log = log
        self._clock = clock

    def serve(self, connection: Connection, request: Any, *, last: bool) -> tuple[Reply | None, bool]:
        """Runs one request. Returns the reply, which may hold bytes that the client has not taken,
        and whether the connection is kept for a next request. The reply is None when the client is
        gone. `last` asks the client for no further request.
        """
        reply = Reply(connection.socket)
        try:
            kept = self._respond(connection, request, reply, last=last)
            reply.flush()
        except OSError:
            reply.close()
            return None, False
        except BaseException:
            self._log.exception("a request failed")
            return _failed(reply), False
        return reply, kept

    def _respond(self, connection: Connection, request: Any, reply: Reply, *, last: bool) -> bool:
        began = self._clock.monotonic()
        response, environ = wsgi.create(request, reply, connection.client, connection.server, self._config)
        environ["wsgi.multithread"] = True
        if last:
            response.force_close()
        pieces = self._application(environ, response.start_response)
        try:
            for piece in pieces:
                response.write(piece)
            response.close()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        self._log.access(response, request, environ, timedelta(seconds=self._clock.monotonic() - began))
        return not response.should_close()


def _failed(reply: Reply) -> Reply | None:
    """A 500, unless part of another reply is with the client already."""
    reply.discard()
    if reply.begun or reply.waiting:
        reply.close()
        return None
    try:
        reply.sendall(FAILED)
        reply.flush()
    except OSError:
        return None
    return reply
