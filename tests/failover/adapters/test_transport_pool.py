"""Which connections the transport keeps, and when it empties its pool."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import botocore.exceptions as sdk
import pytest
from botocore.awsrequest import AWSResponse

from failover.adapters.clock import SystemClock
from failover.adapters.errors import classify
from failover.adapters.transport import MOST_IDLE_S, Transport, _Connection, _is_stale, connections_made_since
from failover.core.errors import ErrorClass
from failover.core.ports import Clock
from tests.failover.adapters import faulty
from tests.failover.adapters.transports import ANSWER, Counted, ask, asking, open_transport
from tests.failover.clocks import ShiftedClock
from tests.waiting import wait_until


def test_a_connection_is_kept_for_the_next_exchange() -> None:
    server = Counted(faulty.says(ANSWER))
    with asking(server) as send:
        for _ in range(3):
            send()

    assert server.connections == 1


def test_a_connection_that_the_region_closed_meanwhile_is_not_used_again() -> None:
    server = Counted(faulty.says(ANSWER, then_close=True))
    with faulty.server(server) as port, open_transport(endpoint := f"http://127.0.0.1:{port}") as transport:
        ask(transport, endpoint)
        wait_until(lambda: _is_stale(transport._idle[0].sock), within=10, what="the end has arrived")

        assert ask(transport, endpoint).status_code == 200

    assert server.connections == 2


def test_a_connection_on_which_something_unasked_arrived_is_not_used_again() -> None:
    answered = threading.Event()

    def behave(connection: socket.socket, over: threading.Event) -> None:
        faulty.read_request(connection)
        connection.sendall(ANSWER)
        answered.wait(10)
        connection.sendall(b"HTTP/1.1 500 stray\r\nContent-Length: 0\r\n\r\n")
        over.wait(60)

    server = Counted(behave)
    with faulty.server(server) as port, open_transport(endpoint := f"http://127.0.0.1:{port}") as transport:
        ask(transport, endpoint)
        answered.set()
        wait_until(lambda: _is_stale(transport._idle[0].sock), within=10, what="the stray bytes have arrived")

        assert ask(transport, endpoint).status_code == 200

    assert server.connections == 2


def test_a_region_that_says_close_is_taken_at_its_word() -> None:
    server = Counted(faulty.says(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)))
    with asking(server) as send:
        send()
        send()

    assert server.connections == 2


def test_a_closed_transport_connects_anew_and_keeps_nothing_that_was_under_way_when_it_closed() -> None:
    asked, answer = threading.Event(), threading.Event()

    def behave(connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            faulty.read_request(connection)
            asked.set()
            answer.wait(10)
            connection.sendall(ANSWER)

    server = Counted(behave)
    with faulty.server(server) as port:
        endpoint = f"http://127.0.0.1:{port}"
        transport = Transport(endpoint, connect_timeout=10, read_timeout=10, size=2, clock=SystemClock())
        under_way = threading.Thread(target=ask, args=(transport, endpoint))
        under_way.start()
        assert asked.wait(10)
        transport.close()
        answer.set()
        under_way.join(10)
        ask(transport, endpoint)
        transport.close()

    assert server.connections == 2


def test_no_more_connections_lie_idle_than_the_size() -> None:
    with open_transport("http://127.0.0.1:9") as transport:
        pairs = [socket.socketpair() for _ in range(3)]
        for ours, _ in pairs:
            transport._done(_Connection(ours, era=0, made_at=0.0), keep=True)

        assert [ours.fileno() == -1 for ours, _ in pairs] == [False, False, True]
        for _, theirs in pairs:
            theirs.close()


@contextlib.contextmanager
def pool(network: faulty.Network, clock: Clock | None = None) -> Iterator[tuple[Transport, Callable[..., AWSResponse]]]:
    """A transport, and what asks over it."""
    with faulty.server(network) as port:
        endpoint = f"http://127.0.0.1:{port}"
        transport = Transport(
            endpoint, connect_timeout=20, read_timeout=faulty.TIMEOUT_S, size=16, clock=clock or SystemClock()
        )
        try:
            yield transport, lambda: ask(transport, endpoint)
        finally:
            transport.close()


def at_once(number: int, work: Callable[[], object]) -> list[object]:
    """What comes of it in so many threads at the same time: values, or the errors."""
    together, results = threading.Barrier(number), []

    def run() -> None:
        together.wait(20)
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def fill(transport: Transport, send: Callable[[], object], number: int) -> None:
    """So many connections lie idle."""
    wait_until(
        lambda: at_once(number, send) and len(transport._idle) >= number, within=30, what="a pool of connections"
    )


def test_the_timeout_of_a_pooled_connection_says_so_and_empties_the_pool() -> None:
    network = faulty.Network(ANSWER)
    with pool(network) as (transport, send):
        fill(transport, send, 4)
        network.dies()
        with pytest.raises(sdk.ReadTimeoutError) as caught:
            send()

        assert classify(caught.value).pooled
        assert transport._idle == []
        before = network.made
        assert send().status_code == 200
        assert network.made == before + 1


def test_the_timeout_of_a_new_connection_says_that_too() -> None:
    network = faulty.Network(ANSWER)
    network.dies()
    network.fresh = faulty.hangs
    with pool(network) as (_, send), pytest.raises(sdk.ReadTimeoutError) as caught:
        send()

    failure = classify(caught.value)
    assert (failure.error_class, failure.pooled) == (ErrorClass.UNKNOWN, False)


def test_a_pooled_connection_that_is_cut_empties_the_pool_too() -> None:
    with asking(faulty.says(ANSWER)) as send:
        send()
    cuts = threading.Event()

    def behave(connection: socket.socket, over: threading.Event) -> None:
        faulty.read_request(connection)
        connection.sendall(ANSWER)
        faulty.read_request(connection)
        cuts.set()

    with faulty.server(behave) as port, open_transport(endpoint := f"http://127.0.0.1:{port}") as transport:
        at_once(2, lambda: ask(transport, endpoint))
        with pytest.raises(sdk.ConnectionClosedError) as caught:
            ask(transport, endpoint)

        assert classify(caught.value).pooled
        assert transport._idle == []


def test_many_timeouts_at_once_empty_the_pool_once_and_throw_no_new_connection_away() -> None:
    network = faulty.Network(ANSWER)
    with pool(network) as (transport, send):
        fill(transport, send, 8)
        before = transport._era
        network.dies()
        late = threading.Thread(target=at_once, args=(8, send))
        late.start()
        wait_until(lambda: transport._era > before, within=30, what="the first timeout")
        assert send().status_code == 200
        late.join(30)

        assert transport._era == before + 1, "those that timed out later were older, and emptied nothing"
        assert len(transport._idle) >= 1
        made_before = network.made
        assert send().status_code == 200
        assert network.made == made_before


def test_a_connection_that_was_being_made_while_the_pool_was_emptied_is_kept() -> None:
    network = faulty.Network(ANSWER)
    with pool(network) as (transport, send):
        dial = transport._dial

        def dial_slowly() -> socket.socket:
            sock = dial()
            transport.close()  # meanwhile
            return sock

        transport._dial = dial_slowly
        send()
        transport._dial = dial
        send()

    assert network.made == 1


@pytest.mark.parametrize("asleep", [False, True], ids=["by the clock", "while the machine slept"])
def test_no_connection_is_used_that_lay_idle_for_longer_than_ten_seconds(asleep: bool) -> None:
    network, clock = faulty.Network(ANSWER), ShiftedClock()
    with pool(network, clock) as (transport, send):
        fill(transport, send, 2)
        before = network.made
        clock.asleep_s += MOST_IDLE_S - 1 if asleep else 0
        clock.ahead_s += 0 if asleep else MOST_IDLE_S - 1
        send()
        assert network.made == before, "not yet"

        clock.asleep_s += MOST_IDLE_S + 1 if asleep else 0
        clock.ahead_s += 0 if asleep else MOST_IDLE_S + 1
        send()

        assert network.made == before + 1
        assert len(transport._idle) == 1, "the others that were too old are closed"


def test_a_wall_clock_that_is_set_back_keeps_no_connection_for_longer() -> None:
    network, clock = faulty.Network(ANSWER), ShiftedClock()
    with pool(network, clock) as (_, send):
        send()
        clock.asleep_s -= 3600
        clock.ahead_s += MOST_IDLE_S + 1
        send()

    assert network.made == 2


def test_an_exchange_that_wants_a_new_connection_gets_one_and_those_after_it_share_that() -> None:
    network = faulty.Network(ANSWER)
    with pool(network) as (transport, send):
        fill(transport, send, 2)
        before = network.made
        with connections_made_since(SystemClock().monotonic()):
            send()
            send()

        assert network.made == before + 1
        assert len(transport._idle) >= 3, "the pool is not emptied for it"
