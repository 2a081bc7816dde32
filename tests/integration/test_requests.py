"""Requests to the web server: those that are served, and those that are refused with a clear status."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.webserver import Server, get, post, serving

CHUNKED = "Transfer-Encoding: chunked"
API = "/api/v1/surveys/DEMO20/ballots"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("requests")) as running:
        yield running


def chunked(*chunks: bytes, ends: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return get("/echo", CHUNKED, method="POST") + body + ends


@pytest.mark.parametrize(
    "sent",
    [
        chunked(b'{"voter": ', b'"abc"}'),
        chunked(b'{"voter": "abc"}', ends=b"0\r\nX-Checked: yes\r\n\r\n"),
        get("/echo", CHUNKED, method="POST") + b'10;name="a b"\r\n{"voter": "abc"}\r\n000\r\n\r\n',
        get("/echo", "Transfer-Encoding: Chunked", method="POST") + b'10\r\n{"voter": "abc"}\r\n0\r\n\r\n',
        post(b'{"voter": "abc"}', "Content-Encoding: identity"),
    ],
    ids=["chunks", "trailer", "extension", "case", "length"],
)
def test_a_body_reaches_the_application_whole_and_of_a_known_length(server: Server, sent: bytes) -> None:
    handed = server.ask(sent).json()

    assert (handed["body"], handed["length"], handed["coding"]) == ('{"voter": "abc"}', "16", None)


def test_requests_may_follow_one_another_without_waiting(server: Server) -> None:
    with server.connect() as client:
        client.send(chunked(b"a") + post(b"b") + get("/c") + post(b"d"))

        handed = [client.reply().json() for _ in range(4)]

    assert [(request["body"], request["path"]) for request in handed] == [
        ("a", "/echo"),
        ("b", "/echo"),
        ("", "/c"),
        ("d", "/echo"),
    ]


def test_a_client_that_expects_100_continue_gets_it(server: Server) -> None:
    with server.connect() as client:
        client.send(get("/echo", "Content-Length: 4", "Expect: 100-continue", method="POST"))
        assert client.line() == b"HTTP/1.1 100 Continue"
        assert client.line() == b""
        assert client.ask(b"vote").json()["body"] == "vote"
        assert client.ask(get("/next")).json()["path"] == "/next"


def test_a_client_that_expects_100_continue_is_refused_before_it_sends_too_large_a_body(server: Server) -> None:
    reply = server.ask(get("/echo", "Content-Length: 2000000", "Expect: 100-continue", method="POST"))

    assert reply.status == 413


def test_a_refusal_arrives_while_the_client_still_sends(server: Server) -> None:
    with server.connect() as client:
        client.send(get("/echo", "Content-Length: 2000000", method="POST") + b"x" * 2_000_000)
        assert client.reply().status == 413


def test_clients_of_http_1_0_and_requests_without_a_body_are_answered(server: Server) -> None:
    with server.connect() as client:
        assert client.ask(get("/old", version="1.0")).json()["path"] == "/old"
        assert client.is_closed()
    with server.connect() as client:
        assert b"keep-alive" in client.ask(get("/old", "Connection: keep-alive", version="1.0")).head
        assert client.ask(get("/again", "Connection: close")).status == 200
        assert client.is_closed()
    with server.connect() as client:
        client.send(get("/echo", method="HEAD"))
        assert client.reply(to_head=True).status == 200
        assert client.ask(get("/next")).json()["path"] == "/next"


SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
REFUSED = {
    "a length beside a coding": (400, get("/", "Content-Length: 5", CHUNKED, method="POST") + b"0\r\n\r\n"),
    "two lengths": (400, get("/", "Content-Length: 3", "Content-Length: 4", method="POST") + b"abcd"),
    "two lengths in one": (400, get("/", "Content-Length: 3, 3", method="POST") + b"abc"),
    "a length with a sign": (400, get("/", "Content-Length: +3", method="POST") + b"abc"),
    "a length below nothing": (400, get("/", "Content-Length: -1", method="POST")),
    "a length beyond numbers": (400, get("/", "Content-Length: " + "9" * 5_000, method="POST")),
    "two codings": (400, get("/", CHUNKED, CHUNKED, method="POST") + b"0\r\n\r\n"),
    "a coding within": (501, get("/", "Transfer-Encoding: gzip, chunked", method="POST") + b"0\r\n\r\n"),
    "a coding before": (501, get("/", "Transfer-Encoding: gzip", CHUNKED, method="POST") + b"0\r\n\r\n"),
    "an unknown coding": (501, get("/", "Transfer-Encoding: xchunked", method="POST") + b"0\r\n\r\n"),
    "a coding in HTTP/1.0": (400, get("/", CHUNKED, version="1.0", method="POST") + b"0\r\n\r\n"),
    "a chunk without a size": (400, get("/", CHUNKED, method="POST") + b"\r\nabc\r\n0\r\n\r\n"),
    "a chunk with a sign": (400, get("/", CHUNKED, method="POST") + b"+3\r\nabc\r\n0\r\n\r\n"),
    "a chunk in 0x": (400, get("/", CHUNKED, method="POST") + b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk that is too long": (400, get("/", CHUNKED, method="POST") + b"3\r\nabcd\r\n0\r\n\r\n"),
    "a chunk with a bare end": (400, get("/", CHUNKED, method="POST") + b"3\nabc\n0\n\n"),
    "a bare return": (400, get("/", CHUNKED, method="POST") + b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    "a head with a bare end": (400, SMUGGLED.replace("\r", "").encode()),
    "a blank before the colon": (400, get("/", "Content-Length : 3", method="POST") + b"abc"),
    "a folded field": (400, get("/", "X-A: b", " c")),
    "two hosts": (400, get("/", "Host: elsewhere")),
    "noise": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "no such version": (400, get("/", version="9.9")),
    "an address that is too long": (414, get("/" + "a" * 4_094)),
    "one without an end": (414, b"GET /" + b"a" * 5_000),
    "too many fields": (431, get("/", *(f"X-{number}: a" for number in range(50)))),
    "a field that is too large": (431, get("/", "Cookie: " + "a" * 8_190)),
    "a head without an end": (431, b"GET / HTTP/1.1\r\n" + b"X-A: aaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 3_000),
    "an expectation": (417, get("/", "Expect: the-unexpected")),
    "a length that is too large": (413, get("/", "Content-Length: 1048577", method="POST")),
    "a chunk that is too large": (413, get("/", CHUNKED, method="POST") + b"100001\r\n"),
    "too many chunks": (400, get("/", CHUNKED, method="POST") + b"1\r\na\r\n" * 10_001),
    "a compressed body": (415, post(b"abc", "Content-Encoding: gzip")),
    "one compressed twice": (415, post(b"abc", "Content-Encoding: identity, br")),
    "compressed chunks": (415, get("/", CHUNKED, "Content-Encoding: deflate", method="POST") + b"0\r\n\r\n"),
}


@pytest.mark.parametrize(("status", "sent"), REFUSED.values(), ids=REFUSED)
def test_what_is_malformed_or_too_much_is_refused_and_nothing_after_it_is_served(
    server: Server, status: int, sent: bytes
) -> None:
    with server.connect() as client:
        client.send(sent + SMUGGLED.encode())
        reply = client.reply()
        assert reply.status == status
        assert b"Connection: close" in reply.head
        assert client.is_closed()


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (413, get(API, "Content-Length: 1048577", method="POST")),
        (415, get(API, "Content-Length: 3", "Content-Encoding: gzip", method="POST") + b"abc"),
        (400, get(API, CHUNKED, method="POST") + b"no size\r\n"),
        (431, get(API, "Cookie: " + "a" * 8_190, method="POST")),
    ],
    ids=["length", "compressed", "chunk", "cookie"],
)
def test_a_program_is_refused_with_a_problem_document(server: Server, status: int, sent: bytes) -> None:
    reply = server.ask(sent)

    assert b"Content-Type: application/problem+json" in reply.head
    assert (reply.status, json.loads(reply.body)["status"]) == (status, status)
    assert set(json.loads(reply.body)) == {"type", "title", "status", "detail"}


def test_a_compressed_body_that_is_empty_is_none(server: Server) -> None:
    assert server.ask(get("/echo", "Content-Encoding: gzip")).status == 200


def test_the_largest_body_is_read(server: Server) -> None:
    assert len(server.ask(post(b"a" * 1_048_576)).json()["body"]) == 1_048_576
