"""Addresses of both families: asked for at once, given in turns."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSRecord

from failover.adapters import dns, nameserver
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.resolvers import HOST, LONG_S, resolver
from tests.waiting import wait_until


def zone(a: Sequence[str] | None = (), aaaa: Sequence[str] | None = (), code: str = "NOERROR") -> faulty_dns.Answering:
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
    answer: faulty_dns.Answering, expected: tuple[str, ...]
) -> None:
    with faulty_dns.nameserver(answer) as address, faulty.Stopwatch() as watch:
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
    answer: faulty_dns.Answering, kind: type[socket.gaierror], code: int
) -> None:
    with faulty_dns.nameserver(answer) as address, pytest.raises(socket.gaierror) as caught:
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

    with faulty.server(over_tcp) as port, faulty_dns.nameserver(over_udp, port) as address:
        answers: list[tuple[str, ...]] = []

        def found_all() -> bool:  # beside AAAA, A has 50 ms, which a busy machine may take
            answers.append(dns.Resolver([HOST], address, timeout=LONG_S).look_up(HOST).addresses)
            return answers[-1] == BOTH

        wait_until(found_all, within=30, what="the addresses of both families")

    assert set(answers) <= {BOTH, SIX}
