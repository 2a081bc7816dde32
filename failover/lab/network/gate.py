"""Controls the fronts from other threads. One event loop runs them all; each has a gate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from failover.lab.network.front import Front, FrontTls
from failover.lab.network.manners import OF_THE_CONNECTION, Manner

T = TypeVar("T")
CALL_TIMEOUT_S = 5.0


class FrontLoop:
    """The event loop that all fronts share, in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fronts", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the loop and wait for the result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def stop(self) -> None:
        """End the loop and its thread.

        Tasks in it are cancelled, such as a handshake that never ends.
        """
        if self._thread.is_alive():
            self.run(_cancel_all())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Gate:
    """Opens a region's front while its engine is ready and no fault keeps it shut. For any thread.

    A fault of the connection and one of the reply may be in force at the same time. A client meets the
    first one first, so it decides while both are.
    """

    def __init__(self, loop: FrontLoop, rtt_ms: float, tls: FrontTls | None = None) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._front = Front(rtt_ms, tls)
        self._ready = False
        self._connection = self._reply = Manner.SERVE

    @property
    def port(self) -> int:
        """The port that the application knows."""
        return self._front.port

    @property
    def rtt_ms(self) -> float:
        """The region's round trip, ms, without what a fault adds."""
        return self._front.rtt_ms

    @property
    def is_open(self) -> bool:
        """Whether a new connection is accepted."""
        return self._front.is_open

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._front.connections)

    def ready(self, engine_port: int) -> None:
        """Open the front to the engine at this port, unless a fault keeps it shut.

        The engine must have its tables and data.
        """
        with self._lock:
            self._front.engine_port = engine_port
            self._ready = True
            self._settle()

    def not_ready(self) -> int:
        """The engine is stopping or gone: shut the front and cut its connections.

        Returns how many were cut.
        """
        with self._lock:
            self._ready = False
            self._settle()
            return self.cut()

    def treat(self, manner: Manner) -> None:
        """Treat new connections in a fault's manner, or serve them again (Manner.SERVE)."""
        with self._lock:
            if manner is Manner.SERVE:
                self._connection = self._reply = manner
            elif manner in OF_THE_CONNECTION:
                self._connection = manner
            else:
                self._reply = manner
            self._settle()

    def treat_no_longer(self, manner: Manner) -> None:
        """End a fault's manner. A fault of the other layer goes on."""
        with self._lock:
            if manner is self._connection:
                self._connection = Manner.SERVE
            if manner is self._reply:
                self._reply = Manner.SERVE
            self._settle()

    def slow(self, added_ms: float) -> None:
        """Add to the round trip, ms, of open connections too; 0 adds nothing."""
        self._front.added_ms = added_ms

    def work(self, service_ms: float) -> None:
        """Work on one request at a time, each so long in ms, on new connections; 0 ends it."""

        async def work() -> None:
            self._front.work(service_ms)

        self._loop.run(work())

    def cut(self) -> int:
        """Reset every open connection and return how many there were."""

        async def cut() -> int:
            return self._front.cut()

        return self._loop.run(cut())

    def end(self) -> None:
        """Shut the front, cut its connections and give its port back."""
        self._loop.run(self._front.end())

    def _settle(self) -> None:
        manner = self._connection if self._connection is not Manner.SERVE else self._reply
        # A black hole drops packets whether or not there is an engine behind it.
        in_force = self._ready or manner is Manner.BLACKHOLE
        self._loop.run(self._front.treat(manner if in_force else Manner.REFUSE))
