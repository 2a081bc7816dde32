"""One region: its engine, its tables and its front, through starts, stops and crashes."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from failover.lab.config import LabConfig
from failover.lab.engine.engine import Engine, Running
from failover.lab.engine.replica import EngineReplica
from failover.lab.errors import LabError, LabStopping, ReplicaDown
from failover.lab.network.front import FrontTls
from failover.lab.network.gate import FrontLoop, Gate
from failover.lab.tables import TableSpec
from failover.lab.waiting import wait_until

CRASHES_ALLOWED = 3
CRASH_WINDOW_S = 60.0
"""An engine that crashes this often in the window stays down: restarts do not mend it."""
RESYNC_PATIENCE_S = 30.0
"""How long a start waits for the comparison with the other regions."""

log = logging.getLogger(__name__)


class RegionState(StrEnum):
    """Where a region is in its life. Its front is open in ``RUNNING`` only."""

    STOPPED = "stopped"
    STARTING = "starting"
    RESYNCING = "resyncing"
    RUNNING = "running"
    FAILED = "failed"


class Region:
    """Keeps engine and front together: the front is open only while the engine is ready.

    An engine is ready once it has its tables and has been compared with the other regions.

    ``synced(name)`` says whether this region has been compared with every living peer, both ways.
    ``changed()`` is called when the engine has another pid and port. With ``tls`` the front speaks
    TLS only.
    """

    def __init__(
        self,
        name: str,
        config: LabConfig,
        tables: Sequence[TableSpec],
        loop: FrontLoop,
        *,
        synced: Callable[[str], bool],
        changed: Callable[[], None],
        stopping: threading.Event,
        tls: FrontTls | None = None,
    ) -> None:
        self.name = name
        self.gate = Gate(loop, config.rtt_of(name), tls)
        self.engine = Engine(config, name, on_crash=self._crashed, stopping=stopping)
        self._tables = tuple(tables)
        self._synced = synced
        self._changed = changed
        self._stopping = stopping
        self._life = threading.RLock()
        self._state = RegionState.STOPPED
        self._replica: EngineReplica | None = None
        self._crashes: deque[float] = deque(maxlen=CRASHES_ALLOWED)

    @property
    def state(self) -> RegionState:
        """Where the region is in its life."""
        return self._state

    @property
    def replica(self) -> EngineReplica | None:
        """The tables of the present incarnation, once they exist; None while the engine is down."""
        return self._replica

    def start(self) -> None:
        """Start the engine, create its tables, compare the replicas and open the front.

        Returns when the front is open, or after RESYNC_PATIENCE_S. The comparison cannot end while
        replication is paused; the front then opens by itself later. Raises LabError when the engine
        or a table fails, LabStopping when the lab stops.
        """
        with self._life:
            if self._state in (RegionState.STARTING, RegionState.RESYNCING, RegionState.RUNNING):
                return
            self._state = RegionState.STARTING
            try:
                running = self.engine.start()
                replica = EngineReplica(self.name, running.incarnation, running.port)
                self._create_tables(replica)
            except LabError:
                self._state = RegionState.FAILED
                self.engine.stop()
                raise
            self._replica = replica
            self._state = RegionState.RESYNCING
            self._changed()
        opener = threading.Thread(target=self._open, args=(running,), name=f"open-{self.name}", daemon=True)
        opener.start()
        opener.join(RESYNC_PATIENCE_S)
        if self._stopping.is_set():
            raise LabStopping(f"stopped while {self.name} was starting")

    def _open(self, running: Running) -> None:
        """Open the front once this incarnation has been compared, unless there is a newer one."""

        def is_over() -> bool:
            return self.engine.running is not running or self._synced(self.name)

        wait_until(is_over, float("inf"), stopping=self._stopping)
        with self._life:
            is_current = self._state is RegionState.RESYNCING and self.engine.running is running
            if is_current and not self._stopping.is_set():
                self._state = RegionState.RUNNING
                self.gate.ready(running.port)

    def stop(self) -> int:
        """Shut the front, cut its connections and stop the engine in order.

        Returns how many connections were cut.
        """
        with self._life:
            self._state = RegionState.STOPPED
            self._replica = None
            cut = self.gate.not_ready()
            self.engine.stop()
            return cut

    def add_table(self, table: TableSpec) -> None:
        """Create a table here, empty, and again whenever the engine starts empty."""
        with self._life:
            self._tables = (*self._tables, table)
            if self._replica is not None:
                self._replica.delete_table(table.name)  # an engine that was saved amid a drill still has it
                self._replica.create_tables((table,))

    def remove_table(self, name: str) -> None:
        """Delete a table that was added. Raises ReplicaDown."""
        with self._life:
            self._tables = tuple(table for table in self._tables if table.name != name)
            if self._replica is not None:
                self._replica.delete_table(name)

    def snapshot(self) -> dict[str, Any]:
        """The region's part of the state document."""
        running = self.engine.running
        return {
            "name": self.name,
            "state": self._state,
            "engine": {
                "pid": running.pid if running else None,
                "port": running.port if running else None,
                "incarnation": self.engine.incarnations,
                "saved": self.engine.is_saved,
            },
            "front": {
                "port": self.gate.port,
                "open": self.gate.is_open,
                "connections": self.gate.connections,
                "rtt_ms": self.gate.rtt_ms,
            },
        }

    def _create_tables(self, replica: EngineReplica) -> None:
        errors: list[ReplicaDown] = []

        def created() -> bool:
            try:
                replica.create_tables(self._tables)
            except ReplicaDown as error:  # the port answers a moment before the engine's handlers are ready
                errors.append(error)
                return False
            return True

        if not wait_until(created, 10, stopping=self._stopping):
            raise LabError(f"{self.name}: the tables could not be made: {errors[-1]}")

    def _crashed(self, incarnation: int) -> None:
        """The engine ended by itself: shut the front at once, then start the engine again, empty.

        After CRASHES_ALLOWED crashes within CRASH_WINDOW_S it stays down.
        """
        with self._life:
            if self._state in (RegionState.STOPPED, RegionState.FAILED) or self.engine.incarnations != incarnation:
                return
            self._replica = None
            self.gate.not_ready()
            now = time.monotonic()
            self._crashes.append(now)
            stays_down = len(self._crashes) == CRASHES_ALLOWED and now - self._crashes[0] < CRASH_WINDOW_S
            self._state = RegionState.FAILED if stays_down else RegionState.STOPPED
        if stays_down:
            log.error("the engine of %s crashed %d times: it stays down", self.name, CRASHES_ALLOWED)
            return
        log.warning("the engine of %s ended without being told to: it starts again, empty", self.name)
        try:
            self.start()
        except LabStopping:
            return
        except LabError as error:
            log.error("%s", error)
