"""What a nameserver's failure becomes: the code that glibc would give, in time."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from dnslib import RCODE, DNSRecord

from failover.adapters import dns, nameserver
from failover.lab.network.dns import DnsMode, NameServer
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.resolvers import HOST, TIMEOUT_S, resolver
from tests.waiting import wait_until


def refused(question: DNSRecord) -> DNSRecord:
    """The nameserver would not."""
    answer = question.reply()
    answer.header.rcode = RCODE.REFUSED
    return answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (faulty_dns.empty, nameserver.EAI_NODATA),
        (faulty_dns.nxdomain, socket.EAI_NONAME),
        (faulty_dns.servfail, socket.EAI_AGAIN),
        (faulty_dns.silence, socket.EAI_AGAIN),
    ],
)
def test_what_dns_says_becomes_the_code_that_glibc_would_give(answer: Callable[..., None], code: int) -> None:
    with faulty_dns.nameserver(answer) as address, faulty.Stopwatch() as watch:
        for ask in (resolver(address).look_up, lambda host: resolver(address).getaddrinfo(host, 80)):
            with pytest.raises(socket.gaierror) as caught:
                ask(HOST)
            assert caught.value.errno == code

    assert watch.seconds < 5  # twice a quarter of a second; left to itself, a silent nameserver is waited for for ever


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (faulty_dns.servfail, nameserver.ErrorAnswer, "SERVFAIL"),
        (refused, nameserver.ErrorAnswer, "REFUSED"),
        (faulty_dns.silence, nameserver.Silence, "does not answer"),
    ],
)
def test_a_nameserver_that_fails_is_told_from_one_that_is_silent(
    answer: Callable[..., None], kind: type[socket.gaierror], message: str
) -> None:
    with faulty_dns.nameserver(answer) as address, pytest.raises(kind, match=message) as caught:
        resolver(address).look_up(HOST)

    assert type(caught.value) is kind


def test_the_labs_own_nameserver_gives_the_empty_answer(lab_resolver: dns.Resolver, lab_nameserver: NameServer) -> None:
    lab_nameserver.set_mode("us-east-1", DnsMode.EMPTY)
    try:
        with pytest.raises(socket.gaierror) as caught:
            lab_resolver.look_up(HOST)
        assert caught.value.errno == nameserver.EAI_NODATA
    finally:
        lab_nameserver.set_mode("us-east-1", DnsMode.OK)

    assert lab_resolver.look_up(HOST).addresses == ("127.0.0.1",)  # nothing remembers the empty answer


def test_nobody_listening_at_the_nameservers_port_is_no_answer(dead_resolver: dns.Resolver) -> None:
    with pytest.raises(socket.gaierror) as caught:
        dead_resolver.look_up(HOST)

    assert (type(caught.value), caught.value.errno) == (nameserver.Silence, socket.EAI_AGAIN)


def test_garbage_from_the_nameserver_is_neither_silence_nor_an_error_of_its_own() -> None:
    class Garbage:
        def pack(self) -> bytes:
            return b"\x00\x01garbage"

    with faulty_dns.nameserver(lambda _: Garbage()) as address, pytest.raises(socket.gaierror) as caught:
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
        faulty_dns.nameserver(truncated, port) as address,
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
        faulty_dns.nameserver(truncated, silent.getsockname()[1]) as address,
    ):
        patient = dns.Resolver([HOST], address, timeout=2)

        def gives_up_on_time() -> bool:
            with faulty.Stopwatch() as watch, pytest.raises(socket.gaierror) as caught:
                patient.look_up(HOST)
            assert caught.value.errno == socket.EAI_AGAIN
            return watch.seconds < 3  # a bound for each of the two would make 3.5 s, each time

        wait_until(gives_up_on_time, within=20, what="a look-up that both together hold up for no more than 2 s")
