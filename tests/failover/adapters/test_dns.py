"""The region endpoints are resolved within a bound; every other name is none of our business."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.exceptions import PutError

from failover.adapters import dns, nameserver
from failover.adapters.binding import bind
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import ControlRow
from failover.adapters.dns_cache import AddressCache
from failover.adapters.errors import classify
from failover.core.errors import ErrorClass, Outcome
from failover.lab.network.dns import DnsMode, NameServer
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST
from tests.waiting import wait_until

HOST = "dynamodb.us-east-1.amazonaws.com"
TIMEOUT_S = 0.2


@pytest.fixture(scope="module")
def lab_nameserver() -> Iterator[NameServer]:
    server = NameServer(("us-east-1",))
    server.start()
    yield server
    server.stop()


def resolver(nameserver: tuple[str, int] | None) -> dns.Resolver:
    return dns.Resolver([HOST], nameserver, timeout=TIMEOUT_S)


@pytest.fixture
def found(lab_nameserver: NameServer) -> dns.Resolver:
    return resolver(("127.0.0.1", lab_nameserver.port))


@pytest.fixture
def dead() -> dns.Resolver:
    """Whoever it asks, it gets no answer: what succeeds with it did not ask it."""
    return resolver(("127.0.0.1", 9))


@pytest.mark.parametrize("host", [HOST, HOST.upper(), HOST + ".", HOST.encode()], ids=repr)
def test_an_endpoint_name_is_asked_of_the_nameserver_however_it_is_written(found: dns.Resolver, host: object) -> None:
    infos = found.getaddrinfo(host, 8000, socket.AF_INET, socket.SOCK_STREAM)

    assert infos == [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 8000))]


def test_the_addresses_are_those_of_the_name(found: dns.Resolver) -> None:
    assert found.look_up(HOST).addresses == ("127.0.0.1",)


def zone(a: Sequence[str] | None = (), aaaa: Sequence[str] | None = (), code: str = "NOERROR") -> faulty.Answering:
    """Answers each type of question with its addresses, or with `code` where there are none; None is silence."""

    def answer(question: DNSRecord) -> DNSRecord | None:
        reply, is_a = question.reply(), question.q.qtype == QTYPE.A
        addresses = a if is_a else aaaa
        if addresses is None:
            return None
        for address in addresses:
            record = RR(question.q.qname, QTYPE.A if is_a else QTYPE.AAAA, rdata=(A if is_a else AAAA)(address), ttl=1)
            reply.add_answer(record)
        if not addresses:
            reply.header.rcode = getattr(RCODE, code)
        return reply

    return answer


FOUR = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
SIX = ("2001:db8::1", "2001:db8::2")
BOTH = ("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3", "192.0.2.4")
LONG_S = 30.0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(zone(FOUR, SIX), BOTH, id="both families, in turn"),
        pytest.param(zone(FOUR), FOUR, id="A alone"),
        pytest.param(zone((), SIX), SIX, id="AAAA alone"),
        pytest.param(zone(FOUR, None), FOUR, id="silence about AAAA"),
        pytest.param(zone(None, SIX), SIX, id="silence about A"),
        pytest.param(zone(FOUR, (), "SERVFAIL"), FOUR, id="a failure of AAAA"),
        pytest.param(zone((), SIX, "SERVFAIL"), SIX, id="a failure of A"),
        pytest.param(zone(FOUR, (), "NXDOMAIN"), FOUR, id="a nameserver that takes AAAA for a name of its own"),
        pytest.param(zone(FOUR, (), "REFUSED"), FOUR, id="a nameserver that refuses AAAA"),
    ],
)
def test_a_name_has_the_addresses_of_the_family_that_has_any(
    answer: faulty.Answering, expected: tuple[str, ...]
) -> None:
    with faulty.nameserver(answer) as address, faulty.Stopwatch() as watch:
        patient = dns.Resolver([HOST], address, timeout=LONG_S)
        infos = patient.getaddrinfo(HOST, 80, type=socket.SOCK_STREAM)
        looked_up = patient.look_up(HOST).addresses

    assert tuple(info[4][0] for info in infos) == looked_up == expected
    assert watch.seconds < LONG_S / 2, "the family that is silent is not waited for"


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(zone(), socket.gaierror, nameserver.EAI_NODATA, id="both empty"),
        pytest.param(zone(None, None), nameserver.Silence, socket.EAI_AGAIN, id="both silent"),
        pytest.param(zone((), None), nameserver.Silence, socket.EAI_AGAIN, id="A empty, AAAA silent"),
        pytest.param(zone(None, ()), nameserver.Silence, socket.EAI_AGAIN, id="A silent, AAAA empty"),
        pytest.param(zone(code="SERVFAIL"), nameserver.ErrorAnswer, socket.EAI_AGAIN, id="both fail"),
    ],
)
def test_where_neither_family_has_an_address_it_is_said_why(
    answer: faulty.Answering, kind: type[socket.gaierror], code: int
) -> None:
    with faulty.nameserver(answer) as address, pytest.raises(socket.gaierror) as caught:
        resolver(address).look_up(HOST)

    assert (type(caught.value), caught.value.errno) == (kind, code)


def test_a_long_answer_of_one_family_is_fetched_over_tcp_beside_the_other() -> None:
    def over_udp(question: DNSRecord) -> DNSRecord | None:
        reply = zone(FOUR, SIX)(question)
        assert reply is not None
        if question.q.qtype == QTYPE.A:
            reply.rr.clear()
            reply.header.tc = 1
        return reply

    def over_tcp(connection: socket.socket, _: object) -> None:
        question = DNSRecord.parse(connection.recv(4096)[2:])
        reply = zone(FOUR, SIX)(question)
        assert reply is not None
        packed = reply.pack()
        connection.sendall(len(packed).to_bytes(2, "big") + packed)
        connection.recv(1)

    with faulty.server(over_tcp) as port, faulty.nameserver(over_udp, port) as address:
        found: list[tuple[str, ...]] = []

        def found_all() -> bool:  # beside AAAA, A has 50 ms, which a busy machine may take
            found.append(dns.Resolver([HOST], address, timeout=LONG_S).look_up(HOST).addresses)
            return found[-1] == BOTH

        wait_until(found_all, within=30, what="the addresses of both families")

    assert set(found) <= {BOTH, SIX}


def host_resolver(answers: dict[int, object], release: threading.Event) -> Callable[..., object]:
    """No machine's own resolver fails to order, so this function stands in for it. None never answers."""

    def ask(_host: object, _port: object, family: int, *_: object) -> object:
        answer = answers.get(family)
        if answer is None:
            release.wait(LONG_S)
            raise socket.gaierror(socket.EAI_AGAIN, "after a long time")
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


