"""The connections of one worker, by what they wait for, each with its deadline."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from typing import Any

from surveyapp.server.incoming import Incoming
from surveyapp.server.limits import Limits
from surveyapp.server.reply import Reply


class Connection:
    """A client's connection. One request at a time is served; what the client sends meanwhile
    waits.
    """

    __slots__ = ("client", "held", "incoming", "keep", "paused", "reply", "server", "socket", "stage")

    def __init__(self, connection: socket.socket, client: Any, server: Any, incoming: Incoming) -> None:
        self.socket = connection
        self.client = client
        self.server = server
        self.incoming = incoming
        self.stage: Stage | None = None
        self.reply: Reply | None = None
        self.keep = False  # whether the reply said that another request may follow
        self.paused = False  # nothing is read from it
        self.held = 0  # bytes of its request, as `Connections.hold` counted them last


class Stage(dict[Connection, float]):
    """Connections that wait for the same thing, each with its deadline; the one that came first is
    the first.
    """


class Connections:
    """Every connection is at one stage. A deadline is set on entering a stage, and nothing extends
    it.
    """

    def __init__(self, limits: Limits) -> None:
        self.idle = Stage()
        self.head = Stage()
        self.body = Stage()
        self.served = Stage()  # by a thread of the pool
        self.reply = Stage()  # the client reads its reply slowly
        self.closing = Stage()
        self._seconds = {
            id(self.idle): limits.idle_s,
            id(self.head): limits.head_s,
            id(self.body): limits.body_s,
            id(self.served): math.inf,
            id(self.reply): limits.reply_s,
            id(self.closing): limits.linger_s,
        }
        self._slowest = limits.slowest
        self._all = (self.idle, self.head, self.body, self.served, self.reply, self.closing)
        self._stops_at = math.inf
        self.held = 0
        """Bytes of all requests that are being read or served."""

    def __len__(self) -> int:
        return sum(map(len, self._all))

    def __iter__(self) -> Iterator[Connection]:
        return (connection for stage in self._all for connection in list(stage))

    def move(self, connection: Connection, stage: Stage | None, now: float) -> None:
        """Puts a connection into another stage and sets its deadline; None takes it away. Does
        nothing when the connection is at that stage already.
        """
        if connection.stage is stage:
            return
        if connection.stage is not None:
            del connection.stage[connection]
        connection.stage = stage
        if stage is None:
            self.hold(connection, 0)
            return
        deadline = now + self._seconds[id(stage)]
        if stage is self.reply and connection.reply is not None:
            deadline += connection.reply.waiting / self._slowest
        elif stage is not self.served:
            deadline = min(deadline, self._stops_at)
        stage[connection] = deadline

    def hold(self, connection: Connection, size: int) -> None:
        """Counts the `size` bytes of a connection's request, in place of those that it counted
        before.
        """
        self.held += size - connection.held
        connection.held = size

    def stop(self, by: float) -> None:
        """Ends every wait at `by` (monotonic seconds) at the latest, except for requests that a
        thread serves.
        """
        self._stops_at = by
        for stage in (self.idle, self.head, self.body, self.closing):
            for connection, deadline in stage.items():
                stage[connection] = min(deadline, by)

    def expired(self, now: float) -> list[Connection]:
        """The connections whose deadline is over."""
        late = [connection for connection, deadline in self.reply.items() if deadline <= now]
        for stage in (self.idle, self.head, self.body, self.closing):
            for connection, deadline in stage.items():
                if deadline > now:
                    break  # all that follow came later
                late.append(connection)
        return late

    def expendable(self) -> Connection | None:
        """The connection to drop for a new one: the oldest whose last reply is sent, otherwise the
        oldest idle one, otherwise the oldest whose request is not complete. None when each of them
        is served or takes a reply.
        """
        for stage in (self.closing, self.idle, self.head, self.body):
            for connection in stage:
                return connection
        return None
