"""A name that stops resolving, over real sockets: nameserver, connections and certificates."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from dnslib import AAAA, CNAME, QTYPE, RR, A, DNSRecord

from failover.adapters import dns, models
from failover.adapters.binding import Connections, bind
from failover.adapters.clients import make_client, make_clients
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import ControlRow
from failover.adapters.dns_cache import RECHECK_S, AddressCache
from failover.adapters.errors import classify
from failover.adapters.probes import Probe
from failover.core.errors import ErrorClass, Outcome
from failover.core.fakes import FakeClock
from failover.core.signals.health import Canary, Verdict
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.faulty import EAST

HOST = f"dynamodb.{EAST}.amazonaws.com"
FAILURES = (faulty_dns.empty, faulty_dns.nxdomain, faulty_dns.servfail, faulty_dns.silence)


class Zone:
    """What the nameserver says now, and how often it was asked for A."""

    def __init__(self, ttl_s: int = 0) -> None:
        self.ttl_s = ttl_s
        self.answer: Callable[[DNSRecord], DNSRecord | None] = self.loopback
        self.questions = 0

    def __call__(self, question: DNSRecord) -> DNSRecord | None:
        self.questions += question.q.qtype == QTYPE.A
        return self.answer(question)

    def loopback(self, question: DNSRecord) -> DNSRecord:
        answer = question.reply()
        answer.add_answer(RR(question.q.qname, QTYPE.A, rdata=A("127.0.0.1"), ttl=self.ttl_s))
        return answer


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def nameserver(zone: Zone) -> Iterator[tuple[str, int]]:
    with faulty_dns.nameserver(zone) as address:
        yield address


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def resolver(nameserver: tuple[str, int], clock: FakeClock) -> dns.Resolver:
    cache = AddressCache(clock, stale_s=300)
    return dns.Resolver([HOST], nameserver, timeout=faulty.TIMEOUT_S, cache=cache)


def addresses_of(resolver: dns.Resolver) -> list[str]:
    return [info[4][0] for info in resolver.getaddrinfo(HOST, 80, type=socket.SOCK_STREAM)]


@pytest.mark.parametrize("failure", FAILURES)
def test_however_a_name_fails_its_last_address_serves_for_its_time(
    failure: Callable[[DNSRecord], DNSRecord | None], resolver: dns.Resolver, zone: Zone, clock: FakeClock
) -> None:
    assert addresses_of(resolver) == ["127.0.0.1"]
    zone.answer = failure
    clock.wait(299)
    assert addresses_of(resolver) == ["127.0.0.1"]

    clock.wait(1)

    with pytest.raises(socket.gaierror):
        addresses_of(resolver)


def test_the_last_addresses_of_both_families_serve(resolver: dns.Resolver, zone: Zone) -> None:
    def both(question: DNSRecord) -> DNSRecord:
        answer = question.reply()
        data = A("127.0.0.1") if question.q.qtype == QTYPE.A else AAAA("::1")
        answer.add_answer(RR(question.q.qname, question.q.qtype, rdata=data, ttl=0))
        return answer

    zone.answer = both
    addresses_of(resolver)
    zone.answer = faulty_dns.empty

    assert addresses_of(resolver) == ["::1", "127.0.0.1"]


def test_a_silent_nameserver_is_asked_once_and_then_left_alone_for_a_while(
    resolver: dns.Resolver, zone: Zone, clock: FakeClock
) -> None:
    addresses_of(resolver)
    zone.answer, zone.questions = faulty_dns.silence, 0
    for _ in range(5):
        addresses_of(resolver)
    assert zone.questions == 1

    clock.wait(RECHECK_S)
    addresses_of(resolver)

    assert zone.questions == 2


def test_an_answer_that_comes_by_an_alias_lives_as_long_as_its_shortest_part(
    resolver: dns.Resolver, zone: Zone, clock: FakeClock
) -> None:
    def alias(question: DNSRecord) -> DNSRecord:
        answer = question.reply()
        answer.add_answer(RR(question.q.qname, QTYPE.CNAME, rdata=CNAME("real.example"), ttl=7))
        answer.add_answer(RR("real.example", QTYPE.A, rdata=A("127.0.0.5"), ttl=30))
        return answer

    zone.answer = alias
    addresses_of(resolver)
    clock.wait(6.9)
    assert (addresses_of(resolver), zone.questions) == (["127.0.0.5"], 1)

    clock.wait(0.1)
    addresses_of(resolver)

    assert zone.questions == 2


def test_however_the_name_is_written_it_is_one_name(resolver: dns.Resolver, zone: Zone) -> None:
    addresses_of(resolver)
    zone.answer = faulty_dns.empty

    assert resolver.getaddrinfo(HOST.upper() + ".", 80)[0][4][0] == "127.0.0.1"
    assert resolver.look_up(HOST.upper()).addresses == ("127.0.0.1",)


def test_a_family_that_a_remembered_address_does_not_have_is_refused_as_ever(
    resolver: dns.Resolver, zone: Zone
) -> None:
    addresses_of(resolver)
    zone.answer = faulty_dns.empty

    with pytest.raises(socket.gaierror):
        resolver.getaddrinfo(HOST, 80, socket.AF_INET6)


def test_the_hosts_own_resolver_tells_no_time_to_live_so_it_is_asked_each_time_and_its_answer_kept(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A name that stops resolving cannot be had from every machine's resolver (`test_real_resolver` makes one), so a
    # function stands in for it.
    asked: list[object] = []

    def host(name: object, *arguments: object) -> object:
        if name != HOST:
            return original(name, *arguments)
        asked.append(arguments)
        if len(asked) > 2:
            raise socket.gaierror(socket.EAI_NONAME, "gone")
        return [(socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.8", 0))]

    original = dns._original
    monkeypatch.setattr(dns, "_original", host)
    own = dns.Resolver([HOST], None, timeout=5, cache=AddressCache(clock, stale_s=60))
    assert addresses_of(own) == addresses_of(own) == ["::1", "127.0.0.8"]
    assert len(asked) == 2

    assert addresses_of(own) == ["::1", "127.0.0.8"]
    assert [info[4][0] for info in own.getaddrinfo(HOST, 80, socket.AF_INET, socket.SOCK_STREAM)] == ["127.0.0.8"]
    clock.wait(60)
    with pytest.raises(socket.gaierror):
        addresses_of(own)


def run_canary(resolver: dns.Resolver, run_dir: Path, port: int, nameserver: tuple[str, int]) -> Canary:
    config = faulty.make_config(run_dir, {EAST: port}, nameserver)
    probe = Probe(config.endpoint(EAST), make_client(config, EAST), resolver, SystemClock(), timeout=faulty.TIMEOUT_S)
    return probe.run(1, lambda: None, lambda: None)


@pytest.mark.parametrize(
    ("failure", "trouble"),
    [(faulty_dns.empty, "DNS answers empty"), (faulty_dns.servfail, "DNS answers with an error (SERVFAIL)")],
)
def test_the_canary_passes_by_a_stale_answer_and_says_so(
    failure: Callable[[DNSRecord], DNSRecord],
    trouble: str,
    resolver: dns.Resolver,
    zone: Zone,
    nameserver: tuple[str, int],
    tmp_path: Path,
) -> None:
    with faulty.server(faulty.hangs) as port:
        fresh = run_canary(resolver, tmp_path, port, nameserver).dns
        zone.answer = failure
        canary = run_canary(resolver, tmp_path, port, nameserver)

    assert (fresh.stale, fresh.detail) == (False, "127.0.0.1")
    assert (canary.verdict, canary.dns.ok, canary.dns.stale) == (Verdict.PASSED, True, True)
    assert canary.dns.detail == (f"{trouble} since 07:00:00 UTC; the last good answer serves until 07:05:00 at most")
    assert not any(layer.stale for name, layer in canary.layers.items() if name != "dns")


def test_a_stale_address_where_nobody_listens_any_more_is_a_failed_canary(
    resolver: dns.Resolver, zone: Zone, nameserver: tuple[str, int], tmp_path: Path
) -> None:
    with faulty.server(faulty.hangs) as port:
        run_canary(resolver, tmp_path, port, nameserver)
    zone.answer = faulty_dns.empty

    canary = run_canary(resolver, tmp_path, port, nameserver)

    assert (canary.verdict, canary.connect.ok, canary.dns.stale) == (Verdict.FAILED, False, True)


@contextlib.contextmanager
def tls_region(authority: trustme.CA, holder: list[str]) -> Iterator[int]:
    """A region over TLS whose certificate is for the name that `holder` holds when a connection is made."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(holder[0]).configure_cert(context)
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.settimeout(2)  # a client that refused the certificate keeps its socket as long as its error
            faulty.says(faulty.reply(200, {}))(secure, over)

    with faulty.server(behave) as port:
        yield port


def test_a_stale_address_must_still_show_the_certificate_of_the_name(
    resolver: dns.Resolver,
    zone: Zone,
    nameserver: tuple[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority, holder = trustme.CA(), [HOST]
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with tls_region(authority, holder) as port:
        plain = faulty.make_config(tmp_path, {EAST: port}, nameserver)
        config = replace(plain, endpoints={EAST: f"https://{HOST}:{port}"}, connect_timeout_s=5, read_timeout_s=5)
        connections = Connections(make_clients(config))
        models.use_connections(connections)
        restore = dns.install(resolver)
        try:
            with bind(EAST):
                ControlRow("k", "i", document="{}").put()
                zone.answer = faulty_dns.empty
                connections.close()
                ControlRow("k", "i", document="{}").put()  # the name is gone, the certificate is the name's

                holder[0] = "somebody-else.example"
                connections.close()
                with pytest.raises(Exception) as caught:  # noqa: PT011  (which one, the next lines say)
                    ControlRow("k", "i", document="{}").put()
        finally:
            restore()
            connections.close()

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.TLS)
    assert failure.detail == "the certificate is not valid"
