"""Looks, from outside the lab, whether a fault is really felt and really gone.

Runs in the caller's process and uses real means only: a DNS query over UDP, a TCP connection, a process id, an item
written to one replica and looked for in the other. What the lab believes of itself is asked only for addresses.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dnslib import QTYPE, RCODE, DNSError, DNSRecord

from failover.lab.config import endpoint_host
from failover.lab.errors import LabError, ReplicaDown
from failover.lab.replica import EngineReplica
from failover.lab.waiting import wait_until

PROBE_HASH = "lab-probe"
PROBE_LIFE_S = 3600
HELD_S = 1.0
"""How long a probe item must stay away for a pause to be believed: some ten times the usual lag."""
ARRIVES_S = 30.0
"""How long a probe may take behind the backlog of a long pause, which is copied at some 600 items a second."""
State = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What was seen from outside: ``holds`` when it is as it should be."""

    holds: bool
    text: str


def region_of(state: State, region: str) -> dict[str, Any]:
    """The region's part of a state document."""
    for row in state["regions"]:
        if row["name"] == region:
            found: dict[str, Any] = row
            return found
    raise LabError(f"the lab's state has no region {region}")


def took_hold(state: State, fault: dict[str, Any]) -> Finding:
    """Whether a fault is felt. ``state`` is from just before it was set: it still knows a stopped engine's pid."""
    check = CHECKS.get(fault["kind"])
    if check is None:
        return Finding(False, f"nobody knows how to check {fault['kind']}")
    finding = check(state, fault["region"], True)
    return Finding(finding.holds, f"{finding.text}{_connections(fault)}")


def _connections(fault: dict[str, Any]) -> str:
    if fault["keep_connections"]:
        return "; open connections were kept"
    match fault["cut"]:
        case 0:
            return ""
        case 1:
            return "; 1 open connection was cut"
        case count:
            return f"; {count} open connections were cut"


def is_gone(state: State, fault: dict[str, Any]) -> Finding:
    """Whether a cleared fault is no longer felt."""
    check = CHECKS.get(fault["kind"])
    return check(state, fault["region"], False) if check else Finding(False, f"nobody can check {fault['kind']}")


def ask_nameserver(state: State, name: str) -> tuple[str, list[str]]:
    """A real query over UDP: the answer's code (``NOERROR`` ...) and its A records."""
    server = state["nameserver"]
    try:
        reply = DNSRecord.parse(DNSRecord.question(name, "A").send(server["host"], server["port"], timeout=2))
    except TimeoutError:
        return "SILENCE", []
    except (OSError, DNSError) as error:
        return str(error), []
    return RCODE.get(reply.header.rcode), [str(row.rdata) for row in reply.rr if row.rtype == QTYPE.A]


def connects(port: int) -> str:
    """A real connection: "accepted", "refused", or what else happened."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return "accepted"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return str(error)


def process_lives(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _dns_empty(state: State, region: str, broken: bool) -> Finding:
    name = endpoint_host(region)
    code, addresses = ask_nameserver(state, name)
    expected = code == "NOERROR" and (not addresses if broken else addresses == ["127.0.0.1"])
    return Finding(expected, f"the nameserver answers {code} with {len(addresses)} addresses for {name}")


def _refuse(state: State, region: str, broken: bool) -> Finding:
    port = region_of(state, region)["front"]["port"]
    seen = connects(port)
    return Finding(seen == ("refused" if broken else "accepted"), f"a connection to {region} (port {port}) is {seen}")


def _stop(state: State, region: str, broken: bool) -> Finding:
    door = _refuse(state, region, broken)
    pid = region_of(state, region)["engine"]["pid"]
    lives = pid is not None and process_lives(pid)
    engine = f"its engine runs (pid {pid})" if lives else f"its engine (pid {pid}) is gone"
    return Finding(door.holds and lives is not broken, f"{door.text}, {engine}")


@dataclass(frozen=True)
class _Probe:
    """An item on its way from one replica to another."""

    table: str
    key: dict[str, dict[str, str]]
    source: EngineReplica
    target: EngineReplica

    def send(self) -> None:
        now = time.time()
        stamp = {"updated_at": {"N": str(int(now * 1e6))}, "updated_in": {"S": self.source.region}}
        self.source.put(self.table, self.key | stamp | {"expires_at": {"N": str(int(now) + PROBE_LIFE_S)}})

    def arrived(self) -> bool:
        return self.target.get(self.table, self.key) is not None

    def report(self, took_ms: float) -> str:
        seen = "has arrived" if self.arrived() else "has not arrived"
        return f"{self.source.region} to {self.target.region}: an item {seen} after {took_ms:.0f} ms"


def _replication_pause(state: State, region: str, broken: bool) -> Finding:
    started = time.monotonic()
    try:
        probes = [probe for row in state["regions"] if row["name"] != region for probe in _probes(state, region, row)]
        for probe in probes:
            probe.send()
        if broken:
            holds = not wait_until(lambda: any(probe.arrived() for probe in probes), HELD_S)
        else:
            holds = wait_until(lambda: all(probe.arrived() for probe in probes), ARRIVES_S)
        took = (time.monotonic() - started) * 1000
        seen = [probe.report(took) for probe in probes]
    except ReplicaDown as error:
        return Finding(False, f"replication cannot be probed: {error}")
    return Finding(holds, "; ".join(seen))


def _probes(state: State, region: str, peer: dict[str, Any]) -> list[_Probe]:
    table, here, there = state["probe_table"], _replica(state, region), _replica(state, peer["name"])
    names = here.key_names(table)
    return [
        _Probe(table, _probe_key(names, source.region), source, target)
        for source, target in ((here, there), (there, here))
    ]


def _probe_key(names: tuple[str, ...], region: str) -> dict[str, dict[str, str]]:
    """The hash key is the same for all probes; the rest of the key is unique and ends in the region of writing."""
    values = (PROBE_HASH, f"{uuid.uuid4()}#{region}")
    return {name: {"S": value} for name, value in zip(names, values, strict=False)}


def _replica(state: State, region: str) -> EngineReplica:
    engine = region_of(state, region)["engine"]
    if engine["port"] is None:
        raise ReplicaDown(f"the engine of {region} is stopped")
    return EngineReplica(region, engine["incarnation"], engine["port"])


CHECKS: dict[str, Callable[[State, str, bool], Finding]] = {
    "dns-empty": _dns_empty,
    "refuse": _refuse,
    "stop": _stop,
    "replication-pause": _replication_pause,
}
