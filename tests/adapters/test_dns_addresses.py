"""A region with several addresses, some dead: each of those costs a connection's whole timeout, so two are tried."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from dnslib import QTYPE, RR, A, DNSRecord
from pynamodb.exceptions import PutError

from failover import gateway, wiring
from failover.adapters.binding import bind
from failover.adapters.control_store import ControlRow
from failover.adapters.errors import classify
from failover.core.errors import ErrorClass, Outcome
from tests.adapters import faulty
from tests.adapters.faulty import EAST, WEST

WRITTEN = faulty.reply(200, {})
DEADLINE_S = 2.0
FIRST, SECOND, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@contextlib.contextmanager
def dropping(port: int, addresses: Sequence[str]) -> Iterator[None]:
    """At these addresses a SYN is dropped, as where a machine is gone: their queues of connections are full."""
    with contextlib.ExitStack() as stack:
        for address in addresses:
            listener = stack.enter_context(socket.create_server((address, port), backlog=0))
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
        yield


@contextlib.contextmanager
def alive(port: int, address: str) -> Iterator[list[socket.socket]]:
    """At this address a region answers every request; yields the connections that were made to it."""
    made: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        made.append(connection)
        with connection, contextlib.suppress(OSError):
            faulty.says(WRITTEN)(connection, threading.Event())

    with socket.create_server((address, port)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(5)


def zone(**addresses: Sequence[str]) -> faulty.Callable[[DNSRecord], DNSRecord]:
    """Answers for a region's name with these addresses, in this order: `east=[...]`, `west=[...]`."""

    def answer(question: DNSRecord) -> DNSRecord:
        reply = question.reply()
        side = "east" if EAST in str(question.q.qname) else "west"
        for address in addresses[side]:
            reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(address), ttl=1))
        return reply

    return answer


def free_port() -> int:
    """A port that is free at all three addresses: loopback's are as good as each other."""
    with socket.create_server(("", 0)) as probe:
        return int(probe.getsockname()[1])


def put() -> None:
    ControlRow("k", "i", document="{}").put()


def test_when_the_first_address_is_dead_the_second_serves(tmp_path: Path) -> None:
    port = free_port()
    with (
        dropping(port, [FIRST]),
        alive(port, SECOND) as made,
        faulty.nameserver(zone(east=[FIRST, SECOND])) as address,
        faulty.models_wired(faulty.make_config(tmp_path, {EAST: port}, address)),
        bind(EAST),
    ):
        put()

    assert len(made) == 1


def test_a_third_address_is_not_tried(tmp_path: Path) -> None:
    port = free_port()
    with (
        dropping(port, [FIRST, SECOND]),
        alive(port, THIRD) as made,
        faulty.nameserver(zone(east=[FIRST, SECOND, THIRD])) as address,
        faulty.models_wired(faulty.make_config(tmp_path, {EAST: port}, address)),
        bind(EAST),
        pytest.raises(PutError) as caught,
    ):
        put()

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.CONNECT)
    assert made == []


def test_a_region_with_three_dead_addresses_leaves_the_other_its_time(tmp_path: Path) -> None:
    east, west = free_port(), free_port()
    with (
        dropping(east, [FIRST, SECOND, THIRD]),
        alive(west, FIRST),
        faulty.nameserver(zone(east=[FIRST, SECOND, THIRD], west=[FIRST])) as address,
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
                assert [one.region for one in routed.attempts] == [EAST, WEST]
                taken.append(watch.seconds)
        assert min(taken) < DEADLINE_S
