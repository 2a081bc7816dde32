"""The lab as a whole: starts all its parts in order and stops them in order.

``run_lab(config, tables)`` blocks until SIGTERM, SIGINT, SIGHUP, or the end of the parent process
that holds the lifeline (see adapters/lifeline.py).
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

from failover.adapters import lifeline
from failover.lab import files
from failover.lab.config import LabConfig
from failover.lab.control.server import ControlServer
from failover.lab.disk import DiskWatch
from failover.lab.drill_tables import DrillTables
from failover.lab.engine.programs import refuse_another_engine
from failover.lab.engine.replica import EngineReplica
from failover.lab.errors import LabStopping, LabUnsaved
from failover.lab.faults.book import FaultBook
from failover.lab.faults.kinds import World
from failover.lab.functions.event_source import Trigger
from failover.lab.functions.triggers import Triggers
from failover.lab.logs import log_to_file
from failover.lab.network.dns import NameServer
from failover.lab.network.front import FrontTls
from failover.lab.network.gate import FrontLoop
from failover.lab.region import Region, RegionState
from failover.lab.replication.threads import Replication
from failover.lab.tables import TableSpec

log = logging.getLogger(__name__)
ALIVE = (RegionState.STARTING, RegionState.RESYNCING, RegionState.RUNNING)
"""A region in one of these states takes part in replication, or is about to."""
PROBE_TABLE = "survey-control"
"""The table into which checks of replication write their items."""


class Lab:
    """All parts of one local cloud. Call ``start`` and ``stop`` once each, from one thread."""

    def __init__(
        self,
        config: LabConfig,
        tables: Sequence[TableSpec],
        stopping: threading.Event,
        triggers: Sequence[Trigger] = (),
    ) -> None:
        self._config = config
        self._tables = tuple(tables)
        self._stopping = stopping
        self._loop = FrontLoop()
        self._nameserver = NameServer(config.regions)
        self._replication = Replication(config.regions, tables, self._replica)
        self._triggers = Triggers(triggers, config.regions, config.lab_dir, self._replica)
        self._regions: dict[str, Region] = {}
        self._drill_tables = DrillTables(self._regions, self._replication)
        self._book: FaultBook | None = None
        self._control: ControlServer | None = None
        self._publishing = threading.Lock()

    def start(self) -> None:
        """Start everything; app.env is written last.

        Raises LabError in one line; call ``stop`` then too.
        """
        config = self._config
        files.remove(config.lab_dir)  # those of a lab that was killed
        certificates = _certificates(config)
        self._loop.start()
        self._nameserver.start()
        for name in config.regions:
            self._regions[name] = Region(
                name,
                config,
                self._tables,
                self._loop,
                synced=self._synced,
                changed=self._publish_again,
                stopping=self._stopping,
                tls=certificates.get(name),
            )
        self._replication.start()
        self._triggers.start()
        with ThreadPoolExecutor(len(self._regions)) as pool:
            list(pool.map(Region.start, self._regions.values()))
        self._book = FaultBook(World(self._regions, self._nameserver, self._replication, config.tls))
        self._book.start()
        token = secrets.token_urlsafe(32)
        self._control = ControlServer(self._book, self._drill_tables, self.state, token)
        self._control.start()
        files.write_token(config.lab_dir, token)
        self._publish()
        fronts = {name: region.gate.port for name, region in self._regions.items()}
        files.write_app_env(config.lab_dir, fronts, self._nameserver.port, tls=config.tls)

    def stop(self) -> None:
        """Stop everything in order; the engines keep their data.

        Harmless after a start that failed half-way.
        """
        self._stopping.set()
        with self._publishing:
            files.remove(self._config.lab_dir)
            control, self._control = self._control, None
        if control is not None:
            control.stop()
        if self._book is not None:
            self._book.close()
        self._replication.close()
        self._triggers.close()
        if self._regions:
            with ThreadPoolExecutor(len(self._regions)) as pool:
                list(pool.map(Region.stop, self._regions.values()))
        self._replication.join()
        self._triggers.join()
        for region in self._regions.values():
            region.gate.end()
        self._loop.stop()
        self._nameserver.stop()

    def unsaved(self) -> list[str]:
        """The regions whose engine could not save its tables when it was stopped."""
        return [name for name, region in self._regions.items() if not region.engine.is_saved]

    def state(self) -> dict[str, Any]:
        """The state document."""
        faults = self._book.active() if self._book else []
        regions = [
            region.snapshot()
            | {
                "dns": self._nameserver.mode(name),
                "faults": [fault for fault in faults if fault["region"] == name],
            }
            for name, region in self._regions.items()
        ]
        replicated = [table.name for table in self._tables if table.replicated]
        return {
            "pid": os.getpid(),
            "tls": {"ca": str(self._config.lab_dir / files.CA)} if self._config.tls else None,
            "nameserver": {"host": "127.0.0.1", "port": self._nameserver.port},
            "regions": regions,
            "replication": self._replication.state(),
            "functions": self._triggers.state(),
            "drill_tables": self._drill_tables.names(),
            "probe_table": PROBE_TABLE if PROBE_TABLE in replicated else next(iter(replicated), None),
        }

    def line(self) -> str:
        """The line that the lab prints when it is ready."""
        regions = ", ".join(
            f"{name} 127.0.0.1:{region.gate.port} (+{region.gate.rtt_ms:g} ms)"
            for name, region in self._regions.items()
        )
        tls = "  TLS" if self._config.tls else ""
        return f"lab ready  {regions}{tls}  DNS 127.0.0.1:{self._nameserver.port}  in {self._config.lab_dir}"

    def _replica(self, name: str) -> EngineReplica | None:
        region = self._regions.get(name)
        return region.replica if region else None

    def _synced(self, name: str) -> bool:
        """Whether a region has been compared with every peer that is up.

        Another is compared when it comes back.
        """
        peers = (peer for peer in self._regions.values() if peer.name != name and peer.state in ALIVE)
        return all(self._replication.in_sync(name, peer.name) for peer in peers)

    def _publish(self) -> None:
        """Write control.json, with the engines' present pids and ports."""
        with self._publishing:
            if self._control is not None:
                running = {name: region.engine.running for name, region in self._regions.items()}
                engines = {name: {"port": engine.port, "pid": engine.pid} for name, engine in running.items() if engine}
                files.write_control(self._config.lab_dir, self._control.url, engines)

    def _publish_again(self) -> None:
        """Write control.json after a restart of an engine.

        On a full disk the old file stays: that the region comes back matters more.
        """
        try:
            self._publish()
        except OSError as error:
            log.warning("%s cannot be written: %s", files.CONTROL, error)


