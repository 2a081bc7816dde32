"""A transport to a region that behaves as a test has it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse

from failover.adapters.clock import SystemClock
from failover.adapters.transport import Transport
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import Behaviour

HOST = "dynamodb.us-east-1.amazonaws.com"
ANSWER = faulty.reply(200, {"Count": 0})


class Counted:
    """A server's behaviour, with how many connections it has seen."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.connections = 0

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        self.connections += 1
        self._behave(connection, over)


@contextlib.contextmanager
def open_transport(endpoint: str) -> Iterator[Transport]:
    transport = Transport(
        endpoint, connect_timeout=faulty.TIMEOUT_S, read_timeout=faulty.TIMEOUT_S, size=2, clock=SystemClock()
    )
    try:
        yield transport
    finally:
        transport.close()


def ask(transport: Transport, endpoint: str, body: bytes = b"{}") -> AWSResponse:
    headers = {"X-Amz-Target": "DynamoDB_20120810.Query"}
    return transport.send(AWSRequest("POST", f"{endpoint}/", data=body, headers=headers).prepare())


@contextlib.contextmanager
def asking(behave: Behaviour) -> Iterator[Callable[..., AWSResponse]]:
    with faulty.server(behave) as port, open_transport(endpoint := f"http://127.0.0.1:{port}") as transport:
        yield lambda body=b"{}": ask(transport, endpoint, body)


def addresses(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """The name of the region resolves to these ports of this machine."""
    infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: infos)