V4_INFO = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
V6_INFO = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0))]
NO_ADDRESS = socket.gaierror(nameserver.EAI_NODATA, "no address of this family")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({socket.AF_INET: V4_INFO}, V4_INFO, id="silence about AAAA"),
        pytest.param({socket.AF_INET6: V6_INFO}, V6_INFO, id="silence about A"),
        pytest.param({socket.AF_INET: V4_INFO, socket.AF_INET6: NO_ADDRESS}, V4_INFO, id="no AAAA, slowly"),
    ],
)
def test_the_hosts_resolver_too_gives_the_family_that_answers(
    answers: dict[int, object], expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(dns, "_original", host_resolver(answers, release))
    try:
        assert dns.Resolver([HOST], None, timeout=2).getaddrinfo(HOST, 80) == expected
    finally:
        release.set()


def test_of_the_hosts_own_resolver_every_address_is_taken_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    # No name has three addresses on every machine, so a function stands in for the host's resolver.
    every = [(socket.AF_INET, kind, 0, "", (f"127.0.0.{last}", 80)) for last in (1, 2, 3) for kind in (1, 2)]
    every.append((socket.AF_INET6, 1, 0, "", ("::1", 80, 0, 0)))
    monkeypatch.setattr(dns, "_original", lambda *_: every)

    assert resolver(None).getaddrinfo(HOST, 80) == every
    assert resolver(None).look_up(HOST).addresses == ("127.0.0.1", "::1", "127.0.0.2", "127.0.0.3")


def test_a_service_name_is_a_port(found: dns.Resolver) -> None:
    assert found.getaddrinfo(HOST, "https", type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 443)


@pytest.mark.parametrize("host", ["localhost", b"localhost", "127.0.0.1", "::1", None, "", b"\xff\xfe"], ids=repr)
@pytest.mark.parametrize("family", [socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("flags", [0, socket.AI_PASSIVE, socket.AI_NUMERICHOST, socket.AI_CANONNAME])
def test_every_other_name_is_answered_as_the_host_answers_it(
    dead: dns.Resolver, host: object, family: int, flags: int
) -> None:
    def outcome(ask: Callable[..., object]) -> object:
        try:
            return ask(host, 80, family, socket.SOCK_STREAM, 0, flags)
        except (OSError, UnicodeError, TypeError) as error:
            return type(error), error.args

    assert outcome(dead.getaddrinfo) == outcome(dns._original)


@pytest.mark.parametrize("host", [f"x.{HOST}", f"{HOST}.example.invalid", "amazonaws.com"])
def test_a_name_that_only_resembles_an_endpoint_is_left_to_the_host(host: str) -> None:
    asked: list[object] = []

    def notes(question: DNSRecord) -> None:
        asked.append(question)

    with faulty.nameserver(notes) as address, pytest.raises(socket.gaierror):
        resolver(address).getaddrinfo(host, 80, 0, 0, 0, socket.AI_NUMERICHOST)
    assert asked == []


def test_an_endpoint_has_no_ipv6_address_and_says_so_as_the_host_would(found: dns.Resolver) -> None:
    with pytest.raises(socket.gaierror):
        found.getaddrinfo(HOST, 80, socket.AF_INET6)


def test_flags_reach_the_host_untouched(found: dns.Resolver) -> None:
    mapped = found.getaddrinfo(HOST, 80, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_V4MAPPED)

    assert mapped[0][4][0] == "::ffff:127.0.0.1"


def refused(question: DNSRecord) -> DNSRecord:
    """The nameserver would not."""
    answer = question.reply()
    answer.header.rcode = RCODE.REFUSED
    return answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (faulty.empty, nameserver.EAI_NODATA),
        (faulty.nxdomain, socket.EAI_NONAME),
        (faulty.servfail, socket.EAI_AGAIN),
        (faulty.silence, socket.EAI_AGAIN),
    ],
)
def test_what_dns_says_becomes_the_code_that_glibc_would_give(answer: Callable[..., None], code: int) -> None:
    with faulty.nameserver(answer) as address, faulty.Stopwatch() as watch:
        for ask in (resolver(address).look_up, lambda host: resolver(address).getaddrinfo(host, 80)):
            with pytest.raises(socket.gaierror) as caught:
                ask(HOST)
            assert caught.value.errno == code

    assert watch.seconds < 5  # twice a quarter of a second; left to itself, a silent nameserver is waited for for ever


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (faulty.servfail, nameserver.ErrorAnswer, "SERVFAIL"),
        (refused, nameserver.ErrorAnswer, "REFUSED"),
        (faulty.silence, nameserver.Silence, "does not answer"),
    ],
)
def test_a_nameserver_that_fails_is_told_from_one_that_is_silent(
    answer: Callable[..., None], kind: type[socket.gaierror], said: str
) -> None:
    with faulty.nameserver(answer) as address, pytest.raises(kind, match=said) as caught:
        resolver(address).look_up(HOST)

    assert type(caught.value) is kind


