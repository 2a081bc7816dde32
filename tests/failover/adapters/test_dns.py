"""The region endpoints are resolved within a bound; every other name is none of our business."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from dnslib import DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters import dns
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.resolvers import HOST, TIMEOUT_S, resolver


@pytest.mark.parametrize("host", [HOST, HOST.upper(), HOST + ".", HOST.encode()], ids=repr)
def test_an_endpoint_name_is_asked_of_the_nameserver_however_it_is_written(
    lab_resolver: dns.Resolver, host: object
) -> None:
    infos = lab_resolver.getaddrinfo(host, 8000, socket.AF_INET, socket.SOCK_STREAM)

    assert infos == [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 8000))]


def test_the_addresses_are_those_of_the_name(lab_resolver: dns.Resolver) -> None:
    assert lab_resolver.look_up(HOST).addresses == ("127.0.0.1",)


def test_a_service_name_is_a_port(lab_resolver: dns.Resolver) -> None:
    assert lab_resolver.getaddrinfo(HOST, "https", type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 443)


@pytest.mark.parametrize("host", ["localhost", b"localhost", "127.0.0.1", "::1", None, "", b"\xff\xfe"], ids=repr)
@pytest.mark.parametrize("family", [socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("flags", [0, socket.AI_PASSIVE, socket.AI_NUMERICHOST, socket.AI_CANONNAME])
def test_every_other_name_is_answered_as_the_host_answers_it(
    dead_resolver: dns.Resolver, host: object, family: int, flags: int
) -> None:
    def outcome(ask: Callable[..., object]) -> object:
        try:
            return ask(host, 80, family, socket.SOCK_STREAM, 0, flags)
        except (OSError, UnicodeError, TypeError) as error:
            return type(error), error.args

    assert outcome(dead_resolver.getaddrinfo) == outcome(dns._original)


@pytest.mark.parametrize("host", [f"x.{HOST}", f"{HOST}.example.invalid", "amazonaws.com"])
def test_a_name_that_only_resembles_an_endpoint_is_left_to_the_host(host: str) -> None:
    asked: list[object] = []

    def notes(question: DNSRecord) -> None:
        asked.append(question)

    with faulty_dns.nameserver(notes) as address, pytest.raises(socket.gaierror):
        resolver(address).getaddrinfo(host, 80, 0, 0, 0, socket.AI_NUMERICHOST)
    assert asked == []


def test_an_endpoint_has_no_ipv6_address_and_says_so_as_the_host_would(lab_resolver: dns.Resolver) -> None:
    with pytest.raises(socket.gaierror):
        lab_resolver.getaddrinfo(HOST, 80, socket.AF_INET6)


def test_flags_reach_the_host_untouched(lab_resolver: dns.Resolver) -> None:
    mapped = lab_resolver.getaddrinfo(HOST, 80, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_V4MAPPED)

    assert mapped[0][4][0] == "::ffff:127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_endpoint_given_by_its_address_is_asked_of_no_nameserver(host: str) -> None:
    by_address = dns.Resolver([host], ("127.0.0.1", 9), timeout=TIMEOUT_S)

    assert "127.0.0.1" in by_address.look_up(host).addresses
    assert by_address.getaddrinfo(host, 80) == dns._original(host, 80)


def test_installing_reaches_connections_and_restoring_gives_the_hosts_resolver_back(lab_resolver: dns.Resolver) -> None:
    before = socket.getaddrinfo
    with faulty.server(faulty.closes) as port:
        restore = dns.install(lab_resolver)
        try:
            assert socket.getaddrinfo != before
            socket.create_connection((HOST, port), timeout=5).close()
        finally:
            restore()

    assert socket.getaddrinfo is before


def test_resolvers_nest(lab_resolver: dns.Resolver, dead_resolver: dns.Resolver) -> None:
    before = socket.getaddrinfo
    outer = dns.install(lab_resolver)
    inner = dns.install(dead_resolver)
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
