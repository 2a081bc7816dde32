"""Clients that stop, drip or do not read take nothing from other clients, and are dropped."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.webserver import Client, Server, get, post, serving
from tests.processes import side_by_side
from tests.waiting import wait_until

BEGINNINGS = {
    "nothing": b"",
    "half a request line": b"GET /ec",
    "half a head": b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A",
    "half a body": b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf",
    "half a chunk": b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
}
SMALL = 4096  # a receive buffer in bytes
LARGE = 16_000_000  # more than the system buffers for a client that does not read


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose deadlines are longer than any test: none of them can be why a request is answered."""
    deadlines = {"WEB_IDLE_S": "900", "WEB_HEAD_S": "300", "WEB_BODY_S": "300", "WEB_REPLY_S": "300"}
    with serving(tmp_path_factory.mktemp("patient"), **deadlines) as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the shortest deadlines that there are."""
    deadlines = {"WEB_IDLE_S": "1", "WEB_HEAD_S": "1", "WEB_BODY_S": "1", "WEB_REPLY_S": "1"}
    with serving(tmp_path_factory.mktemp("strict"), **deadlines) as server:
        yield server


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the fewest connections that there may be."""
    with serving(tmp_path_factory.mktemp("narrow"), WEB_CONNECTIONS="16") as server:
        yield server


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_two_hundred_clients_that_stop_keep_nobody_from_being_answered(patient: Server, beginning: bytes) -> None:
    with patient.clients(200, beginning):
        assert patient.answers()
        assert patient.ask(post(b"a vote")).json()["body"] == "a vote"


def test_clients_that_stopped_are_served_when_they_go_on(patient: Server) -> None:
    with patient.clients(20, BEGINNINGS["half a body"]) as clients:
        for client in clients:
            client.send(b"." * 96)
        assert {client.reply().json()["body"] for client in clients} == {"half" + "." * 96}


def test_clients_that_read_nothing_of_a_large_page_keep_nobody_from_being_answered(patient: Server) -> None:
    with patient.clients(20, get(f"/large/{LARGE}")) as clients:
        assert patient.ask(post(b"a vote")).json()["body"] == "a vote"
        assert clients[-1].reply().body == b"x" * LARGE
        assert clients[-1].ask(get("/again")).json()["path"] == "/again"


def test_the_process_is_known_to_live_while_every_thread_waits(patient: Server, tmp_path: Path) -> None:
    over = tmp_path / "over"
    with patient.clients(10, get(f"/wait{over}")) as clients:
        assert all(patient.answers() for _ in range(3))
        over.touch()
        assert {client.reply().status for client in clients} == {200}


def test_a_client_that_is_gone_before_its_reply_harms_nobody(patient: Server, tmp_path: Path) -> None:
    over = tmp_path / "over"
    with patient.clients(10, get(f"/wait{over}")):
        pass
    over.touch()
    with patient.clients(5, get(f"/large/{LARGE}")):
        pass
    assert patient.ask(get("/echo")).status == 200
    assert "Traceback" not in patient.stderr.read_text()


def test_a_client_that_stops_in_mid_request_is_told_so_and_dropped(strict: Server) -> None:
    with contextlib.ExitStack() as stack:
        waiting = {name: stack.enter_context(strict.connect()) for name in BEGINNINGS if name != "nothing"}
        for name, client in waiting.items():
            client.send(BEGINNINGS[name])
        for name, client in waiting.items():
            assert client.reply().status == 408, name
            assert client.is_closed(), name


def test_a_byte_now_and_then_extends_no_deadline(strict: Server) -> None:
    def status(beginning: str) -> int:
        with strict.connect() as client:
            client.send(BEGINNINGS[beginning])
            return client.drip(b"a").status

    assert side_by_side(status, ["half a head", "half a body"]) == [408, 408]


def test_a_connection_on_which_nothing_begins_is_closed_without_a_word(strict: Server) -> None:
    with strict.connect() as bare, strict.connect() as kept:
        assert kept.ask(get("/echo")).status == 200
        assert bare.is_closed()
        assert kept.is_closed()


def test_a_client_that_does_not_read_its_reply_is_dropped(strict: Server) -> None:
    # The deadline is a second later for each 64 KB that wait in the server: so only little should.
    with Client(strict.port, buffer=SMALL) as reader:
        reader.send(get(f"/large/{buffered_by_the_system() + 128 * 1024}"))
        wait_until(lambda: not open_connections(strict), within=150, what="the reader is dropped", every=0.3)
        with pytest.raises(ConnectionError):
            reader.reply()


def buffered_by_the_system() -> int:
    """How many bytes can be sent to a client on this machine that reads nothing and has a small buffer."""
    with socket.create_server(("127.0.0.1", 0)) as listener, Client(listener.getsockname()[1], buffer=SMALL):
        sender, _ = listener.accept()
        with sender:
            sender.settimeout(1)  # the system makes more room after a moment
            sent = 0
            with contextlib.suppress(TimeoutError):
                while True:
                    sent += sender.send(bytes(64 * 1024))
            return sent


def open_connections(server: Server) -> int:
    """How many connections the server's worker holds, by /proc: a client may not know that it was dropped."""
    return sum(
        int(fields[1].rpartition(":")[2], 16) == server.port and fields[3] == "01"
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
    )


def test_beyond_the_limit_the_oldest_idle_connections_make_room_but_no_served_one(
    narrow: Server, tmp_path: Path
) -> None:
    over = tmp_path / "over"
    with (
        narrow.clients(1, get(f"/wait{over}")) as waiting,
        narrow.clients(40) as bare,
        narrow.clients(40, BEGINNINGS["half a head"]) as half,
    ):
        assert narrow.ask(post(b"a vote")).json()["body"] == "a vote"

        assert all(client.is_closed() for client in bare)
        assert half[0].is_closed()
        over.touch()
        assert [client.reply().status for client in waiting] == [200]


def test_where_every_connection_is_served_a_new_client_waits_for_its_turn(narrow: Server, tmp_path: Path) -> None:
    over = tmp_path / "over"
    with narrow.clients(16, get(f"/wait{over}")) as clients:
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(narrow.ask, get("/echo"))
            over.touch()
            assert late.result(60).status == 200
        assert [client.reply().status for client in clients] == [200] * 16


def test_a_request_in_flight_is_finished_when_the_server_is_told_to_stop(tmp_path: Path) -> None:
    over = tmp_path / "over"
    with (
        serving(tmp_path) as server,
        server.clients(2, get(f"/wait{over}")) as clients,
        server.clients(50, BEGINNINGS["half a head"]),
    ):
        assert server.answers()  # so the requests before are with the threads
        server.process.send_signal(signal.SIGTERM)

        def refuses() -> bool:
            try:
                server.connect().socket.close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(refuses, within=30, what="the server listens no more")
        over.touch()
        assert [client.reply().status for client in clients] == [200] * 2
        assert server.process.wait(30) == 0