def test_the_labs_own_nameserver_gives_the_empty_answer(found: dns.Resolver, lab_nameserver: NameServer) -> None:
    lab_nameserver.set_mode("us-east-1", DnsMode.EMPTY)
    try:
        with pytest.raises(socket.gaierror) as caught:
            found.look_up(HOST)
        assert caught.value.errno == nameserver.EAI_NODATA
    finally:
        lab_nameserver.set_mode("us-east-1", DnsMode.OK)

    assert found.look_up(HOST).addresses == ("127.0.0.1",)  # nothing remembers the empty answer


def test_nobody_listening_at_the_nameservers_port_is_no_answer(dead: dns.Resolver) -> None:
    with pytest.raises(socket.gaierror) as caught:
        dead.look_up(HOST)

    assert (type(caught.value), caught.value.errno) == (nameserver.Silence, socket.EAI_AGAIN)


def test_garbage_from_the_nameserver_is_neither_silence_nor_an_error_of_its_own() -> None:
    class Garbage:
        def pack(self) -> bytes:
            return b"\x00\x01garbage"

    with faulty.nameserver(lambda _: Garbage()) as address, pytest.raises(socket.gaierror) as caught:  # type: ignore[arg-type, return-value]
        resolver(address).look_up(HOST)

    assert (type(caught.value), caught.value.errno) == (socket.gaierror, socket.EAI_AGAIN)