def run_lab(
    config: LabConfig, tables: Sequence[TableSpec], *, say: Callable[[str], object], triggers: Sequence[Trigger] = ()
) -> None:
    """Run a lab until it is stopped.

    ``say`` gets one line when it is ready, and one when its disk becomes nearly full. Raises
    LabError, in one line; LabUnsaved when an engine could not save its tables at the end.
    """
    lock = files.DirLock(config.lab_dir)
    lock.take()
    os.umask(0o077)  # only its owner may read the lab's files, whatever the shell's mask is
    refuse_another_engine(config)
    log_to_file(config.lab_dir)
    stopping = threading.Event()
    _stop_on_signals(stopping)
    lifeline.hold(stopping.set)
    lab = Lab(config, tables, stopping, triggers)
    try:
        lab.start()
        say(lab.line())
        disk = DiskWatch(config.lab_dir)
        while not stopping.wait(1.0):
            if line := disk.line():
                with contextlib.suppress(OSError):  # the line itself may go to the same disk
                    say(line)
    except LabStopping:
        return
    finally:
        lab.stop()
        lock.release()
    unsaved = lab.unsaved()
    if unsaved:
        raise LabUnsaved(
            f"the tables of {' and '.join(unsaved)} could not be saved in {config.lab_dir}: is the disk full? Votes "
            "since the last stop are lost there; what was saved before is kept"
        )


def _certificates(config: LabConfig) -> dict[str, FrontTls]:
    """The certificates of each region's front, by region; empty in a lab without TLS."""
    if not config.tls:
        return {}
    # Imported here because it loads a large cryptography library.
    from failover.lab.network.certificates import make_certificates

    return make_certificates(config.lab_dir, config.regions)


def _stop_on_signals(stopping: threading.Event) -> None:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
