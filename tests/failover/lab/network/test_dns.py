"""The nameserver, asked over real sockets."""

import socket
from collections.abc import Iterator

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from failover.lab.config import account_host, endpoint_host
from failover.lab.network.dns import TTL_S, DnsMode, NameServer
from tests.failover.lab.support import EAST, WEST


@pytest.fixture(scope="module")
def nameserver() -> Iterator[NameServer]:
    server = NameServer((EAST, WEST))
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def healthy(nameserver: NameServer) -> Iterator[None]:
    yield
    nameserver.set_mode(EAST, DnsMode.OK)


def ask(nameserver: NameServer, name: str, kind: str = "A", *, tcp: bool = False) -> DNSRecord:
    return DNSRecord.parse(DNSRecord.question(name, kind).send("127.0.0.1", nameserver.port, tcp=tcp, timeout=5))


@pytest.mark.parametrize("tcp", [False, True], ids=["over UDP", "over TCP"])
def test_a_region_has_one_address_on_loopback_with_a_short_life(nameserver: NameServer, tcp: bool):
    (answer,) = ask(nameserver, endpoint_host(EAST), tcp=tcp).rr
    assert (str(answer.rdata), answer.ttl) == ("127.0.0.1", TTL_S)


def test_names_are_not_case_sensitive(nameserver: NameServer):
    assert ask(nameserver, endpoint_host(WEST).upper()).rr


def test_a_region_has_no_ipv6_address_and_says_so_for_a_short_time(nameserver: NameServer):
    reply = ask(nameserver, endpoint_host(EAST), "AAAA")
    assert (RCODE.get(reply.header.rcode), reply.rr) == ("NOERROR", [])
    (authority,) = reply.auth
    assert authority.rtype == QTYPE.SOA
    assert authority.rdata.times[-1] == TTL_S


@pytest.mark.parametrize(
    "name",
    ["example.org", "dynamodb.eu-west-1.amazonaws.com", "123456789012.ddb.us-east-1.amazonaws.com", "amazonaws.com"],
)
def test_any_other_name_does_not_exist(nameserver: NameServer, name: str):
    reply = ask(nameserver, name)
    assert RCODE.get(reply.header.rcode) == "NXDOMAIN"
    assert [row.rtype for row in reply.auth] == [QTYPE.SOA]


@pytest.mark.parametrize("kind", ["A", "AAAA"])
@pytest.mark.parametrize(
    ("mode", "code"), [(DnsMode.EMPTY, "NOERROR"), (DnsMode.NXDOMAIN, "NXDOMAIN"), (DnsMode.SERVFAIL, "SERVFAIL")]
)
def test_a_fault_holds_for_both_types_of_address(nameserver: NameServer, mode: DnsMode, code: str, kind: str):
    nameserver.set_mode(EAST, mode)
    reply = ask(nameserver, endpoint_host(EAST), kind)
    assert (RCODE.get(reply.header.rcode), reply.rr) == (code, [])


@pytest.mark.parametrize("host", [endpoint_host, account_host], ids=["the regional name", "the account's name"])
@pytest.mark.parametrize(
    ("mode", "code", "remembered"),
    [(DnsMode.EMPTY, "NOERROR", [TTL_S]), (DnsMode.NXDOMAIN, "NXDOMAIN", [TTL_S]), (DnsMode.SERVFAIL, "SERVFAIL", [])],
)
def test_both_names_of_a_region_break_and_mend_together(nameserver: NameServer, host, mode, code, remembered):
    nameserver.set_mode(EAST, mode)
    reply = ask(nameserver, host(EAST))
    assert (RCODE.get(reply.header.rcode), reply.rr) == (code, [])
    assert [row.rdata.times[-1] for row in reply.auth] == remembered
    assert ask(nameserver, host(WEST)).rr
    nameserver.set_mode(EAST, DnsMode.OK)
    (answer,) = ask(nameserver, host(EAST)).rr
    assert str(answer.rdata) == "127.0.0.1"


@pytest.mark.parametrize("host", [endpoint_host, account_host], ids=["the regional name", "the account's name"])
def test_a_silent_nameserver_sends_nothing_and_still_answers_for_the_other_region(nameserver: NameServer, host):
    nameserver.set_mode(EAST, DnsMode.SILENT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(DNSRecord.question(host(EAST)).pack(), ("127.0.0.1", nameserver.port))
        # What is asked later is answered by the same server, so nothing was still to come.
        assert ask(nameserver, host(WEST)).rr
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(512)


@pytest.mark.parametrize("tcp", [False, True], ids=["over UDP", "over TCP"])
def test_an_empty_record_is_an_answer_without_addresses_for_that_region_alone(nameserver: NameServer, tcp: bool):
    nameserver.set_mode(EAST, DnsMode.EMPTY)
    reply = ask(nameserver, endpoint_host(EAST), tcp=tcp)
    assert (RCODE.get(reply.header.rcode), reply.rr) == ("NOERROR", [])
    assert [row.rdata.times[-1] for row in reply.auth] == [TTL_S]
    assert ask(nameserver, endpoint_host(WEST), tcp=tcp).rr
