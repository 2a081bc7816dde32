"""The canary walks four layers over a fresh connection, and says which one failed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dnslib import AAAA, QTYPE, RR, A, DNSRecord

from failover.adapters import dns
from failover.adapters.clients import make_client
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import ControlRow
from failover.adapters.probes import Probe
from failover.adapters.runner import PooledRunner
from failover.conf import FailoverConfig
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.ports import Bound
from failover.core.signals.health import Canary, Verdict
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.faulty import EAST
from tests.processes import free_port

WRITTEN = faulty.reply(200, {})


def probe(config: FailoverConfig) -> Probe:
    resolver = dns.Resolver([config.host(EAST)], config.nameserver, timeout=faulty.TIMEOUT_S)
    client = make_client(config, EAST)
    return Probe(config.endpoint(EAST), client, resolver, SystemClock(), timeout=faulty.TIMEOUT_S)


def fine() -> None:
    """A step that works."""


def verdicts(canary: Canary) -> dict[str, bool | None]:
    return {name: layer.ok for name, layer in canary.layers.items()}


@pytest.fixture
def listening() -> Iterator[int]:
    with faulty.server(faulty.hangs) as port:
        yield port


def test_a_canary_that_passes_says_so_layer_by_layer(listening: int, tmp_path: Path) -> None:
    canary = probe(faulty.make_config(tmp_path, {EAST: listening})).run(7, fine, fine)

    assert verdicts(canary) == {"dns": True, "connect": True, "write": True, "read": True}
    assert (canary.seq, canary.verdict, canary.dns.detail) == (7, Verdict.PASSED, "127.0.0.1")
    assert all(layer.ms is not None and layer.ms >= 0 for layer in canary.layers.values())


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (faulty_dns.empty, "DNS answers empty"),
        (faulty_dns.nxdomain, "DNS says that there is no such name"),
        (faulty_dns.servfail, "DNS answers with an error (SERVFAIL)"),
        (faulty_dns.silence, "DNS does not answer"),
    ],
)
def test_when_dns_fails_nothing_else_is_called_failed(answer: Callable[..., None], detail: str, tmp_path: Path) -> None:
    with faulty_dns.nameserver(answer) as address:
        canary = probe(faulty.make_config(tmp_path, {EAST: 80}, address)).run(1, fine, fine)

    assert verdicts(canary) == {"dns": False, "connect": None, "write": None, "read": None}
    assert (canary.dns.detail, canary.dns.error_class) == (detail, ErrorClass.NOT_SENT)
    assert canary.verdict is Verdict.FAILED


def test_a_closed_port_is_a_failed_connection(tmp_path: Path) -> None:
    canary = probe(faulty.make_config(tmp_path, {EAST: free_port()})).run(1, fine, fine)

    assert verdicts(canary) == {"dns": True, "connect": False, "write": None, "read": None}
    assert (canary.connect.detail, canary.connect.error_class) == ("the connection was refused", ErrorClass.NOT_SENT)


def test_one_dead_address_among_several_is_no_failure(tmp_path: Path) -> None:
    def two(question: DNSRecord) -> DNSRecord:
        answer = question.reply()
        for address in ("127.0.0.2", "127.0.0.1"):
            answer.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(address), ttl=1))
        return answer

    with faulty.server(faulty.hangs) as port, faulty_dns.nameserver(two) as address:
        canary = probe(faulty.make_config(tmp_path, {EAST: port}, address)).run(1, fine, fine)

    assert verdicts(canary)["connect"] is True


def test_the_dns_layer_says_which_addresses_of_both_families_it_found(tmp_path: Path) -> None:
    def both(question: DNSRecord) -> DNSRecord:
        answer = question.reply()
        for last in range(1, 4):
            data = A(f"127.0.0.{last}") if question.q.qtype == QTYPE.A else AAAA(f"2001:db8::{last}")
            answer.add_answer(RR(question.q.qname, question.q.qtype, rdata=data, ttl=1))
        return answer

    with faulty.server(faulty.hangs) as port, faulty_dns.nameserver(both) as address:
        canary = probe(faulty.make_config(tmp_path, {EAST: port}, address)).run(1, fine, fine)

    assert canary.dns.detail == "2001:db8::1, 127.0.0.1, 2001:db8::2, 127.0.0.2 and 2 more"


def test_several_dead_addresses_take_no_longer_than_one(tmp_path: Path) -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("0.0.0.0", 0))  # noqa: S104  (a full queue on every loopback address drops SYNs)
        listener.listen(0)
        port = listener.getsockname()[1]
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))

        def many(question: DNSRecord) -> DNSRecord:
            answer = question.reply()
            for last in range(1, 61):
                answer.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(f"127.0.0.{last}"), ttl=1))
            return answer

        with faulty_dns.nameserver(many) as address:
            under_test = probe(faulty.make_config(tmp_path, {EAST: port}, address))
            with faulty.Stopwatch() as watch:
                canary = under_test.run(1, fine, fine)

    assert verdicts(canary)["connect"] is False
    assert canary.connect.detail == "no connection in time"
    assert watch.seconds < 10  # one after the other they would take 15 s


def test_a_write_that_is_refused_as_the_callers_business_says_nothing_about_the_region(
    listening: int, tmp_path: Path
) -> None:
    def write() -> object:
        return Failure(ErrorClass.CALLER, Outcome.DENIED, "ResourceNotFoundException", RuntimeError())

    canary = probe(faulty.make_config(tmp_path, {EAST: listening})).run(1, write, fine)

    assert verdicts(canary) == {"dns": True, "connect": True, "write": False, "read": None}
    assert canary.verdict is Verdict.SAYS_NOTHING


def test_a_read_that_fails_is_the_regions_failure(listening: int, tmp_path: Path) -> None:
    def read() -> object:
        raise ConnectionResetError

    canary = probe(faulty.make_config(tmp_path, {EAST: listening})).run(1, fine, read)

    assert verdicts(canary) == {"dns": True, "connect": True, "write": True, "read": False}
    assert canary.verdict is Verdict.FAILED


def test_every_canary_connects_afresh(tmp_path: Path) -> None:
    connections = []

    def counts(connection: socket.socket, over: threading.Event) -> None:
        connections.append(connection)
        faulty.says(WRITTEN)(connection, over)

    with faulty.server(counts) as port:
        config = faulty.make_config(tmp_path, {EAST: port})
        with faulty.models_wired(config) as wired:
            resolver = dns.Resolver([], None, timeout=5)
            client = wired._clients[EAST]
            under_test = Probe(config.endpoint(EAST), client, resolver, SystemClock(), timeout=5)
            runner = PooledRunner([EAST], threads=1)

            def write() -> object:
                return runner.run(
                    EAST, lambda _: ControlRow("k", "i", document="{}").put(), Bound(EAST, strong=True), 10
                )

            for _ in range(3):
                assert under_test.run(1, write, fine).verdict is Verdict.PASSED

    # Each canary: one connection to see that one can be made, and one for its write.
    assert len(connections) == 6


def test_plain_http_where_tls_is_expected_is_a_failed_connection(tmp_path: Path) -> None:
    def answers_at_once(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1000)

    with faulty.server(answers_at_once) as port:
        config = FailoverConfig((EAST,), {EAST: f"https://127.0.0.1:{port}"}, None, tmp_path)
        canary = probe(config).run(1, fine, fine)

    assert verdicts(canary)["connect"] is False
    assert canary.verdict is Verdict.FAILED
