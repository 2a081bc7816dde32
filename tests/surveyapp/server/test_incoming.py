"""However the bytes arrive, the same requests are read."""

from __future__ import annotations

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as st

from surveyapp.server.chunked import ChunkedBody
from surveyapp.server.incoming import Incoming
from surveyapp.server.limits import Limits
from surveyapp.server.refusals import Refused

CONFIG = Config()
CLIENT = ("127.0.0.1", 50_000)
STREAM = (
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    b"\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n2\r\nyz\r\n0\r\nT: 1\r\n\r\n"
    b"POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
)
REQUESTS = [("/a", b"abc"), ("/b", b""), ("/c", b"\r\n\r\nyz"), ("/d", b"\r\n\r\n")]


def read(incoming: Incoming) -> list[tuple[str, bytes]]:
    """Every request that is whole by now."""
    return [(request.path, request.body.read()) for request in iter(incoming.take, None)]


def test_a_stream_that_arrives_byte_by_byte_is_read_as_one_that_arrives_at_once() -> None:
    slowly, at_once = Incoming(CONFIG, CLIENT, Limits()), Incoming(CONFIG, CLIENT, Limits())
    requests = []

    for number in range(len(STREAM)):
        slowly.feed(STREAM[number : number + 1])
        requests += read(slowly)
    at_once.feed(STREAM)

    assert requests == read(at_once) == REQUESTS
    assert slowly.size == at_once.size == 0


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted))
def test_where_the_stream_is_cut_does_not_matter(cuts: list[int]) -> None:
    incoming = Incoming(CONFIG, CLIENT, Limits())
    requests = []
    for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        incoming.feed(STREAM[start:end])
        requests += read(incoming)
    assert requests == REQUESTS


PIECES = st.sampled_from(
    [b"0", b"1", b"5", b"a", b"\r\n", b"\r", b"\n", b";", b" ", b"x=y", b"\r\n0\r\n\r\n", b"3\r\nabc\r\n", b"T: 1\r\n"]
)


@given(sent=st.lists(PIECES, max_size=12).map(b"".join))
def test_a_chunked_body_that_is_taken_is_what_gunicorn_reads(sent: bytes) -> None:
    ours, received = ChunkedBody(Limits()), bytearray(sent)
    try:
        whole = ours.feed(received)
    except Refused:
        return
    if whole:
        assert (bytes(ours.body), bytes(received)) == by_gunicorn(sent)


def by_gunicorn(sent: bytes) -> tuple[bytes, bytes] | None:
    """The body and what follows it; None where it is no body."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    request: Any = Request(CONFIG, IterUnreader([head, sent]), CLIENT)
    try:
        return request.body.read(), request.unreader.take_buffered()
    except (ParseException, NoMoreData):
        return None


def test_the_time_of_a_long_head_grows_with_its_length_only() -> None:
    incoming = Incoming(CONFIG, CLIENT, Limits())
    incoming.feed(b"GET / HTTP/1.1\r\n")
    assert incoming.take() is None

    def drip() -> None:
        for _ in range(70_000):  # a byte each: quadratic work would take minutes
            incoming.feed(b"a")
            assert incoming.take() is None

    with pytest.raises(Refused) as refusal:
        drip()
    assert refusal.value.status == 431
