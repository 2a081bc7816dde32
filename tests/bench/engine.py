"""What a bench runs against: one engine of its own, or a whole demo of its own. Loopback only, ended in every case."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from failover import gateway
from failover.adapters.host_files import HostFiles
from failover.adapters.provision import create_missing
from failover.core.status.types import StatusDocument
from failover.lab.config import LabConfig
from failover.lab.control.client import LabClient
from failover.lab.engine.engine import Engine
from failover.lab.engine.replica import client
from tests.processes import free_port, running, wait_while_running
from tests.waiting import wait_until

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "lab",
    "AWS_SECRET_ACCESS_KEY": "lab",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}
REGIONS = ("us-east-1", "us-west-2")
HOLD_S = 0.2
SETTLED_MS = 400
SETTLE_S = 60.0


@contextlib.contextmanager
def credentials() -> Iterator[None]:
    """This process has the lab's credentials, and no real ones, within the block."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    os.environ.update(CREDENTIALS)
    try:
        yield
    finally:
        for name in CREDENTIALS:
            os.environ.pop(name, None)
        os.environ.update(before)


def make_table(url: str, region: str, name: str) -> None:
    """Makes one of the registered tables, with more patience than a vote has: an engine's first call is its slowest."""
    spec = next(table for table in gateway.tables() if table.name == name)
    create_missing(client("dynamodb", region, int(url.rpartition(":")[2])), spec)


@contextlib.contextmanager
def lone_engine(folder: Path, region: str) -> Iterator[str]:
    """One engine without front, DNS or replication; yields its URL."""
    stopping = threading.Event()
    engine = Engine(LabConfig(lab_dir=folder), region, on_crash=lambda _: None, stopping=stopping)
    try:
        yield f"http://127.0.0.1:{engine.start().port}"
    finally:
        stopping.set()
        engine.stop()


@dataclass(frozen=True)
class Demo:
    """A running demo: two web workers, the monitor, two regions with no distance between them."""

    folder: Path
    port: int

    @property
    def lab(self) -> LabClient:
        """Its faults."""
        return LabClient(self.folder)

    def front(self, region: str) -> str:
        """The URL at which the demo's own workers reach `region`, with the name already resolved."""
        port = next(row["front"]["port"] for row in self.lab.state()["regions"] if row["name"] == region)
        return f"http://127.0.0.1:{port}"

    def settle(self) -> None:
        """Waits until replication and counting have caught up, so that no round pays for the one before it. The
        counting of large shards, which rests for most of the time, is not waited for.
        """
        self.replicate()
        wait_until(self._counted, within=SETTLE_S, what="counting has caught up")

    def replicate(self) -> None:
        """Waits until replication has caught up."""
        wait_until(self._replicated, within=20, what="replication has caught up")

    def _replicated(self) -> bool:
        links = self.lab.state()["replication"]
        return all(not link["backlog"] and (link["last_lag_ms"] or 0) < SETTLED_MS for link in links)

    def _counted(self) -> bool:
        return not any(function["waiting"] for function in self.lab.state()["functions"])

    def status(self) -> StatusDocument | None:
        """What its monitor published last."""
        published = HostFiles(self.folder / "run").published(now=0.0)
        return published.status if published else None

    def circuit(self, region: str) -> str:
        """The host's circuit for `region`."""
        status = self.status()
        return next((row["circuit"] for row in status["regions"] if row["name"] == region), "") if status else ""


@contextlib.contextmanager
def demo(folder: Path, *, hold_s: float = HOLD_S) -> Iterator[Demo]:
    """`manage.py demo` with no added latency and, unless told, a short hold, so that failing back can be repeated."""
    port = free_port()
    with running(
        "demo", lab_dir=folder, PORT=str(port), WORKERS="2", LAB_RTT_MS="0", FAILOVER_HOLD_S=str(hold_s)
    ) as process:
        wait_while_running(process, (folder / "demo.json").exists, within=120, what="the demo is ready")
        yield Demo(folder, port)
