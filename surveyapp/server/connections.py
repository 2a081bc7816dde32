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
    """A client's connection. One request at a time is served; what the client sends meanwhile waits."""

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
        self.held = 0  # bytes of its request, as the worker counts them


class Stage(dict[Connection, float]):
    """Connections that wait for the same thing: the deadline of each, those first that came first."""


class Connections:
    """Every connection is at one stage. A deadline is set on entering a stage, and nothing extends it."""

    def __init__(self, limits: Limits) -> None:
        self.idle = Stage()
        self.head = Stage()
        self.body = Stage()
        self.served = Stage()  # in a worker thread
        self.reply = Stage()  # a slow reader's
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

    def __len__(self) -> int:
        return sum(map(len, self._all))

    def __iter__(self) -> Iterator[Connection]:
        return (connection for stage in self._all for connection in list(stage))

    def move(self, connection: Connection, stage: Stage | None, now: float) -> None:
        """Puts it into another stage, None for away; where it is already, nothing changes."""
        if connection.stage is stage:
            return
        if connection.stage is not None:
            del connection.stage[connection]
        connection.stage = stage
        if stage is None:
            return
        deadline = now + self._seconds[id(stage)]
        if stage is self.reply and connection.reply is not None:
            deadline += connection.reply.waiting / self._slowest
        elif stage is not self.served:
            deadline = min(deadline, self._stops_at)
        stage[connection] = deadline

    def stop(self, by: float) -> None:
        """From now on nothing is waited for after `by`, but what is served already."""
        self._stops_at = by
        for stage in (self.idle, self.head, self.body, self.closing):
            for connection, deadline in stage.items():
                stage[connection] = min(deadline, by)

    def expired(self, now: float) -> list[Connection]:
        """Those whose deadline is over."""
        late = [connection for connection, deadline in self.reply.items() if deadline <= now]
        for stage in (self.idle, self.head, self.body, self.closing):
            for connection, deadline in stage.items():
                if deadline > now:
                    break  # those behind it came later
                late.append(connection)
        return late

    def expendable(self) -> Connection | None:
        """The one to drop for a new one: the oldest that is idle, else the oldest whose request is not complete."""
        for stage in (self.closing, self.idle, self.head, self.body):
            for connection in stage:
                return connection
        return None
