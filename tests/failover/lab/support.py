"""Starts a lab for tests, without Django: small tables, real engines, ended by its lifeline."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from failover.adapters import lifeline
from failover.lab.control.client import LabClient
from failover.lab.engine.replica import EngineReplica
from failover.lab.errors import LabNotRunning
from failover.lab.faults import verify
from failover.lab.faults.kinds import FaultKind
from failover.lab.tables import Table
from tests.processes import ROOT
from tests.waiting import wait_until

EAST, WEST = "us-east-1", "us-west-2"
RTT_MS = 60
FAULT_MS = {"latency": 300, "overload": 100, "replication-delay": 500}
"""Milliseconds for the kinds of faults that take some."""


def table(name: str, *, replicated: bool = True) -> Table:
    keys = (("kind", "HASH"), ("id", "RANGE"))
    create = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": key, "KeyType": role} for key, role in keys],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    }
    return Table(name, create, ttl_attribute="expires_at", replicated=replicated)


TABLES = (table("survey-control"), table("survey-votes"), table("survey-tallies", replicated=False))


def stamped(region: str) -> dict[str, Any]:
    """A new item as the application writes it: stamped with the time and the region of writing."""
    key = {"kind": {"S": "test"}, "id": {"S": uuid.uuid4().hex}}
    stamp = {"updated_at": {"N": str(time.time_ns() // 1000)}, "updated_in": {"S": region}}
    return key | stamp


def key(item: dict[str, Any]) -> dict[str, Any]:
    return {"kind": item["kind"], "id": item["id"]}


@dataclass
class OwnLab:
    """A lab process, and what a test asks of it."""

    dir: Path
    process: subprocess.Popen[str]
    client: LabClient
    replicas: dict[tuple[str, int], EngineReplica] = field(default_factory=dict)

    def region(self, name: str) -> dict[str, Any]:
        return next(row for row in self.client.state()["regions"] if row["name"] == name)

    def link(self, source: str, target: str) -> dict[str, Any]:
        rows = self.client.state()["replication"]
        return next(row for row in rows if (row["from"], row["to"]) == (source, target))

    def replica(self, name: str) -> EngineReplica:
        engine = self.region(name)["engine"]
        incarnation = name, engine["incarnation"]
        if incarnation not in self.replicas:
            self.replicas[incarnation] = EngineReplica(*incarnation, engine["port"])
        return self.replicas[incarnation]

    def engine_pids(self) -> list[int]:
        return [row["engine"]["pid"] for row in self.client.state()["regions"] if row["engine"]["pid"]]

    def contents(self, name: str, table: str = "survey-votes") -> list[dict[str, Any]]:
        return sorted((dict(item) for item in self.replica(name).scan(table)), key=lambda item: item["id"]["S"])

    def wait_running(self, name: str, *, incarnation: int) -> None:
        def runs_again() -> bool:
            row = self.region(name)
            return row["state"] == "running" and row["engine"]["incarnation"] == incarnation

        wait_until(runs_again, within=20, what=f"{name} runs again, incarnation {incarnation}")

    def wait_copied(self, item: dict[str, Any], to: str) -> None:
        replica = self.replica(to)
        wait_until(lambda: replica.get("survey-votes", key(item)) == item, within=10, what=f"the item arrives in {to}")


def lives(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not reaped by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@contextmanager
def own_lab(lab_dir: Path, **environment: str) -> Iterator[OwnLab]:
    """Starts a lab and waits until it is ready.

    The end of the block closes its lifeline, which ends the lab.
    """
    lab_dir.mkdir(parents=True, exist_ok=True)
    specs = lab_dir / "tables.json"
    specs.write_text(json.dumps([vars(spec) for spec in TABLES]))
    alive, held = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "failover.lab", "--lab-dir", str(lab_dir), "--specs", str(specs)],
        cwd=ROOT,
        env={**os.environ, "LAB_RTT_MS": str(RTT_MS), lifeline.VARIABLE: str(alive), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(alive,),
        text=True,
    )
    os.close(alive)
    lab = OwnLab(lab_dir, process, LabClient(lab_dir))
    try:

        def ready() -> bool:
            assert process.poll() is None, f"the lab ended: {process.communicate()[0]}"
            try:
                return (lab_dir / "app.env").exists() and lab.client.state()["pid"] == process.pid
            except LabNotRunning:
                # The files are those of a killed lab, which this one is about to remove.
                return False

        wait_until(ready, within=30, what="the lab is ready")
        yield lab
    finally:
        os.close(held)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def seen_while_it_lasts_only(cloud: OwnLab, kind: FaultKind) -> None:
    """Sets the fault and clears it. Its check must see it in between, and only then."""
    before = cloud.client.state()
    ms = FAULT_MS.get(kind.name)
    fault: dict[str, Any] = {"kind": kind.name, "region": EAST, "layer": kind.layer, "cut": 0}
    fault |= {"keep_connections": False, "ms": ms}
    assert not verify.took_hold(before, fault).holds, "the check sees a fault where there is none"
    fault = cloud.client.set_fault(EAST, kind.name, seconds=120, ms=ms)
    with ThreadPoolExecutor(1) as pool:
        # In a pause this check would wait for its probe for as long as a backlog may last.
        is_gone = None if kind.name == "replication-pause" else pool.submit(verify.is_gone, before, fault)
        took_hold = verify.took_hold(before, fault)
        assert took_hold.holds, took_hold.text
        assert is_gone is None or not is_gone.result().holds, "the check sees no fault where there is one"
    (cleared,) = cloud.client.clear(EAST)
    gone = verify.is_gone(cloud.client.state(), cleared)
    assert gone.holds, gone.text