def test_a_nameserver_that_ends_its_tcp_connection_without_an_answer_is_silent() -> None:
    def truncated(question: DNSRecord) -> DNSRecord:
        answer = question.reply()
        answer.header.tc = 1
        return answer

    def ends(connection: socket.socket, _: object) -> None:
        connection.recv(4096)
        connection.close()

    with (
        faulty.server(ends) as port,
        faulty.nameserver(truncated, port) as address,
        pytest.raises(nameserver.Silence) as caught,
    ):
        dns.Resolver([HOST], address, timeout=2).look_up(HOST)

    assert caught.value.errno == socket.EAI_AGAIN


def test_a_name_that_cannot_be_asked_for_is_a_resolution_error() -> None:
    host = "a" * 64 + ".example"
    strange = dns.Resolver([host], ("127.0.0.1", 9), timeout=TIMEOUT_S)

    with pytest.raises(socket.gaierror):
        strange.look_up(host)


def test_a_slow_truncated_answer_and_a_nameserver_that_hangs_over_tcp_are_bounded_together() -> None:
    never = faulty.threading.Event()

    def truncated(question: DNSRecord) -> DNSRecord:
        never.wait(1.5)
        answer = question.reply()
        answer.header.tc = 1
        return answer

    # Connections of other tests linger on many ports of TCP, of UDP on hardly any: TCP chooses.
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        faulty.nameserver(truncated, silent.getsockname()[1]) as address,
    ):
        patient = dns.Resolver([HOST], address, timeout=2)

        def gives_up_on_time() -> bool:
            with faulty.Stopwatch() as watch, pytest.raises(socket.gaierror) as caught:
                patient.look_up(HOST)
            assert caught.value.errno == socket.EAI_AGAIN
            return watch.seconds < 3  # a bound for each of the two would make 3.5 s, each time

        wait_until(gives_up_on_time, within=20, what="a look-up that both together hold up for no more than 2 s")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_endpoint_given_by_its_address_is_asked_of_no_nameserver(host: str) -> None:
    by_address = dns.Resolver([host], ("127.0.0.1", 9), timeout=TIMEOUT_S)

    assert "127.0.0.1" in by_address.look_up(host).addresses
    assert by_address.getaddrinfo(host, 80) == dns._original(host, 80)


def test_without_a_nameserver_the_hosts_own_resolver_is_asked() -> None:
    own = dns.Resolver(["localhost"], None, timeout=5)

    assert "127.0.0.1" in own.look_up("localhost").addresses
    assert own.getaddrinfo("localhost", 80, socket.AF_INET) == dns._original("localhost", 80, socket.AF_INET)


