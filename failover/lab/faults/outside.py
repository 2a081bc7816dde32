"""Looks at the lab from outside, by DNS queries over UDP, connections, TLS handshakes and HTTP.

All of these run in the caller's process. The lab's state document is used only for addresses.
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
"""After so long without an answer a check calls it silence.

A healthy region answers a hundred times faster.
"""
HOSTNAME_MISMATCH = 62
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, which Python's `ssl` does not name."""
State = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What a check saw, in words. ``holds`` when that is what it should be.

    ``hidden``: another fault is in the way, so there was nothing to see.
    """

    holds: bool
    text: str
    hidden: bool = False

    @property
    def sentence(self) -> str:
        """The finding for people, without a full stop."""
        return f"{'Not checked' if self.hidden else 'Seen from outside'}: {self.text}"


def region_of(state: State, region: str) -> dict[str, Any]:
    """The region's part of a state document."""
    for row in state["regions"]:
        if row["name"] == region:
            part: dict[str, Any] = row
            return part
    raise LabError(f"the lab's state has no region {region}")


def ask_nameserver(state: State, name: str) -> tuple[str, list[str]]:
    """Send a query over UDP.

    Returns the answer's code (``NOERROR`` ..., "SILENCE") and its A records.
    """
    server = state["nameserver"]
    try:
        reply = DNSRecord.parse(DNSRecord.question(name, "A").send(server["host"], server["port"], timeout=WAIT_S))
    except TimeoutError:
        return "SILENCE", []
    except (OSError, DNSError) as error:
        return str(error), []
    return RCODE.get(reply.header.rcode), [str(row.rdata) for row in reply.rr if row.rtype == QTYPE.A]


def connects(port: int) -> str:
    """Open a connection; returns "accepted", "refused", "not answered", or the error in words."""
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
class Outcome:
    """How a request ended.

    ``end`` is "answered", "silence", "reset", "closed" or the error in words.
    ``ms`` is the time from the first byte that was sent, ``received`` the number of bytes that came
    back. An answer has a ``status``, ``headers`` in small letters, and a ``body``.
    """

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
            error_type = json.loads(self.body).get("__type", "")
        except (ValueError, AttributeError):
            return ""
        return str(error_type).rpartition("#")[2]

    @property
    def text(self) -> str:
        """The outcome in words."""
        match self.end:
            case "answered":
                return f"a request is answered with HTTP {self.status}{f' {self.code}' if self.code else ''}"
            case "silence" if self.received:
                return f"a request is answered by {self.received} bytes in {self.ms / 1000:.1f} s"
            case "silence":
                return f"a request is accepted and not answered within {self.ms / 1000:.1f} s"
            case problem:
                return f"a request ends: {problem}"


class FrontConnection:
    """A new connection to a region's front, over TLS if the lab uses TLS; a context manager.

    An answer is waited for as long as WAIT_S, four round trips and ``patience_s`` together.
    ``handshake`` is "done", "none" in a lab without TLS, or the kind of failure: "not answered",
    "wrong name", "refused", "reset" or "failed". ``handshake_text`` says it to a person.
    """

    def __init__(self, state: State, region: str, *, patience_s: float = 0.0) -> None:
        front = region_of(state, region)["front"]
        self.handshake = self.handshake_text = "none"
        self._wait_s = WAIT_S + 4 * front["rtt_ms"] / 1000 + patience_s
        self._socket = socket.create_connection(("127.0.0.1", front["port"]), timeout=self._wait_s)
        if state["tls"] is None:
            return
        try:
            context = ssl.create_default_context(cafile=state["tls"]["ca"])
            self._socket = context.wrap_socket(
                self._socket, server_hostname=endpoint_host(region), suppress_ragged_eofs=False
            )
            self.handshake = self.handshake_text = "done"
        except TimeoutError:
            self.handshake = self.handshake_text = "not answered"
        except ssl.SSLCertVerificationError as error:
            self.handshake = "wrong name" if error.verify_code == HOSTNAME_MISMATCH else "refused"
            self.handshake_text = f"refused, {error.verify_message}"
        except ConnectionResetError:
            self.handshake = self.handshake_text = "reset"
        except OSError as error:
            self.handshake, self.handshake_text = "failed", str(error)

    def __enter__(self) -> FrontConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, action: str = "ListTables", request: dict[str, Any] | None = None) -> Outcome:
        """Send one request in DynamoDB's protocol."""
        return ask_on(self._socket, action, request or {}, self._wait_s)


def ask_engine(state: State, region: str) -> Outcome:
    """Send one request directly to the region's engine, past its front."""
    address = ("127.0.0.1", region_of(state, region)["engine"]["port"])
    with socket.create_connection(address, timeout=WAIT_S) as connection:
        return ask_on(connection, "ListTables", {}, WAIT_S)


def ask_on(connection: socket.socket, action: str, request: dict[str, Any], wait_s: float) -> Outcome:
    """Send one request on an open connection and wait at most ``wait_s`` for the whole answer."""
    body = json.dumps(request).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: lab\r\nX-Amz-Target: DynamoDB_20120810.{action}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    started = time.monotonic()
    received = b""

    def outcome(end: str, **answer: Any) -> Outcome:
        return Outcome(end, (time.monotonic() - started) * 1000, len(received), **answer)

    try:
        connection.sendall(head.encode() + body)
        while True:
            connection.settimeout(max(0.001, started + wait_s - time.monotonic()))
            chunk = connection.recv(65_536)
            if not chunk:
                return outcome("closed")
            received += chunk
            headers, separator, content = received.partition(b"\r\n\r\n")
            if separator and len(content) >= _content_length(headers):
                status = int(headers.split(b" ", 2)[1])
                return outcome("answered", status=status, headers=headers.decode().lower(), body=content)
    except TimeoutError:
        return outcome("silence")
    except (ConnectionResetError, ssl.SSLEOFError):  # SSLEOFError: TLS ended without its closing message
        return outcome("reset")
    except OSError as error:
        return outcome(str(error))


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
