"""gunicorn's worker for a class on a bad network.

One loop reads every request until it is whole and writes what slow clients did not take at once; a pool of threads
serves whole requests and waits for no client. So a client that stops in mid-request takes a socket for a bounded time,
and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn.workers import base

from failover.adapters.clock import SystemClock
from surveyapp.server import limits
from surveyapp.server.connections import Connection, Connections
from surveyapp.server.incoming import Incoming
from surveyapp.server.refusals import Refused, refused
from surveyapp.server.service import Service

RECEIVED = 64 * 1024
TICK_S = 0.25
STOP_S = 2.0
"""A worker that stops waits so long for a request that is on its way."""
OWN_THREAD = frozenset({"/healthz/live"})
"""Paths that are answered also while every thread waits for a region."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Worker(base.Worker):  # type: ignore[misc]  # gunicorn has no types
    """Of gunicorn's settings, those of a request's hooks, `max_requests`, TLS and `sendfile` mean nothing here."""

    def run(self) -> None:
        """Serves until it is told to stop or its parent is gone."""
        self._clock = SystemClock()
        self._now = self._clock.monotonic()
        self._next_tick = self._now
        self._limits = limits.from_environment()
        self._most = limits.allow_files(self.cfg.worker_connections)
        self._connections = Connections(self._limits)
        self._service = Service(self.wsgi, self.cfg, self.log, self._clock)
        self._held = 0
        self._done: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._woken = False  # whether a byte that wakes the loop is on its way
        self._pool = ThreadPoolExecutor(self.cfg.threads, "web")
        self._own = ThreadPoolExecutor(1, "web-live")
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.PIPE[0], selectors.EVENT_READ)
        self._accepting = False
        self._accept_if(True)
        try:
            while self.alive:
                self._turn()
            self._finish()
        finally:
            for pool in (self._pool, self._own):
                pool.shutdown(wait=False, cancel_futures=True)

    def _finish(self) -> None:
        self._accept_if(False)
        for listener in self.sockets:
            listener.close()  # a new client goes elsewhere at once
        self._connections.stop(self._now + STOP_S)
        deadline = self._now + self.cfg.graceful_timeout
        while self._connections and self._now < deadline:
            self._turn()
        for connection in self._connections:
            self._close(connection)

    def _turn(self) -> None:
        ready = self._selector.select(TICK_S)
        self._now = self._clock.monotonic()
        self._serve_done()
        listeners = []
        for key, _ in ready:
            if isinstance(key.data, Connection):
                self._safely(self._act, key.data)
            elif key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.PIPE[0], 4096)
                self._woken = False
            else:
                listeners.append(key)
        self._serve_done()
        for key in listeners:  # last: nobody is dropped for a new one whose request has just come
            self._accept(key.fileobj, key.data)
        if self._now >= self._next_tick:
            self._next_tick = self._now + TICK_S
            self._tick()

    def _tick(self) -> None:
        self.notify()
        if self.ppid != os.getppid():
            self.alive = False
        for connection in self._connections.expired(self._now):
            self._safely(self._expire, connection)

    def _expire(self, connection: Connection) -> None:
        began = connection.stage is self._connections.head or connection.stage is self._connections.body
        if began and self.alive:
            self._refuse(connection, refused(408))
        else:
            self._close(connection)

    # -- connections

    def _accept_if(self, wanted: bool) -> None:
        if wanted is self._accepting:
            return
        self._accepting = wanted
        for listener in self.sockets:
            if wanted:
                listener.setblocking(False)
                self._selector.register(listener, selectors.EVENT_READ, (listener.getsockname(),))
            else:
                self._selector.unregister(listener)

    def _accept(self, listener: Any, server: tuple[Any]) -> None:
        if not self._accepting or (len(self._connections) >= self._most and not self._make_room()):
            return
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError | ConnectionError):
                self._make_room()  # no more files can be opened
            return
        accepted.setblocking(False)
        incoming = Incoming(self.cfg, client, self._limits)
        connection = Connection(accepted, client, server[0], incoming)
        self._connections.move(connection, self._connections.idle, self._now)
        self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _make_room(self) -> bool:
        """Drops a connection that nobody is served on; where every one is served, new ones wait in the backlog."""
        connection = self._connections.expendable()
        if connection is None:
            self._accept_if(False)
            return False
        self._close(connection)
        return True

    def _close(self, connection: Connection) -> None:
        if connection.stage is None:
            return
        self._connections.move(connection, None, self._now)
        self._hold(connection, 0)
        if not connection.paused:
            self._selector.unregister(connection.socket)
        if connection.reply is not None:
            connection.reply.close()
        connection.socket.close()
        if self.alive:
            self._accept_if(True)

    def _listen_to(self, connection: Connection, events: int) -> None:
        if connection.paused:
            self._selector.register(connection.socket, events, connection)
            connection.paused = False
        else:
            self._selector.modify(connection.socket, events, connection)

    def _hold(self, connection: Connection, size: int) -> None:
        self._held += size - connection.held
        connection.held = size

    def _safely(self, step: Callable[[Connection], None], connection: Connection) -> None:
        """Takes a step for one client, and whatever comes of it keeps the loop going for all others."""
        try:
            step(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)
        except Exception:
            self.log.exception("a connection failed")
            self._close(connection)

    # -- requests

    def _act(self, connection: Connection) -> None:
        """Something can be read from a connection, or written to it."""
        stage, at = connection.stage, self._connections
        if stage is None:
            return  # closed in this very turn
        if stage is at.reply:
            self._write(connection)
            return
        crowded = stage is at.served and connection.incoming.size > self._limits.small
        data = b"" if crowded else connection.socket.recv(RECEIVED)
        if stage is at.served:
            if data:  # the next request, already
                connection.incoming.feed(data)
            else:
                self._selector.unregister(connection.socket)
                connection.paused = True
        elif not data:
            self._close(connection)
        elif stage is not at.closing:
            connection.incoming.feed(data)
            self._advance(connection)

    def _advance(self, connection: Connection) -> None:
        """Serves a connection's request when it is whole."""
        incoming, at = connection.incoming, self._connections
        try:
            request = incoming.take()
            if request is None and self._held > self._limits.held and incoming.size > self._limits.small:
                raise refused(503)
        except Refused as error:
            self._refuse(connection, error)
            return
        if request is not None:
            at.move(connection, at.served, self._now)
            pool = self._own if request.path in OWN_THREAD else self._pool
            pool.submit(self._serve, connection, request)
            return
        self._hold(connection, incoming.size)
        if incoming.in_body:
            at.move(connection, at.body, self._now)
            if incoming.continues():
                connection.socket.send(CONTINUE)
        else:
            at.move(connection, at.head if incoming.size else at.idle, self._now)

    def _refuse(self, connection: Connection, error: Refused) -> None:
        if error.status != 408:  # a bad network is nobody's mistake, and a class has many
            self.log.warning("a request was refused: %s", error)
        with contextlib.suppress(OSError):
            connection.socket.send(error.reply(to_program=connection.incoming.to_program))
        self._end(connection)

    def _end(self, connection: Connection) -> None:
        """Closes a connection whose last reply has been sent, as soon as the client has read it: closed at once, with
        bytes of the client's unread, the system would take the reply back.
        """
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        self._hold(connection, 0)
        self._listen_to(connection, selectors.EVENT_READ)
        self._connections.move(connection, self._connections.closing, self._now)

    # -- replies

    def _serve_done(self) -> None:
        while not self._done.empty():  # this thread alone takes from it
            self._safely(self._served, self._done.get())

    def _served(self, connection: Connection) -> None:
        if connection.reply is None:
            self._close(connection)
        elif connection.reply.waiting:
            self._listen_to(connection, selectors.EVENT_WRITE)
            self._connections.move(connection, self._connections.reply, self._now)
        else:
            self._after_reply(connection)

    def _write(self, connection: Connection) -> None:
        if connection.reply is not None and connection.reply.flush():
            self._listen_to(connection, selectors.EVENT_READ)
            self._after_reply(connection)

    def _after_reply(self, connection: Connection) -> None:
        connection.reply = None
        if not connection.keep:
            self._end(connection)
            return
        if self.alive:
            self._accept_if(True)  # there is one now that may be dropped
        if connection.paused:
            self._listen_to(connection, selectors.EVENT_READ)
        self._advance(connection)

    def _serve(self, connection: Connection, request: Any) -> None:
        """Runs in a thread of a pool."""
        connection.reply, connection.keep = None, False
        try:
            connection.reply, connection.keep = self._service.serve(connection, request, last=not self.alive)
        finally:
            self._done.put(connection)
            if not self._woken:
                self._woken = True
                with contextlib.suppress(OSError):  # a full pipe wakes the loop as well
                    os.write(self.PIPE[1], b"\0")
