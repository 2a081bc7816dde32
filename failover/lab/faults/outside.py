"""Real means to look at the lab from outside: a DNS query over UDP, a connection, a handshake, an HTTP request.

Everything here runs in the caller's process. What the lab believes of itself is asked only for addresses.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from dnslib import QTYPE, RCODE, DNSError, DNSRecord

from failover.lab.config import endpoint_host
from failover.lab.errors import LabError

WAIT_S = 2.0
"""How long a look waits before it calls what it sees silence: a healthy region answers a hundred times faster."""
State = dict[str, Any]


def region_of(state: State, region: str) -> dict[str, Any]:
    """The region's part of a state document."""
    for row in state["regions"]:
        if row["name"] == region:
            found: dict[str, Any] = row
            return found
    raise LabError(f"the lab's state has no region {region}")


def ask_nameserver(state: State, name: str) -> tuple[str, list[str]]:
    """A real query over UDP: the answer's code (``NOERROR`` ...) and its A records."""
    server = state["nameserver"]
    try:
        reply = DNSRecord.parse(DNSRecord.question(name, "A").send(server["host"], server["port"], timeout=WAIT_S))
    except TimeoutError:
        return "SILENCE", []
    except (OSError, DNSError) as error:
        return str(error), []
    return RCODE.get(reply.header.rcode), [str(row.rdata) for row in reply.rr if row.rtype == QTYPE.A]


def connects(port: int) -> str:
    """A real connection: "accepted", "refused", "not answered", or what else happened."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S):
            return "accepted"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "not answered"
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


@dataclass(frozen=True)
class Heard:
    """What came of a request: ``end`` is "answered", "silence", "reset" or another word; ``status`` and ``body`` of an
    answer, how many ``received`` bytes there were, and how long it took from the first byte sent (ms)."""

    end: str
    ms: float
    received: int = 0
    status: int = 0
    headers: str = ""
    body: bytes = b""

    @property
    def code(self) -> str:
        """DynamoDB's name of an error; "" when there was none."""
        try:
            told = json.loads(self.body).get("__type", "")
        except (ValueError, AttributeError):
            return ""
        return str(told).rpartition("#")[2]

    @property
    def text(self) -> str:
        """In words."""
        match self.end:
            case "answered":
                return f"a request is answered with HTTP {self.status}{f' {self.code}' if self.code else ''}"
            case "silence" if self.received:
                return f"a request is answered by {self.received} bytes in {self.ms / 1000:.1f} s"
            case "silence":
                return f"a request is accepted and not answered within {self.ms / 1000:.1f} s"
            case how:
                return f"a request ends: {how}"


class Line:
    """A connection of one's own to a region's front, over TLS where the lab speaks it; a context manager.

    Whatever is asked is waited for WAIT_S, some round trips to a region far away, and ``patience_s``. ``handshake`` is
    what came of that: "done", "none" in a lab without TLS, else what went wrong.
    """

    def __init__(self, state: State, region: str, *, patience_s: float = 0.0) -> None:
        front = region_of(state, region)["front"]
        self.handshake = "none"
        self._wait_s = WAIT_S + 4 * front["rtt_ms"] / 1000 + patience_s
        self._socket = socket.create_connection(("127.0.0.1", front["port"]), timeout=self._wait_s)
        if state["tls"] is None:
            return
        try:
            context = ssl.create_default_context(cafile=state["tls"]["ca"])
            self._socket = context.wrap_socket(
                self._socket, server_hostname=endpoint_host(region), suppress_ragged_eofs=False
            )
            self.handshake = "done"
        except TimeoutError:
            self.handshake = "not answered"
        except ssl.SSLCertVerificationError as error:
            self.handshake = f"refused, {error.verify_message}"
        except ConnectionResetError:
            self.handshake = "reset"
        except OSError as error:
            self.handshake = str(error)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, action: str = "ListTables", request: dict[str, Any] | None = None) -> Heard:
        """One request in DynamoDB's protocol, and what came of it."""
        return ask_on(self._socket, action, request or {}, self._wait_s)


def ask_engine(state: State, region: str) -> Heard:
    """The same past the front, straight at the engine."""
    with socket.create_connection(("127.0.0.1", region_of(state, region)["engine"]["port"]), timeout=WAIT_S) as line:
        return ask_on(line, "ListTables", {}, WAIT_S)


def ask_on(line: socket.socket, action: str, request: dict[str, Any], wait_s: float) -> Heard:
    """One request on an open connection, given up on after so many seconds."""
    body = json.dumps(request).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: lab\r\nX-Amz-Target: DynamoDB_20120810.{action}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    began = time.monotonic()
    received = b""

    def heard(end: str, **seen: Any) -> Heard:
        return Heard(end, (time.monotonic() - began) * 1000, len(received), **seen)

    try:
        line.sendall(head.encode() + body)
        while True:
            line.settimeout(max(0.001, began + wait_s - time.monotonic()))
            more = line.recv(65_536)
            if not more:
                return heard("closed")
            received += more
            told, found, rest = received.partition(b"\r\n\r\n")
            if found and len(rest) >= _length(told):
                return heard("answered", status=int(told.split(b" ", 2)[1]), headers=told.decode().lower(), body=rest)
    except TimeoutError:
        return heard("silence")
    except (ConnectionResetError, ssl.SSLEOFError):  # the second: TLS broke off without its goodbye
        return heard("reset")
    except OSError as error:
        return heard(str(error))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
