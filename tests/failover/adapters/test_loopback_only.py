"""Where nothing may leave this machine: which addresses are refused, and which names are never asked for."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.adapters import dns
from failover.adapters.clients import make_client
from failover.adapters.clock import SystemClock
from failover.adapters.dial import Dialer
from failover.adapters.probes import Probe
from failover.conf import ConfigurationError, FailoverConfig

ELSEWHERE = ("192.0.2.1", "10.0.0.1", "0.0.0.0", "169.254.169.254", "::", "2001:db8::1", "fe80::1", "::ffff:192.0.2.1")  # noqa: S104  nothing is bound to it
RAW = {"REGIONS": "us-east-1,us-west-2", "RUN_DIR": "/tmp/run", "LOOPBACK_ONLY": "yes"}  # noqa: S108  nothing is written there
watched: list[tuple[str, Any]] = []
EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
sys.addaudithook(lambda event, arguments: watched.append((event, arguments[1:])) if event in EVENTS else None)


@pytest.fixture
def asked() -> Iterator[list[tuple[str, Any]]]:
    """What this process has asked or sent since the test began."""
    watched.clear()
    yield watched
    watched.clear()


def infos(address: str) -> list[Any]:
    return [(*info[:4], info[4]) for info in socket.getaddrinfo(address, 9, 0, socket.SOCK_STREAM)]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_the_function_that_connects_refuses_an_address_of_another_machine(
    address: str, asked: list[tuple[str, Any]]
) -> None:
    clock, addresses = SystemClock(), infos(address)
    with pytest.raises(PermissionError, match="is not on this machine"):
        Dialer(clock, loopback_only=True).connect(addresses, until=clock.monotonic() + 5)

    assert "socket.connect" not in dict(asked)


def test_a_loopback_address_behind_others_is_reached() -> None:
    clock = SystemClock()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        addresses = [(*info[:4], (info[4][0], port, *info[4][2:])) for name in ELSEWHERE for info in infos(name)]
        addresses.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)))
        sock, address = Dialer(clock, loopback_only=True).connect(addresses[-7:], until=clock.monotonic() + 5)
        sock.close()

    assert address == ("127.0.0.1", port)


@pytest.mark.parametrize(
    "name", ["dynamodb.us-east-1.amazonaws.com", "example.org", "no-such-host", "192.0.2.1.nip.io"]
)
def test_no_name_is_asked_of_the_hosts_resolver(name: str) -> None:
    resolver = dns.Resolver(["dynamodb.us-east-1.amazonaws.com"], None, timeout=5, loopback_only=True)
    for ask in (lambda: resolver.getaddrinfo(name, 443), lambda: resolver.look_up(name)):
        with pytest.raises(socket.gaierror) as caught:
            ask()
        assert caught.value.errno == socket.EAI_NONAME


def test_localhost_and_addresses_need_nobody() -> None:
    resolver = dns.Resolver([], None, timeout=5, loopback_only=True)

    assert resolver.getaddrinfo("localhost", 80, socket.AF_INET, socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
    assert resolver.getaddrinfo("127.0.0.2", 80, 0, socket.SOCK_STREAM)[0][4] == ("127.0.0.2", 80)
    assert resolver.look_up("localhost").addresses[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("setting", "text", "variable"),
    [
        ("NAMESERVER", "192.0.2.53:53", "FAILOVER_NAMESERVER"),
        ("NAMESERVER", "[2001:db8::53]:53", "FAILOVER_NAMESERVER"),
        ("ENDPOINTS", "us-east-1=http://10.0.0.1:8000", "FAILOVER_ENDPOINTS"),
    ],
)
def test_an_address_of_another_machine_is_a_mistake_of_the_settings(setting: str, text: str, variable: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FailoverConfig.parse({**RAW, setting: text})

    assert [problem.variable for problem in caught.value.problems] == [variable]


def test_neither_votes_nor_canaries_reach_another_machine(tmp_path: Path, asked: list[tuple[str, Any]]) -> None:
    """Also where the lab's own nameserver were to name one: here the endpoint is that machine's address."""
    config = FailoverConfig(
        regions=("us-east-1",),
        endpoints={"us-east-1": "http://192.0.2.1:8000"},
        nameserver=None,
        run_dir=tmp_path,
        loopback_only=True,
    )
    client = make_client(config, "us-east-1")
    resolver = dns.Resolver([config.host("us-east-1")], None, timeout=5, loopback_only=True)
    probe = Probe(
        config.endpoint("us-east-1"), client, resolver, SystemClock(), timeout=5, loopback_only=config.loopback_only
    )

    canary = probe.run(1, lambda: None, lambda: None)
    with pytest.raises(Exception, match="Could not connect") as caught:
        client.list_tables()

    assert (canary.connect.ok, canary.write.ok) == (False, None)
    assert "EndpointConnectionError" in type(caught.value).__name__
    assert not {"socket.connect", "socket.sendto"} & {event for event, _arguments in asked}
