"""How a front treats connections under a fault, between real sockets.

The region behind it only echoes.
"""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from failover.lab.network.gate import FrontLoop, Gate
from failover.lab.network.manners import Manner
from failover.lab.network.pipe import DRIP_S
from tests.failover.lab.network.fronts import connect, exchange, is_cut
from tests.waiting import wait_until

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
SERVED = b"served"


@pytest.fixture
def served(near: Gate) -> Iterator[socket.socket]:
    """A connection from before the fault."""
    with connect(near) as client:
        assert exchange(client, SERVED)[0] == SERVED
        yield client


def says_nothing(client: socket.socket, within: float = 0.3) -> bool:
    client.settimeout(within)
    with contextlib.suppress(TimeoutError):
        client.recv(1)
        return False
    client.settimeout(10)
    return True


@pytest.mark.parametrize("manner", [manner for manner in Manner if manner not in (Manner.SERVE, Manner.BLACKHOLE)])
def test_a_fault_leaves_open_connections_alone_and_its_end_cuts_its_own(
    near: Gate, served: socket.socket, manner: Manner
):
    near.treat(manner)
    assert exchange(served, b"still here")[0] == b"still here"
    with contextlib.ExitStack() as stack:
        if manner is not Manner.REFUSE:
            client = stack.enter_context(connect(near))
            wait_until(lambda: near.connections == 2, within=5, what="the front has both")
        near.treat(Manner.SERVE)
        assert near.connections == 1
        if manner not in (Manner.REFUSE, Manner.TLS_WRONG_CERTIFICATE):
            assert is_cut(client)
        assert exchange(served, b"for ever")[0] == b"for ever"
    with connect(near) as fresh:
        assert exchange(fresh, SERVED)[0] == SERVED


def test_a_black_hole_answers_no_attempt_to_connect_and_the_end_of_it_lets_the_attempt_through(
    near: Gate, served: socket.socket
):
    near.treat(Manner.BLACKHOLE)
    assert not near.is_open
    with socket.socket() as waiting, socket.socket() as second:
        for attempt in (waiting, second):
            attempt.settimeout(0.4)
            with pytest.raises(TimeoutError):
                attempt.connect(("127.0.0.1", near.port))
        assert exchange(served, b"still here")[0] == b"still here"
        near.treat(Manner.SERVE)
        # The kernel sends the SYN again by itself.
        wait_until(lambda: near.connections >= 2, within=10, what="the attempt got through")


def test_a_region_without_an_engine_is_a_black_hole_all_the_same(near: Gate):
    near.treat(Manner.BLACKHOLE)
    near.not_ready()
    with socket.socket() as client:
        client.settimeout(0.4)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", near.port))


def test_a_front_that_hangs_accepts_and_reads_everything_and_answers_nothing(near: Gate):
    near.treat(Manner.HANG)
    with connect(near) as client:
        client.sendall(REQUEST * 1000)
        assert says_nothing(client)


def test_a_reply_that_drips_is_whole_in_the_end_and_takes_its_time_for_every_byte(near: Gate):
    near.treat(Manner.DRIP)
    with connect(near) as client:
        back, ms = exchange(client, b"abc")
        assert back == b"abc"
        assert ms >= 2 * DRIP_S * 1000 - 1


@contextlib.contextmanager
def before_an_engine(loop: FrontLoop, manner: Manner) -> Iterator[tuple[Gate, socket.socket]]:
    """A front in this manner, and the listening socket of the engine behind it."""
    with socket.create_server(("127.0.0.1", 0)) as engine:
        gate = Gate(loop, 0.0)
        gate.ready(engine.getsockname()[1])
        gate.treat(manner)
        try:
            yield gate, engine
        finally:
            gate.end()


def test_a_reply_drips_to_its_end_when_the_engine_has_closed_behind_it(loop: FrontLoop):
    with before_an_engine(loop, Manner.DRIP) as (gate, listener), connect(gate) as client:
        engine, _ = listener.accept()
        engine.sendall(b"xyz")
        engine.close()
        assert b"".join(iter(lambda: client.recv(10), b"")) == b"xyz"


def test_a_request_is_reset_and_nothing_of_it_reaches_the_engine(loop: FrontLoop):
    with before_an_engine(loop, Manner.RESET) as (gate, listener):
        listener.setblocking(False)
        with connect(gate) as client:
            assert says_nothing(client), "it was reset before it asked"
            client.sendall(REQUEST)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_lost_reply_was_a_request_that_the_engine_has(loop: FrontLoop):
    with before_an_engine(loop, Manner.LOST_REPLY) as (gate, listener), connect(gate) as client:
        client.sendall(REQUEST)
        engine, _ = listener.accept()
        with engine:
            assert engine.recv(100) == REQUEST
            engine.sendall(b"HTTP/1.1 200 OK\r\n")
            with pytest.raises(ConnectionResetError):
                client.recv(1)


@pytest.mark.parametrize(
    ("manner", "status"), [(Manner.HTTP_503, b"503"), (Manner.THROTTLE, b"400"), (Manner.DENY, b"400")]
)
def test_every_request_is_refused_on_a_connection_that_stays_open(near: Gate, manner: Manner, status: bytes):
    near.treat(manner)
    with connect(near) as client:
        for _ in range(3):
            client.sendall(REQUEST[:20])
            assert says_nothing(client, 0.1), "the request was not whole yet"
            client.sendall(REQUEST[20:])
            assert client.recv(4096).split(b" ")[1] == status


def test_latency_is_felt_on_connections_that_are_open_and_is_gone_with_the_fault(near: Gate, served: socket.socket):
    near.slow(200)
    assert min(exchange(served, b"x")[1] for _ in range(2)) >= 199
    with connect(near) as fresh:
        assert exchange(fresh, b"x")[1] >= 399
    near.slow(0)
    assert min(exchange(served, b"x")[1] for _ in range(5)) < 200


def test_an_overloaded_region_works_on_one_request_after_the_other_also_for_clients_that_gave_up(
    near: Gate, served: socket.socket
):
    near.work(150)
    with contextlib.ExitStack() as stack:
        gone, *waiting = [stack.enter_context(connect(near)) for _ in range(3)]
        assert exchange(gone, REQUEST)[1] >= 149
        began = time.monotonic()
        gone.sendall(REQUEST)
        assert exchange(served, SERVED)[0] == SERVED, "a connection from before has no part in it"
        gone.close()
        for client in waiting:
            client.sendall(REQUEST)
        for client in waiting:
            assert client.recv(4096) == REQUEST
        assert time.monotonic() - began >= 0.449, "both waited, for the one that gave up too"
        near.work(0)
        assert all(is_cut(client) for client in waiting)
        assert exchange(served, SERVED)[0] == SERVED
        fresh = stack.enter_context(connect(near))
        assert min(exchange(fresh, REQUEST)[1] for _ in range(5)) < 150


def test_a_front_never_refuses_while_its_manner_changes(near: Gate):
    outcomes = set()
    deadline = time.monotonic() + 1
    for manner in (Manner.HANG, Manner.SERVE) * 20:
        near.treat(manner)
        with contextlib.closing(connect(near)):
            outcomes.add("connected")
        if time.monotonic() > deadline:
            break
    assert outcomes == {"connected"}
