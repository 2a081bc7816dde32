"""One exchange with a region ends on time, says what became of the request, and leaves the connection for the next."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import botocore.exceptions as sdk
import pytest
import trustme
from botocore.awsrequest import AWSRequest, AWSResponse

from failover.adapters.clients import make_client
from failover.adapters.clock import SystemClock
from failover.adapters.errors import classify
from failover.adapters.transport import MOST_IDLE_S, Transport, _Connection, _is_stale, connections_made_since
from failover.core.errors import ErrorClass, Outcome
from failover.core.ports import Clock
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, Behaviour
from tests.failover.adapters.test_dial import NO_FAMILY, ShiftedClock
from tests.processes import free_port
from tests.waiting import wait_until

HOST = "dynamodb.us-east-1.amazonaws.com"
ANSWER = faulty.reply(200, {"Count": 0})


class Counted:
    """A server's behaviour, with how many connections it has seen."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.connections = 0

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        self.connections += 1
        self._behave(connection, over)


@contextlib.contextmanager
def transport(endpoint: str) -> Iterator[Transport]:
    made = Transport(
        endpoint, connect_timeout=faulty.TIMEOUT_S, read_timeout=faulty.TIMEOUT_S, size=2, clock=SystemClock()
    )
    try:
        yield made
    finally:
        made.close()


def ask(transport: Transport, endpoint: str, body: bytes = b"{}") -> AWSResponse:
    headers = {"X-Amz-Target": "DynamoDB_20120810.Query"}
    return transport.send(AWSRequest("POST", f"{endpoint}/", data=body, headers=headers).prepare())


@contextlib.contextmanager
def asking(behave: Behaviour) -> Iterator[Callable[..., AWSResponse]]:
    with faulty.server(behave) as port, transport(endpoint := f"http://127.0.0.1:{port}") as made:
        yield lambda body=b"{}": ask(made, endpoint, body)


def test_a_reply_comes_back_with_status_headers_and_body() -> None:
    with asking(faulty.says(faulty.reply(400, {"message": "no"}))) as send:
        reply = send()

    assert (reply.status_code, reply.content) == (400, b'{"message": "no"}')
    assert reply.headers["content-type"] == "application/x-amz-json-1.0"


def test_a_connection_is_kept_for_the_next_exchange() -> None:
    server = Counted(faulty.says(ANSWER))
    with asking(server) as send:
        for _ in range(3):
            send()

    assert server.connections == 1


