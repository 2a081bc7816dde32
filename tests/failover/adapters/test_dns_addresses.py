"""A region with several addresses of both families, some dead: it serves while one of them lives."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from dnslib import AAAA, QTYPE, RR, A, DNSRecord
from pynamodb.exceptions import PutError

from failover import gateway, wiring
from failover.adapters.binding import bind
from failover.adapters.control_store import ControlRow
from failover.adapters.errors import classify
from failover.core.errors import ErrorClass, Outcome
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.addresses import alive, dropping
from tests.failover.adapters.faulty import EAST, SIX, WEST

DEADLINE_S = 2.0
FIRST, SECOND, THIRD, FOURTH = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"


def zone(**addresses: Sequence[str]) -> faulty_dns.Answering:
    """Answers for a region's name with these addresses, each to its own question: `east=[...]`, `west=[...]`."""

    def answer(question: DNSRecord) -> DNSRecord:
        reply, kind = question.reply(), question.q.qtype
        side = "east" if EAST in str(question.q.qname) else "west"
        for address in addresses[side]:
            if kind == (QTYPE.AAAA if ":" in address else QTYPE.A):
                data = AAAA(address) if ":" in address else A(address)
                reply.add_answer(RR(question.q.qname, kind, rdata=data, ttl=1))
        return reply

    return answer


def free_port() -> int:
    """A port that is free at all of these addresses: loopback's are as good as each other."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server(("", 0), family=family, dualstack_ipv6=both) as probe:
        return int(probe.getsockname()[1])


def put() -> None:
    ControlRow("k", "i", document="{}").put()


@pytest.mark.parametrize(
    ("dead", "living"),
    [
        pytest.param([FIRST], SECOND, id="the second of two"),
        pytest.param([FIRST, SECOND, THIRD], FOURTH, id="the fourth of four"),
        pytest.param([FIRST, SECOND, THIRD], SIX, id="IPv6 beside three of IPv4"),
        pytest.param([SIX, FIRST, SECOND], THIRD, id="IPv4 beside dead ones of both"),
        pytest.param([], SIX, id="IPv6 alone"),
    ],
)
def test_the_address_that_lives_serves(dead: list[str], living: str, tmp_path: Path) -> None:
    port = free_port()
    with (
        dropping(port, dead),
        alive(port, living) as connections,
        faulty_dns.nameserver(zone(east=[*dead, living])) as address,
        faulty.models_wired(faulty.make_config(tmp_path, {EAST: port}, address, timeout=faulty.PATIENT_S)),
        bind(EAST),
    ):
        put()

    assert len(connections) == 1


def test_where_every_address_of_both_families_is_dead_nothing_was_sent(tmp_path: Path) -> None:
    port = free_port()
    with (
        dropping(port, [FIRST, SECOND, SIX]),
        faulty_dns.nameserver(zone(east=[FIRST, SECOND, SIX])) as address,
        faulty.models_wired(faulty.make_config(tmp_path, {EAST: port}, address)),
        bind(EAST),
        faulty.Stopwatch() as watch,
        pytest.raises(PutError) as caught,
    ):
        put()

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.CONNECT)
    assert watch.seconds < 10  # the kernel tries for two minutes


def test_a_region_with_three_dead_addresses_leaves_the_other_its_time(tmp_path: Path) -> None:
    east, west = free_port(), free_port()
    with (
        dropping(east, [FIRST, SECOND, THIRD]),
        alive(west, FIRST),
        faulty_dns.nameserver(zone(east=[FIRST, SECOND, THIRD], west=[FIRST])) as address,
    ):
        config = faulty.make_config(tmp_path, {EAST: east, WEST: west}, address)
        # Three times this connection timeout is more than the deadline.
        config = replace(config, deadline_s=DEADLINE_S, connect_timeout_s=0.75, read_timeout_s=0.75)
        taken = []
        with wiring.using(config):
            for _ in range(3):  # a busy machine may make one of them late, three addresses all of them
                with faulty.Stopwatch() as watch:
                    routed = gateway.write(lambda _: put(), idempotent=True)
                assert routed.region == WEST
                assert [attempt.region for attempt in routed.attempts] == [EAST, WEST]
                taken.append(watch.seconds)
        assert min(taken) < DEADLINE_S
