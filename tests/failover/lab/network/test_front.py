"""A front between real sockets: open, shut, cut, and far away."""

import contextlib
import socket
import time

import pytest

from failover.lab.network.gate import FrontLoop, Gate
from failover.lab.network.manners import Manner
from tests.failover.lab.network.fronts import RTT_MS, connect, exchange, is_cut
from tests.waiting import wait_until


def test_an_open_front_passes_bytes_both_ways(near: Gate):
    with connect(near) as client:
        assert exchange(client, b"a vote")[0] == b"a vote"
        assert near.connections == 1


def test_megabytes_pass_whole_and_in_order(near: Gate, far: Gate):
    data = bytes(range(256)) * 16384
    for gate in (near, far):
        with connect(gate) as client:
            assert exchange(client, data)[0] == data


def test_a_connection_is_forgotten_on_both_sides_when_its_client_leaves(near: Gate, far: Gate):
    for gate in (near, far):
        with connect(gate) as client:
            exchange(client, b"x")
            assert gate.connections == 1
        wait_until(lambda gate=gate: gate.connections == 0, within=5, what="the connection is forgotten")


def test_a_front_that_is_not_ready_refuses_and_cuts(near: Gate):
    with connect(near) as client:
        exchange(client, b"x")
        assert near.not_ready() == 1
        assert is_cut(client)
    with pytest.raises(ConnectionRefusedError):
        connect(near)
    assert not near.is_open


def test_a_refusing_front_lets_open_connections_live_until_they_are_cut(near: Gate):
    with connect(near) as client:
        exchange(client, b"x")
        near.treat(Manner.REFUSE)
        with pytest.raises(ConnectionRefusedError):
            connect(near)
        assert exchange(client, b"still here")[0] == b"still here"
        assert near.cut() == 1
        assert is_cut(client)


def test_the_port_is_the_same_after_the_front_opens_again(near: Gate, echo: int):
    port = near.port
    near.treat(Manner.REFUSE)
    near.treat(Manner.SERVE)
    assert near.port == port
    with connect(near) as client:
        assert exchange(client, b"back")[0] == b"back"


def test_the_port_of_a_shut_front_cannot_be_taken_by_another_program(near: Gate):
    near.treat(Manner.REFUSE)
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", near.port))


def test_a_region_that_comes_back_does_not_open_a_front_that_a_fault_keeps_shut(near: Gate, echo: int):
    near.treat(Manner.REFUSE)
    near.not_ready()
    near.ready(echo)
    assert not near.is_open
    near.treat(Manner.SERVE)
    assert near.is_open


def test_an_engine_that_is_not_there_is_felt_as_a_cut_connection(near: Gate):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        near.ready(nobody.getsockname()[1])
        try:
            with connect(near) as client:
                assert is_cut(client)
        except ConnectionResetError:
            pass  # cut before connect() returned


def test_a_far_region_answers_a_round_trip_later_and_one_more_on_a_fresh_connection(far: Gate):
    began = time.monotonic()  # the front begins its round trip while the client connects, before it sends
    with connect(far) as client:
        exchange(client, b"x")
        fresh = (time.monotonic() - began) * 1000
        warm: list[float] = []

        def answers_within_two() -> bool:
            warm.append(exchange(client, b"x")[1])
            return warm[-1] < 2 * RTT_MS

        # A busy machine makes some of them late; a round trip too many makes every one of them so.
        wait_until(answers_within_two, within=20, what="one answer within two round trips on an open connection")
    assert fresh >= 2 * RTT_MS - 1
    assert min(warm) >= RTT_MS - 1


def test_many_small_messages_travel_one_behind_the_other_not_each_after_the_last(far: Gate):
    count = 20
    with connect(far) as client:
        exchange(client, b"x")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken: list[float] = []

        def arrive_close_together() -> bool:
            started = time.monotonic()
            for _ in range(count):
                client.sendall(b"x")
            back = 0
            while back < count:
                back += len(client.recv(1024))
            taken.append((time.monotonic() - started) * 1000)
            return taken[-1] < count * RTT_MS / 4

        wait_until(arrive_close_together, within=20, what="twenty messages within five round trips")
    assert min(taken) >= RTT_MS - 1


@pytest.mark.parametrize("manner", [Manner.SERVE, Manner.HANG])
def test_a_connection_taken_in_the_very_moment_a_fault_ends_is_met_or_cut_never_forgotten(
    loop: FrontLoop, echo: int, manner: Manner
):
    for _ in range(40):
        gate = Gate(loop, 0.0)
        gate.ready(echo)
        gate.treat(manner)
        with connect(gate) as client:
            gate.end()
            client.settimeout(10)
            assert is_cut(client)


def test_a_front_ends_though_its_engine_stands_still_and_takes_no_more_connections(loop: FrontLoop):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as still, contextlib.ExitStack() as stack:
        gate = Gate(loop, 0.0)
        gate.ready(still.getsockname()[1])
        # One or two of them reach its queue.
        clients = [stack.enter_context(connect(gate)) for _ in range(5)]
        wait_until(lambda: gate.connections == 5, within=10, what="all are taken")
        gate.end()
        for client in clients:
            client.settimeout(10)
            assert is_cut(client)
