"""Run by `test_real_resolver` in its own namespaces, where glibc itself asks the lab's nameserver for the endpoints.

Each scenario breaks the name of us-east-1 in one way and records the outcome of a call. Prints one JSON document.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnslib import DNSRecord

from failover import gateway, wiring
from failover.adapters import dns
from failover.adapters.control_store import ControlRow
from failover.conf import FailoverConfig
from failover.lab.network.dns import DnsMode, NameServer
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.faulty import EAST, WEST

TIMEOUT_S = 0.5
PRINTER = "127.0.0.7"
FILES = {
    # glibc's own defaults: five seconds, twice.
    "/etc/resolv.conf": "nameserver 127.0.0.1\nsearch .\noptions timeout:5 attempts:2\n",
    "/etc/hosts": f"127.0.0.1 localhost\n{PRINTER} printer.classroom\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}


def raise_loopback() -> None:
    """Switches on the loopback interface of a new network namespace."""
    up = 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", up))  # SIOCSIFFLAGS


def mount_files(into: Path) -> None:
    """Mounts this namespace's own resolver files over the host's."""
    for target, content in FILES.items():
        if Path(target).exists():
            own = into / Path(target).name
            own.write_text(content)
            subprocess.run(["mount", "--bind", str(own), target], check=True)


class Zone:
    """The lab's nameserver, with faults of a name that it does not have itself."""

    def __init__(self, lab: NameServer) -> None:
        self._lab = lab
        self.east: Callable[[DNSRecord], DNSRecord | None] = self.lab

    def __call__(self, question: DNSRecord) -> DNSRecord | None:
        return (self.east if EAST in str(question.q.qname) else self.lab)(question)

    def lab(self, question: DNSRecord) -> DNSRecord:
        """As the lab answers."""
        return DNSRecord.parse(question.send("127.0.0.1", self._lab.port, timeout=5))

    def breaks(self, how: str) -> None:
        """Breaks us-east-1's name in this way; "ok" mends it."""
        self._lab.set_mode(EAST, DnsMode.EMPTY if how == "empty" else DnsMode.OK)
        others = {"nxdomain": faulty_dns.nxdomain, "servfail": faulty_dns.servfail, "silence": faulty_dns.silence}
        self.east = others.get(how, self.lab)


def put(_: gateway.Bound) -> None:
    ControlRow("k", "i", document="{}").put()


def timed(ask: Callable[[], Any]) -> dict[str, Any]:
    """Calls `ask`; its duration, and its value or the code of its error."""
    began = time.monotonic()
    try:
        value, code = ask(), None
    except socket.gaierror as error:
        value, code = None, error.errno
    return {"seconds": time.monotonic() - began, "value": value, "code": code}


def resolved(name: str) -> list[str]:
    return sorted({str(info[4][0]) for info in socket.getaddrinfo(name, 80, socket.AF_INET)})


def call() -> dict[str, Any]:
    """One routed write over fresh connections."""
    for client in wiring.current().clients.values():
        client.close()
    began = time.monotonic()
    routed = gateway.write(put, idempotent=True)
    return {
        "seconds": time.monotonic() - began,
        "region": routed.region,
        "attempts": [[attempt.region, attempt.outcome.value, attempt.detail] for attempt in routed.attempts],
    }


def scenario(config: FailoverConfig, zone: Zone, how: str, *, alone: bool) -> dict[str, Any]:
    """A call before the name breaks, then one with the broken name, and lookups of other names.

    `alone`: also a lookup by glibc without our time limit.
    """
    host, results = config.host(EAST), {}
    zone.breaks("ok")
    with wiring.using(config):
        results["before"] = call()
        zone.breaks(how)
        # With a dot at its end: otherwise glibc also tries the name with each domain of the search list.
        asked_alone = f"{host}."

        def look_up_alone() -> None:
            results["glibc"] = timed(lambda: bool(dns._original(asked_alone, 80)))

        glibc = threading.Thread(target=look_up_alone)
        if alone:
            glibc.start()
        results["call"] = call()
        results["endpoint"] = timed(lambda: resolved(host))
        results["printer"] = timed(lambda: resolved("printer.classroom"))
        results["nowhere"] = timed(lambda: resolved("nowhere.example"))
        if alone:
            glibc.join()
        zone.breaks("ok")
    return results


def main() -> None:
    """Runs every scenario, without and with stale answers."""
    raise_loopback()
    with tempfile.TemporaryDirectory() as directory:
        mount_files(Path(directory))
        lab = NameServer((EAST, WEST))
        lab.start()
        answers = faulty.says(faulty.reply(200, {}))
        zone = Zone(lab)
        with faulty_dns.nameserver(zone, 53), faulty.server(answers) as east, faulty.server(answers) as west:
            plain = faulty.make_config(Path(directory), {EAST: east, WEST: west}, ("127.0.0.1", 53))
            own = replace(plain, nameserver=None, connect_timeout_s=TIMEOUT_S, read_timeout_s=5.0)
            failures = ("empty", "nxdomain", "servfail", "silence")
            report = {how: scenario(own, zone, how, alone=True) for how in failures}
            patient = replace(own, dns_stale_s=60.0)
            # Silence takes glibc ten seconds: once is enough.
            report["stale"] = {how: scenario(patient, zone, how, alone=how != "silence") for how in failures}
        lab.stop()
    print(json.dumps(report))  # noqa: T201  (what the parent reads)


if __name__ == "__main__":
    main()
