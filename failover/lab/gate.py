"""The front for everybody who is not on its event loop: one loop in a thread of its own, and a gate a region."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from failover.lab.front import Front

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
        """End the loop and its thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()


class Gate:
    """Opens a region's front only while its engine is ready **and** no fault keeps it shut."""

    def __init__(self, loop: FrontLoop, rtt_ms: float) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._front = Front(rtt_ms)
        self._ready = False
        self._refusing = False

    @property
    def port(self) -> int:
        """The port that the application knows."""
        return self._front.port

    @property
    def rtt_ms(self) -> float:
        """Added round trip, ms."""
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
        """The engine behind this port has its tables and its data."""
        with self._lock:
            self._front.engine_port = engine_port
            self._ready = True
            self._settle()

    def not_ready(self) -> int:
        """The engine is going or gone: shut and cut. Returns how many connections were cut."""
        with self._lock:
            self._ready = False
            self._settle()
            return self.cut()

    def refuse(self, refusing: bool) -> None:
        """A fault shuts the door, or lets go of it."""
        with self._lock:
            self._refusing = refusing
            self._settle()

    def cut(self) -> int:
        """Reset every open connection; returns how many there were."""

        async def cut() -> int:
            return self._front.cut()

        return self._loop.run(cut())

    def end(self) -> None:
        """Give everything back."""

        async def end() -> None:
            self._front.end()

        self._loop.run(end())

    def _settle(self) -> None:
        async def settle() -> None:
            if self._ready and not self._refusing:
                await self._front.open()
            else:
                self._front.shut()

        self._loop.run(settle())
