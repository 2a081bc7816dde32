"""Items that are written in one region to see, from outside, whether they arrive in the other."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from failover.lab.engine.replica import EngineReplica
from failover.lab.errors import ReplicaDown
from failover.lab.faults.outside import State, region_of

PROBE_HASH = "lab-probe"
PROBE_LIFE_S = 3600
"""After which TTL may remove a probe item."""


@dataclass(frozen=True)
class Probe:
    """An item that is to be copied from one replica to another."""

    table: str
    key: dict[str, dict[str, str]]
    source: EngineReplica
    target: EngineReplica

    def send(self) -> None:
        """Write it at the source."""
        self.source.put(self.table, item(self.key, self.source.region))

    def arrived(self) -> bool:
        """Whether it is at the target."""
        return self.target.get(self.table, self.key) is not None

    def report(self, took_ms: float) -> str:
        """One phrase that says whether it has arrived."""
        verb = "has arrived" if self.arrived() else "has not arrived"
        return f"{self.source.region} to {self.target.region}: an item {verb} after {took_ms:.0f} ms"


def probes(state: State, region: str) -> list[Probe]:
    """One probe to and one from every other region. Raises ReplicaDown when an engine is stopped."""
    table, here = state["probe_table"], replica(state, region)
    names = here.key_names(table)
    peers = [replica(state, row["name"]) for row in state["regions"] if row["name"] != region]
    pairs = [pair for there in peers for pair in ((here, there), (there, here))]
    return [Probe(table, key(names, source.region), source, target) for source, target in pairs]


def key(names: tuple[str, ...], region: str) -> dict[str, dict[str, str]]:
    """A probe's key.

    Its hash key is that of all probes; its range key is unique and ends in the region of writing.
    """
    values = (PROBE_HASH, f"{uuid.uuid4()}#{region}")
    return {name: {"S": value} for name, value in zip(names, values, strict=False)}


def item(key: dict[str, dict[str, str]], region: str) -> dict[str, Any]:
    """A probe's item, stamped as the application's are. TTL removes it after PROBE_LIFE_S."""
    now = time.time()
    stamp = {"updated_at": {"N": str(int(now * 1e6))}, "updated_in": {"S": region}}
    return {**key, **stamp, "expires_at": {"N": str(int(now) + PROBE_LIFE_S)}}


def replica(state: State, region: str) -> EngineReplica:
    """The tables of the region's engine, past its front. Raises ReplicaDown when it is stopped."""
    engine = region_of(state, region)["engine"]
    if engine["port"] is None:
        raise ReplicaDown(f"the engine of {region} is stopped")
    return EngineReplica(region, engine["incarnation"], engine["port"])
