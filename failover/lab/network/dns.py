"""The lab's nameserver.

It answers real queries over UDP and TCP on loopback, in one mode per region.

A region has two names, ``dynamodb.<region>.amazonaws.com`` and
``<account>.ddb.<region>.amazonaws.com``. They share one mode, since the automation that failed on
20 October 2025 manages both. Each has one A record, 127.0.0.1. No other name exists. Negative
answers carry an SOA, whose last field is how long (s) a resolver may cache them.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never

from dnslib import QTYPE, RCODE, RR, SOA, A, DNSError, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from failover.lab.config import account_host, endpoint_host
from failover.lab.errors import LabError

TTL_S = 1
"""Time to live of every answer, negative ones too.

It is short: a fault and its end are felt at once.
"""


class DnsMode(StrEnum):
    """How the nameserver answers for one region."""

    OK = "ok"
    EMPTY = "empty"
    """NOERROR without an address: 20 October 2025."""
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    SILENT = "silent"
    """No answer at all, as if the packets were dropped. Over TCP the connection just ends."""


class _Resolver(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    def __init__(self, regions: Sequence[str]) -> None:
        self._names = {host(region): region for region in regions for host in (endpoint_host, account_host)}
        self.modes = dict.fromkeys(regions, DnsMode.OK)

    def resolve(self, request: DNSRecord, _handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        region = self._names.get(name)
        mode = self.modes[region] if region else DnsMode.NXDOMAIN
        match mode:
            case DnsMode.OK if request.q.qtype in (QTYPE.A, QTYPE.ANY):
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A("127.0.0.1"), ttl=TTL_S))
                return reply
            case DnsMode.OK | DnsMode.EMPTY:
                pass
            case DnsMode.NXDOMAIN:
                reply.header.rcode = RCODE.NXDOMAIN
            case DnsMode.SERVFAIL:
                reply.header.rcode = RCODE.SERVFAIL
                return reply  # without an SOA: this answer may not be cached
            case DnsMode.SILENT:
                # The server of dnslib then sends nothing.
                raise DNSError("this question is not answered")
            case _:
                assert_never(mode)
        soa = SOA("ns.lab.invalid", "lab.lab.invalid", (1, 60, 60, 3600, TTL_S))
        reply.add_auth(RR(name if region else "amazonaws.com", QTYPE.SOA, rdata=soa, ttl=TTL_S))
        return reply


class _UdpServer(socketserver.UDPServer):
    """Answers one query after the other.

    A thread for each, as dnslib has it, takes longer than an answer.
    """


class NameServer:
    """UDP and TCP on one free loopback port. ``set_mode`` is safe from any thread."""

    def __init__(self, regions: Sequence[str]) -> None:
        self._resolver = _Resolver(regions)
        self._servers: list[DNSServer] = []
        self.port = 0

    def start(self) -> None:
        """Listen. Raises LabError when no port is free for both protocols."""
        quiet = DNSLogger(log="-request,-reply,-truncated,-error,-recv,-send,-data")
        for _ in range(20):
            udp = DNSServer(self._resolver, "127.0.0.1", 0, logger=quiet, server=_UdpServer)
            port = udp.server.server_address[1]
            try:
                tcp = DNSServer(self._resolver, "127.0.0.1", port, tcp=True, logger=quiet)
            except OSError:
                udp.server.server_close()
                continue
            self.port, self._servers = port, [udp, tcp]
            for server in self._servers:
                server.start_thread()
            return
        raise LabError("no port is free for the lab's nameserver, over UDP and TCP both")

    def stop(self) -> None:
        """Stop listening."""
        stops = [threading.Thread(target=server.server.shutdown, daemon=True) for server in self._servers]
        for stop in stops:
            stop.start()
        for stop, server in zip(stops, self._servers, strict=True):
            stop.join(2)
            server.server.server_close()

    def mode(self, region: str) -> DnsMode:
        """How queries for a region are answered now."""
        return self._resolver.modes[region]

    def set_mode(self, region: str, mode: DnsMode) -> None:
        """Answer the next queries for a region in this mode."""
        self._resolver.modes[region] = mode
