"""A small load: phones that keep their connection and post ballots one after another."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CODE = "DEMO20"
BALLOT = b'{"voter": "bench-%08d", "answers": {"q1": "o2", "q2": ["o1", "o3"], "q3": 4}}'
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reply:
    """What came back for one vote, and after how many milliseconds."""

    status: int
    document: dict[str, Any]
    ms: float

    @property
    def path(self) -> list[tuple[str, str]]:
        """The regions that were tried, each with what it came to."""
        return [(attempt["region"], attempt["outcome"]) for attempt in self.document.get("attempts", [])]


class Student:
    """One kept connection. Every vote is a new voter's: one voter may not vote that often.

    A bare socket and a request that is encoded but for the voter's number: what a load client uses up is missing where
    it shares the cores with what it measures, and `http.client` with the ballot built anew took three times as long.
    """

    _numbers = itertools.count()

    def __init__(self, port: int, code: str = CODE) -> None:
        self._port = port
        self._head = (
            f"POST /api/v1/surveys/{code}/ballots HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(BALLOT % 0)}\r\n\r\n"
        ).encode()

    def __enter__(self) -> Student:
        self._connection = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT_S)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def vote(self) -> Reply:
        """Posts a ballot and reads the receipt."""
        request = self._head + BALLOT % next(self._numbers)
        began = time.perf_counter()
        self._connection.sendall(request)
        reply = read_reply(self._connection)
        return Reply(reply.status, json.loads(reply.body), (time.perf_counter() - began) * 1000)

    def must_vote(self) -> Reply:
        """A vote that was recorded: anything else would be measured as fast and be worthless.

        A first attempt whose reply never came may have been carried out all the same, and be known by now where the
        vote went next: then it is recorded already.
        """
        reply = self.vote()
        recorded = {(201, "recorded"), (200, "already-recorded")} if len(reply.path) > 1 else {(201, "recorded")}
        assert (reply.status, reply.document.get("status")) in recorded, f"a vote got {reply.status}: {reply.document}"
        return reply


def wait_for_turn(number: int, *, began: float, rate: float) -> None:
    """Waits until vote `number` is due of so many a second since `began` (`time.perf_counter`); not for a late one."""
    time.sleep(max(0.0, began + number / rate - time.perf_counter()))


@dataclass(frozen=True)
class HttpReply:
    """An HTTP reply as it came."""

    status: int
    head: bytes
    body: bytes


def read_reply(connection: socket.socket) -> HttpReply:
    """The next HTTP reply, which must say how long it is; a 304 has no body. Raises ConnectionError."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(connection)
    status, head = int(received[9:12]), received[: end + 2]
    if status == 304:
        return HttpReply(status, head, b"")
    length = LENGTH.search(head)
    assert length, f"a reply without a length: {head!r}"
    whole = end + 4 + int(length[1])
    while len(received) < whole:
        received += _more(connection)
    return HttpReply(status, head, received[end + 4 :])


def _more(connection: socket.socket) -> bytes:
    more = connection.recv(65_536)
    if not more:
        raise ConnectionError("the connection was closed in the middle of a reply")
    return more


def in_threads(jobs: Iterable[object], *, times: int) -> float:
    """Calls every job (a function of nothing) `times` times, each in a thread of its own; calls a second together.

    Raises what a job raised.
    """
    errors: list[BaseException] = []

    def work(job: Any) -> None:
        try:
            for _ in range(times):
                job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if errors:
        raise errors[0]
    return len(threads) * times / seconds
