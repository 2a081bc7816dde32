"""One exchange with a region ends on time, says what became of the request, and leaves the connection for the next."""

from __future__ import annotations

import gc
import socket
import threading
from pathlib import Path

import botocore.exceptions as sdk
import pytest

from failover.adapters.clients import make_client
from failover.adapters.clock import SystemClock
from failover.adapters.errors import classify
from failover.adapters.transport import Transport
from failover.core.errors import ErrorClass, Outcome
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, NO_FAMILY, Behaviour
from tests.failover.adapters.transports import ANSWER, HOST, Counted, addresses, ask, asking, open_transport
from tests.processes import free_port


def test_a_reply_comes_back_with_status_headers_and_body() -> None:
    with asking(faulty.says(faulty.reply(400, {"message": "no"}))) as send:
        reply = send()

    assert (reply.status_code, reply.content) == (400, b'{"message": "no"}')
    assert reply.headers["content-type"] == "application/x-amz-json-1.0"


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


def test_the_second_address_of_a_name_is_tried_when_the_first_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty.server(faulty.says(ANSWER)) as port, open_transport(f"http://{HOST}") as transport:
        addresses(monkeypatch, free_port(), port)

        assert ask(transport, f"http://{HOST}").status_code == 200


def test_where_no_socket_can_be_made_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [(NO_FAMILY, socket.SOCK_STREAM, 6, "", ("::1", 80, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: infos)
    with open_transport(f"http://{HOST}") as transport, pytest.raises(sdk.EndpointConnectionError) as caught:
        ask(transport, f"http://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome, failure.detail) == (
        ErrorClass.NOT_SENT,
        Outcome.CONNECT,
        "no connection",
    )


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has these")
def test_the_kernel_finds_out_that_the_other_end_of_an_idle_connection_is_gone() -> None:
    with (
        faulty.server(faulty.says(ANSWER)) as port,
        open_transport(endpoint := f"http://127.0.0.1:{port}") as transport,
    ):
        ask(transport, endpoint)
        options = {
            name: transport._idle[0].sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT", "TCP_NODELAY")
        }
        assert transport._idle[0].sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    assert options["TCP_KEEPIDLE"] + options["TCP_KEEPINTVL"] * options["TCP_KEEPCNT"] <= 6
    assert options["TCP_USER_TIMEOUT"] == faulty.TIMEOUT_S * 1000
    assert options["TCP_NODELAY"]


def test_a_refused_connection_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch, free_port(), free_port())
    with open_transport(f"http://{HOST}") as transport, pytest.raises(sdk.EndpointConnectionError) as caught:
        ask(transport, f"http://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.detail) == (ErrorClass.NOT_SENT, "the connection was refused")


def test_a_name_that_does_not_resolve_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with open_transport(f"http://{HOST}") as transport, pytest.raises(sdk.EndpointConnectionError) as caught:
        ask(transport, f"http://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.DNS)


def test_a_client_sends_through_it_and_closes_it(tmp_path: Path) -> None:
    # It takes the place of botocore's own by a private name: an upgrade that changes it must fail here.
    server = Counted(faulty.says(faulty.reply(200, {"TableNames": ["votes"]})))
    with faulty.server(server) as port:
        client = make_client(faulty.make_config(tmp_path, {EAST: port}), EAST)
        transport = client._endpoint.http_session
        assert isinstance(transport, Transport)

        assert client.list_tables()["TableNames"] == ["votes"]
        assert len(transport._idle) == 1
        client.close()

    assert transport._idle == []
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
        transport = Transport(endpoint, connect_timeout=10, read_timeout=10, size=2, clock=SystemClock())
        ask(transport, endpoint)
        del transport
        gc.collect()

        assert ended.wait(10)
