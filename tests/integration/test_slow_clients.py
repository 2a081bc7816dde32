"""Clients that stop, drip or do not read take nothing from the others, and are dropped."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.webserver import Client, Server, get, post, serving
from tests.waiting import wait_until

BEGINNINGS = {
    "nothing": b"",
    "half a request line": b"GET /ec",
    "half a head": b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A",
    "half a body": b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf",
    "half a chunk": b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
}
LARGE = 16_000_000  # more than the system takes on for a client


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Whatever is answered here is not answered because a deadline came to help."""
    told = {"WEB_IDLE_S": "900", "WEB_HEAD_S": "300", "WEB_BODY_S": "300", "WEB_REPLY_S": "300"}
    with serving(tmp_path_factory.mktemp("patient"), **told) as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    told = {"WEB_IDLE_S": "1", "WEB_HEAD_S": "1", "WEB_BODY_S": "1", "WEB_REPLY_S": "1"}
    with serving(tmp_path_factory.mktemp("strict"), **told) as server:
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


@pytest.mark.parametrize(
    ("beginning", "status"),
    [(text, 408) for name, text in BEGINNINGS.items() if name != "nothing"],
    ids=[name for name in BEGINNINGS if name != "nothing"],
)
def test_who_stops_in_mid_request_is_told_so_and_dropped(strict: Server, beginning: bytes, status: int) -> None:
    with strict.connect() as client:
        client.send(beginning)
        assert client.reply().status == status
        assert client.is_closed()


@pytest.mark.parametrize("beginning", [BEGINNINGS["half a head"], BEGINNINGS["half a body"]], ids=["head", "body"])
def test_a_byte_now_and_then_extends_no_deadline(strict: Server, beginning: bytes) -> None:
    with strict.connect() as client:
        client.send(beginning)
        assert client.drip(b"a").status == 408


def test_a_connection_on_which_nothing_begins_is_closed_without_a_word(strict: Server) -> None:
    with strict.connect() as bare, strict.connect() as kept:
        assert kept.ask(get("/echo")).status == 200
        assert bare.is_closed()
        assert kept.is_closed()


def test_a_client_that_does_not_read_its_reply_is_dropped(strict: Server) -> None:
    with Client(strict.port, buffer=4096) as reader:
        reader.send(get("/large/4000000"))
        wait_until(lambda: not open_connections(strict), within=150, what="the reader is dropped", every=0.3)
        with pytest.raises(ConnectionError):
            reader.reply()


def open_connections(server: Server) -> int:
    """The connections that the server's worker has, from /proc, whatever their clients know of it."""
    return sum(
        int(fields[1].rpartition(":")[2], 16) == server.port and fields[3] == "01"
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
    )


def test_beyond_the_limit_the_oldest_idle_connections_make_room_and_nobody_who_is_served(tmp_path: Path) -> None:
    over = tmp_path / "over"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, WEB_CONNECTIONS="16"))
        waiting = stack.enter_context(server.clients(1, get(f"/wait{over}")))
        bare = stack.enter_context(server.clients(40))
        half = stack.enter_context(server.clients(40, BEGINNINGS["half a head"]))

        assert server.ask(post(b"a vote")).json()["body"] == "a vote"

        assert all(client.is_closed() for client in bare)
        assert half[0].is_closed()
        over.touch()
        assert [client.reply().status for client in waiting] == [200]


def test_where_everyone_is_served_a_new_client_waits_for_its_turn(tmp_path: Path) -> None:
    over = tmp_path / "over"
    with serving(tmp_path, WEB_CONNECTIONS="16") as server, server.clients(16, get(f"/wait{over}")) as clients:
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(server.ask, get("/echo"))
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
