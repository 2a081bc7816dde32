"""The loop of a web worker: one thread reads and writes all its connections.

`worker.py` describes the way of a request. Every method runs in the loop's thread and never waits
for a client, except `_serve`, which runs in a thread of a pool.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from failover.adapters.clock import SystemClock
from surveyapp.server.connections import Connection, Connections
from surveyapp.server.incoming import Incoming
from surveyapp.server.limits import Limits
from surveyapp.server.listeners import Listeners
from surveyapp.server.refusals import Refused, refused
from surveyapp.server.service import Service

RECEIVED = 64 * 1024
"""Bytes that are read from a connection at a time."""
TICK_S = 0.25
"""How often deadlines are looked at, and the longest that the loop sleeps."""
STOP_S = 2.0
"""How long a worker that stops waits for a request that has begun to arrive."""
OWN_THREAD = frozenset({"/healthz/live"})
"""Paths that have a thread of their own, so that they answer while all other threads wait for a region."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Loop:
    """Serves the connections while `turn` is called again and again. A context manager: at its end no
    further request is begun.

    `config` and `log` are gunicorn's. A byte in `wake_pipe` (its two file descriptors, neither of
    which blocks) ends the wait for connections. `is_alive` is false once the worker is to stop;
    `on_tick` is called every `TICK_S` seconds.
    """

    def __init__(
        self,
        service: Service,
        clock: SystemClock,
        limits: Limits,
        *,
        config: Any,
        log: Any,
        listeners: Sequence[Any],
        wake_pipe: Sequence[int],
        most_connections: int,
        is_alive: Callable[[], bool],
        on_tick: Callable[[], None],
    ) -> None:
        self._service = service
        self._clock = clock
        self._limits = limits
        self._config = config
        self._log = log
        self._wake_reader, self._wake_writer = wake_pipe
        self._most_connections = most_connections
        self._is_alive = is_alive
        self._on_tick = on_tick
        self._now = clock.monotonic()
        self._next_tick = self._now
        self._connections = Connections(limits)
        self._served: queue.SimpleQueue[Connection] = queue.SimpleQueue()  # those that a thread has served
        self._woken = False  # whether a byte that wakes the loop is on its way
        self._threads = ThreadPoolExecutor(config.threads, "web")
        self._own_thread = ThreadPoolExecutor(1, "web-live")
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._listeners = Listeners(listeners, self._selector)
        self._listeners.accept_if(True)

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._threads, self._own_thread):
            pool.shutdown(wait=False, cancel_futures=True)

    def turn(self) -> None:
        """Waits until something happens, at most `TICK_S`, and deals with all of it."""
        ready = self._selector.select(TICK_S)
        self._now = self._clock.monotonic()
        self._after_services()
        listeners = []
        for key, _events in ready:
            if isinstance(key.data, Connection):
                self._safely(self._on_ready, key.data)
            elif key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_reader, 4096)
                self._woken = False
            else:
                listeners.append(key.fileobj)
        self._after_services()
        for listener in listeners:  # last, so that none is dropped whose request has just come
            self._accept(listener)
        if self._now >= self._next_tick:
            self._next_tick = self._now + TICK_S
            self._on_tick()
            for connection in self._connections.expired(self._now):
                self._safely(self._expire, connection)

    def finish(self, *, within_s: float) -> None:
        """Accepts nothing more; serves what has begun for at most `within_s` seconds."""
        self._listeners.close()
        self._connections.stop(self._now + STOP_S)
        deadline = self._now + within_s
        while self._connections and self._now < deadline:
            self.turn()
        for connection in self._connections:
            self._close(connection)

    def _safely(self, step: Callable[[Connection], None], connection: Connection) -> None:
        """Takes a step for one client. An error in it ends this connection and no other."""
        try:
            step(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)
        except Exception:
            self._log.exception("a connection failed")
            self._close(connection)

    # -- connections: accepted, dropped, closed

    def _accept(self, listener: Any) -> None:
        is_full = len(self._connections) >= self._most_connections
        if not self._listeners.accepting or (is_full and not self._make_room()):
            return
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError | ConnectionError):
                self._make_room()  # no more files can be opened
            return
        accepted.setblocking(False)
        incoming = Incoming(self._config, client, self._limits)
        connection = Connection(accepted, client, listener.getsockname(), incoming)
        self._connections.move(connection, self._connections.idle, self._now)
        self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _make_room(self) -> bool:
        """Drops a connection that can be spared; where none can, accepts no more for now."""
        connection = self._connections.expendable()
        if connection is None:
            self._listeners.accept_if(False)
            return False
        self._close(connection)
        return True

    def _expire(self, connection: Connection) -> None:
        """The deadline of a connection's stage is over."""
        stage, stages = connection.stage, self._connections
        if (stage is stages.head or stage is stages.body) and self._is_alive():
            self._refuse(connection, refused(408))
        else:
            self._close(connection)

    def _end(self, connection: Connection) -> None:
        """Closes a connection whose last reply has been sent, once the client has read that reply.

        The operating system resets a connection that is closed while it holds unread bytes, and the
        client would then lose the reply.
        """
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        self._connections.hold(connection, 0)
        self._wait_for(connection, selectors.EVENT_READ)
        self._connections.move(connection, self._connections.closing, self._now)

    def _close(self, connection: Connection) -> None:
        if connection.stage is None:
            return
        self._connections.move(connection, None, self._now)
        if not connection.paused:
            self._selector.unregister(connection.socket)
        if connection.reply is not None:
            connection.reply.close()
        connection.socket.close()
        if self._is_alive():
            self._listeners.accept_if(True)

    def _wait_for(self, connection: Connection, events: int) -> None:
        """The next turns look at the connection when it can be read, or written to."""
        if connection.paused:
            self._selector.register(connection.socket, events, connection)
            connection.paused = False
        else:
            self._selector.modify(connection.socket, events, connection)

    # -- requests: read, refused, handed to a thread

    def _on_ready(self, connection: Connection) -> None:
        """Reads from a connection, or writes to it, as its stage demands."""
        stage, stages = connection.stage, self._connections
        if stage is None:
            return  # closed in this very turn
        # 1. The client takes more of its reply.
        if stage is stages.reply:
            if connection.reply is not None and connection.reply.flush():
                self._wait_for(connection, selectors.EVENT_READ)
                self._after_reply(connection)
            return
        # 2. A thread serves its request. What arrives meanwhile is the next one; little of it is kept.
        if stage is stages.served:
            is_full = connection.incoming.size > self._limits.small
            if data := b"" if is_full else connection.socket.recv(RECEIVED):
                connection.incoming.feed(data)
            else:
                self._selector.unregister(connection.socket)
                connection.paused = True
            return
        data = connection.socket.recv(RECEIVED)
        # 3. The client has closed its end.
        if not data:
            self._close(connection)
        # 4. A part of a request. At the stage `closing` it comes too late and is dropped.
        elif stage is not stages.closing:
            connection.incoming.feed(data)
            self._advance(connection)

    def _advance(self, connection: Connection) -> None:
        """Hands a complete request to a thread; waits for the rest of an incomplete one."""
        incoming, stages = connection.incoming, self._connections
        try:
            request = incoming.take()
            if request is None and stages.held > self._limits.held and incoming.size > self._limits.small:
                raise refused(503)
        except Refused as error:
            self._refuse(connection, error)
            return
        if request is not None:
            stages.move(connection, stages.served, self._now)
            pool = self._own_thread if request.path in OWN_THREAD else self._threads
            pool.submit(self._serve, connection, request)
            return
        stages.hold(connection, incoming.size)
        if incoming.in_body:
            stages.move(connection, stages.body, self._now)
            if incoming.continues():
                connection.socket.send(CONTINUE)
        else:
            stages.move(connection, stages.head if incoming.size else stages.idle, self._now)

    def _refuse(self, connection: Connection, error: Refused) -> None:
        if error.status != 408:  # a bad network is not a mistake, and a class has many
            self._log.warning("a request was refused: %s", error)
        with contextlib.suppress(OSError):
            connection.socket.send(error.reply(to_program=connection.incoming.to_program))
        self._end(connection)

    def _serve(self, connection: Connection, request: Any) -> None:
        """Runs in a thread of a pool."""
        connection.reply, connection.keep = None, False
        try:
            connection.reply, connection.keep = self._service.serve(connection, request, last=not self._is_alive())
        finally:
            self._served.put(connection)
            if not self._woken:
                self._woken = True
                with contextlib.suppress(OSError):  # a full pipe wakes the loop as well
                    os.write(self._wake_writer, b"\0")

    # -- replies: sent to the end

    def _after_services(self) -> None:
        while not self._served.empty():  # no other thread takes from it
            self._safely(self._after_service, self._served.get())

    def _after_service(self, connection: Connection) -> None:
        if connection.reply is None:
            self._close(connection)
        elif connection.reply.waiting:
            self._wait_for(connection, selectors.EVENT_WRITE)
            self._connections.move(connection, self._connections.reply, self._now)
        else:
            self._after_reply(connection)

    def _after_reply(self, connection: Connection) -> None:
        """The client has the whole reply."""
        connection.reply = None
        if not connection.keep:
            self._end(connection)
            return
        if self._is_alive():
            self._listeners.accept_if(True)  # there is a connection now that may be dropped
        if connection.paused:
            self._wait_for(connection, selectors.EVENT_READ)
        self._advance(connection)