def test_a_silent_resolver_of_the_host_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # glibc takes 10 s to give up; there is no silent resolver to be had in every environment, so a function stands in.
    waiter = faulty.threading.Event()
    monkeypatch.setattr(dns, "_original", lambda *_: waiter.wait(30))
    try:
        with faulty.Stopwatch() as watch, pytest.raises(socket.gaierror) as caught:
            resolver(None).look_up(HOST)
    finally:
        waiter.set()

    assert (type(caught.value), caught.value.errno) == (nameserver.Silence, socket.EAI_AGAIN)
    assert watch.seconds < TIMEOUT_S + 5


@pytest.fixture
def no_thread() -> Iterator[None]:
    """This process gets no thread more: none has room for such a stack."""
    before = threading.stack_size(2**60)
    yield
    threading.stack_size(before)


@pytest.mark.usefixtures("no_thread")
@pytest.mark.parametrize("stale_s", [None, 60.0])
def test_without_a_thread_to_ask_the_host_from_there_is_no_answer(stale_s: float | None) -> None:
    cache = None if stale_s is None else AddressCache(SystemClock(), stale_s=stale_s)
    own = dns.Resolver([HOST], None, timeout=TIMEOUT_S, cache=cache)

    for ask in (own.look_up, lambda host: own.getaddrinfo(host, 80)):
        with pytest.raises(nameserver.Silence, match="new thread") as caught:
            ask(HOST)
        assert caught.value.errno == socket.EAI_AGAIN


@pytest.mark.usefixtures("no_thread")
def test_a_call_for_whose_name_there_is_no_thread_was_not_sent(tmp_path: Path) -> None:
    config = replace(faulty.make_config(tmp_path, {EAST: 80}), endpoints={EAST: f"http://{HOST}"})
    with faulty.models_wired(config), bind(EAST), pytest.raises(PutError) as caught:
        ControlRow("k", "i", document="{}").put()

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.DNS)


def test_a_host_that_has_no_socket_left_to_ask_with_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    # glibc's "system error" comes as an OSError that is no gaierror; only a process that cannot go on has one to show.
    def fails(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(dns, "_original", fails)

    for ask in (resolver(None).look_up, lambda host: resolver(None).getaddrinfo(host, 80)):
        with pytest.raises(nameserver.Silence, match="Too many open files"):
            ask(HOST)


def test_the_hosts_refusal_comes_through_unchanged() -> None:
    own = dns.Resolver(["name.invalid"], None, timeout=20)
    with pytest.raises(socket.gaierror) as expected:
        dns._original("name.invalid", 80, 0, 0, 0, socket.AI_NUMERICHOST)

    with pytest.raises(socket.gaierror) as caught:
        own.getaddrinfo("name.invalid", 80, 0, 0, 0, socket.AI_NUMERICHOST)

    assert caught.value.args == expected.value.args


def test_installing_reaches_connections_and_restoring_gives_the_hosts_resolver_back(found: dns.Resolver) -> None:
    before = socket.getaddrinfo
    with faulty.server(faulty.closes) as port:
        restore = dns.install(found)
        try:
            assert socket.getaddrinfo != before
            socket.create_connection((HOST, port), timeout=5).close()
        finally:
            restore()

    assert socket.getaddrinfo is before


def test_resolvers_nest(found: dns.Resolver, dead: dns.Resolver) -> None:
    before = socket.getaddrinfo
    outer = dns.install(found)
    inner = dns.install(dead)
    inner()
    try:
        assert socket.getaddrinfo(HOST, 80)[0][4][0] == "127.0.0.1"
    finally:
        outer()
    assert socket.getaddrinfo is before


@given(st.text(max_size=30) | st.binary(max_size=30))
def test_no_name_makes_the_resolver_fail_in_another_way_than_the_host(host: str | bytes) -> None:
    own = resolver(("127.0.0.1", 9))
    try:
        expected: object = dns._original(host, 80, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except Exception as error:
        with pytest.raises(type(error)):
            own.getaddrinfo(host, 80, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    else:
        assert own.getaddrinfo(host, 80, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST) == expected