def test_head_and_body_arrive_together() -> None:
    arrived: list[bytes] = []

    def behave(connection: socket.socket, over: threading.Event) -> None:
        arrived.append(connection.recv(65_536))
        connection.sendall(ANSWER)

    with asking(behave) as send:
        send(b'{"TableName": "votes"}')

    head, _, body = arrived[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"X-Amz-Target: DynamoDB_20120810.Query" in head
    assert b"Content-Length: 22" in head
    assert body == b'{"TableName": "votes"}'


def test_a_connection_that_the_region_closed_meanwhile_is_not_used_again() -> None:
    server = Counted(faulty.says(ANSWER, then_close=True))
    with faulty.server(server) as port, transport(endpoint := f"http://127.0.0.1:{port}") as made:
        ask(made, endpoint)
        wait_until(lambda: _is_stale(made._idle[0].sock), within=10, what="the end has arrived")

        assert ask(made, endpoint).status_code == 200

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
    with faulty.server(server) as port, transport(endpoint := f"http://127.0.0.1:{port}") as made:
        ask(made, endpoint)
        answered.set()
        wait_until(lambda: _is_stale(made._idle[0].sock), within=10, what="the stray bytes have arrived")

        assert ask(made, endpoint).status_code == 200

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
        made = Transport(endpoint, connect_timeout=10, read_timeout=10, size=2, clock=SystemClock())
        under_way = threading.Thread(target=ask, args=(made, endpoint))
        under_way.start()
        assert asked.wait(10)
        made.close()
        answer.set()
        under_way.join(10)
        ask(made, endpoint)
        made.close()

    assert server.connections == 2


def test_no_more_connections_lie_idle_than_the_size() -> None:
    with transport("http://127.0.0.1:9") as made:
        pairs = [socket.socketpair() for _ in range(3)]
        for ours, _ in pairs:
            made._done(_Connection(ours, era=0, made=0.0), keep=True)

        assert [ours.fileno() == -1 for ours, _ in pairs] == [False, False, True]
        for _, theirs in pairs:
            theirs.close()


@contextlib.contextmanager
def pool(network: faulty.Network, clock: Clock | None = None) -> Iterator[tuple[Transport, Callable[..., AWSResponse]]]:
    """A transport, and what asks over it."""
    with faulty.server(network) as port:
        endpoint = f"http://127.0.0.1:{port}"
        made = Transport(
            endpoint, connect_timeout=20, read_timeout=faulty.TIMEOUT_S, size=16, clock=clock or SystemClock()
        )
        try:
            yield made, lambda: ask(made, endpoint)
        finally:
            made.close()


def at_once(number: int, work: Callable[[], object]) -> list[object]:
    """What comes of it in so many threads at the same time: values, or the errors."""
    together, results = threading.Barrier(number), []

    def one() -> None:
        together.wait(20)
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def fill(made: Transport, send: Callable[[], object], number: int) -> None:
    """So many connections lie idle."""
    wait_until(lambda: at_once(number, send) and len(made._idle) >= number, within=30, what="a pool of connections")


def test_the_timeout_of_a_pooled_connection_says_so_and_empties_the_pool() -> None:
    network = faulty.Network(ANSWER)
    with pool(network) as (made, send):
        fill(made, send, 4)
        network.dies()
        with pytest.raises(sdk.ReadTimeoutError) as caught:
            send()

        assert classify(caught.value).pooled
        assert made._idle == []
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

    with faulty.server(behave) as port, transport(endpoint := f"http://127.0.0.1:{port}") as made:
        at_once(2, lambda: ask(made, endpoint))
        with pytest.raises(sdk.ConnectionClosedError) as caught:
            ask(made, endpoint)

        assert classify(caught.value).pooled
        assert made._idle == []


def test_many_timeouts_at_once_empty_the_pool_once_and_throw_no_new_connection_away() -> None:
    network = faulty.Network(ANSWER)
    with pool(network) as (made, send):
        fill(made, send, 8)
        before = made._era
        network.dies()
        late = threading.Thread(target=at_once, args=(8, send))
        late.start()
        wait_until(lambda: made._era > before, within=30, what="the first timeout")
        assert send().status_code == 200
        late.join(30)

        assert made._era == before + 1, "those that timed out later were older, and emptied nothing"
        assert len(made._idle) >= 1
        made_before = network.made
        assert send().status_code == 200
        assert network.made == made_before


def test_a_connection_that_was_being_made_while_the_pool_was_emptied_is_kept() -> None:
    network = faulty.Network(ANSWER)
    with pool(network) as (made, send):
        dial = made._dial

        def dial_slowly() -> socket.socket:
            sock = dial()
            made.close()  # meanwhile
            return sock

        made._dial = dial_slowly  # type: ignore[method-assign]
        send()
        made._dial = dial  # type: ignore[method-assign]
        send()

    assert network.made == 1


@pytest.mark.parametrize("asleep", [False, True], ids=["by the clock", "while the machine slept"])
def test_no_connection_is_used_that_lay_idle_for_longer_than_ten_seconds(asleep: bool) -> None:
    network, clock = faulty.Network(ANSWER), ShiftedClock()
    with pool(network, clock) as (made, send):
        fill(made, send, 2)
        before = network.made
        clock.asleep_s += MOST_IDLE_S - 1 if asleep else 0
        clock.ahead_s += 0 if asleep else MOST_IDLE_S - 1
        send()
        assert network.made == before, "not yet"

        clock.asleep_s += MOST_IDLE_S + 1 if asleep else 0
        clock.ahead_s += 0 if asleep else MOST_IDLE_S + 1
        send()

        assert network.made == before + 1
        assert len(made._idle) == 1, "the others that were too old are closed"


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
    with pool(network) as (made, send):
        fill(made, send, 2)
        before = network.made
        with connections_made_since(SystemClock().monotonic()):
            send()
            send()

        assert network.made == before + 1
        assert len(made._idle) >= 3, "the pool is not emptied for it"


def test_a_chunked_reply_is_read_whole() -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n'
    with asking(faulty.says(chunked)) as send:
        assert [send().content for _ in range(2)] == [b'{"a":1}'] * 2


@pytest.mark.parametrize(
    ("behave", "raised"),
    [
        pytest.param(faulty.hangs, sdk.ReadTimeoutError, id="a region that never answers"),
        pytest.param(faulty.drips, sdk.ReadTimeoutError, id="a region that answers a byte at a time"),
        pytest.param(faulty.resets, sdk.ConnectionClosedError, id="a reset"),
        pytest.param(faulty.closes, sdk.ConnectionClosedError, id="a close without a reply"),
        pytest.param(faulty.says(b"lab lab\r\n\r\n", then_close=True), sdk.ConnectionClosedError, id="no HTTP"),
        pytest.param(faulty.says(ANSWER[:-3], then_close=True), sdk.ConnectionClosedError, id="half a reply"),
    ],
)
def test_after_a_request_is_sent_nobody_knows_what_became_of_it(behave: Behaviour, raised: type[Exception]) -> None:
    with asking(behave) as send, faulty.Stopwatch() as watch, pytest.raises(raised) as caught:
        send()

    assert classify(caught.value).error_class is ErrorClass.UNKNOWN
    assert watch.seconds < 5, "it ends on time, however the bytes come"


def addresses(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """The name of the region resolves to these ports of this machine."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)


def test_the_second_address_of_a_name_is_tried_when_the_first_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty.server(faulty.says(ANSWER)) as port, transport(f"http://{HOST}") as made:
        addresses(monkeypatch, free_port(), port)

        assert ask(made, f"http://{HOST}").status_code == 200


def test_where_no_socket_can_be_made_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(NO_FAMILY, socket.SOCK_STREAM, 6, "", ("::1", 80, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    with transport(f"http://{HOST}") as made, pytest.raises(sdk.EndpointConnectionError) as caught:
        ask(made, f"http://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome, failure.detail) == (
        ErrorClass.NOT_SENT,
        Outcome.CONNECT,
        "no connection",
    )


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has these")
def test_the_kernel_finds_out_that_the_other_end_of_an_idle_connection_is_gone() -> None:
    with faulty.server(faulty.says(ANSWER)) as port, transport(endpoint := f"http://127.0.0.1:{port}") as made:
        ask(made, endpoint)
        options = {
            name: made._idle[0].sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT", "TCP_NODELAY")
        }
        assert made._idle[0].sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    assert options["TCP_KEEPIDLE"] + options["TCP_KEEPINTVL"] * options["TCP_KEEPCNT"] <= 6
    assert options["TCP_USER_TIMEOUT"] == faulty.TIMEOUT_S * 1000
    assert options["TCP_NODELAY"]


def test_a_refused_connection_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch, free_port(), free_port())
    with transport(f"http://{HOST}") as made, pytest.raises(sdk.EndpointConnectionError) as caught:
        ask(made, f"http://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.detail) == (ErrorClass.NOT_SENT, "the connection was refused")


def test_a_name_that_does_not_resolve_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with transport(f"http://{HOST}") as made, pytest.raises(sdk.EndpointConnectionError) as caught:
        ask(made, f"http://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.DNS)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))


@pytest.mark.usefixtures("trusted")
def test_a_connection_over_tls_is_kept_too(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Counted(faulty.over_tls(authority, faulty.says(ANSWER), name=HOST))
    with faulty.server(server) as port, transport(f"https://{HOST}") as made:
        addresses(monkeypatch, port)
        assert [ask(made, f"https://{HOST}").status_code for _ in range(3)] == [200] * 3

    assert server.connections == 1


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("behaviour", "detail"),
    [
        pytest.param(
            lambda own: faulty.over_tls(own, faulty.says(ANSWER), name="else.example"),
            "the certificate is not valid",
            id="another name's certificate",
        ),
        pytest.param(
            lambda _: faulty.over_tls(trustme.CA(), faulty.says(ANSWER), name=HOST),
            "the certificate is not valid",
            id="another authority's certificate",
        ),
        pytest.param(lambda _: faulty.hangs, "no TLS handshake in time", id="a handshake that hangs"),
        pytest.param(lambda _: faulty.says(ANSWER), "no TLS handshake in time", id="a server that waits for HTTP"),
        pytest.param(lambda _: lambda connection, over: None, "the TLS handshake failed", id="a close"),
        pytest.param(
            lambda _: lambda connection, over: connection.sendall(ANSWER), "the TLS handshake failed", id="plain HTTP"
        ),
    ],
)
def test_before_the_handshake_is_over_nothing_is_sent(
    behaviour: Callable[[trustme.CA], Behaviour],
    detail: str,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        faulty.server(behaviour(authority)) as port,
        transport(f"https://{HOST}") as made,
        faulty.Stopwatch() as watch,
    ):
        addresses(monkeypatch, port)
        with pytest.raises(sdk.SSLError) as caught:
            ask(made, f"https://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome, failure.detail) == (ErrorClass.NOT_SENT, Outcome.TLS, detail)
    assert watch.seconds < 5


@pytest.mark.usefixtures("trusted")
def test_an_address_whose_handshake_fails_comes_last_at_the_next_connection(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Counted(faulty.over_tls(authority, faulty.says(ANSWER), name=HOST))
    with (
        faulty.server(faulty.closes_at_once) as broken,
        faulty.server(right) as port,
    ):
        made = Transport(f"https://{HOST}", connect_timeout=20, read_timeout=20, size=2, clock=SystemClock())
        addresses(monkeypatch, broken, port)
        with pytest.raises(sdk.SSLError):
            ask(made, f"https://{HOST}")

        assert ask(made, f"https://{HOST}").status_code == 200
        made.close()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("broken", [faulty.drips, faulty.closes])
def test_after_the_handshake_nobody_knows(
    broken: Behaviour, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty.server(faulty.over_tls(authority, broken, name=HOST)) as port, transport(f"https://{HOST}") as made:
        addresses(monkeypatch, port)
        with pytest.raises(sdk.HTTPClientError) as caught:
            ask(made, f"https://{HOST}")

    assert classify(caught.value).error_class is ErrorClass.UNKNOWN


def test_a_client_sends_through_it_and_closes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It takes the place of botocore's own by a private name: an upgrade that changes it must fail here.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setitem(os.environ, name, "test")
    server = Counted(faulty.says(faulty.reply(200, {"TableNames": ["votes"]})))
    with faulty.server(server) as port:
        client = make_client(faulty.make_config(tmp_path, {EAST: port}), EAST)
        made = client._endpoint.http_session  # type: ignore[attr-defined]
        assert isinstance(made, Transport)

        assert client.list_tables()["TableNames"] == ["votes"]
        assert len(made._idle) == 1
        client.close()

    assert made._idle == []
    assert server.connections == 1


@pytest.mark.filterwarnings("error")
def test_a_transport_that_is_forgotten_leaves_no_connection_open() -> None:
    ended = threading.Event()

    def behave(connection: socket.socket, over: threading.Event) -> None:
        faulty.read_request(connection)
        connection.sendall(ANSWER)
        if connection.recv(1) == b"":
            ended.set()

    with faulty.server(behave) as port:
        endpoint = f"http://127.0.0.1:{port}"
        made = Transport(endpoint, connect_timeout=10, read_timeout=10, size=2, clock=SystemClock())
        ask(made, endpoint)
        del made
        gc.collect()

        assert ended.wait(10)
