"""A reader of pages over one kept connection: a bare socket, so that little of the machine is its own."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any

from tests.bench.students import TIMEOUT_S, HttpReply, read_reply
from tests.waiting import wait_until


@dataclass(frozen=True)
class Answer:
    """What came back for one request, and after how many milliseconds."""

    reply: HttpReply
    ms: float

    def header(self, name: str) -> str:
        """A header's value; empty where there is none."""
        start = self.reply.head.lower().find(b"\r\n" + name.lower().encode() + b": ")
        if start < 0:
            return ""
        return self.reply.head[start + len(name) + 4 :].partition(b"\r\n")[0].decode()


class Reader:
    """Asks for pages one after another. With `polls` it asks as a results page does, for what has changed."""

    def __init__(self, port: int, path: str, *, polls: bool = False) -> None:
        self._port = port
        self._polls = polls
        more_lines = "HX-Request: true\r\n" if polls else ""
        self._head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more_lines}".encode()
        self._etag = ""

    def __enter__(self) -> Reader:
        self._connection = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT_S)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self) -> Answer:
        """One request; 200, or 304 where it polls and has it already. Anything else would be measured as fast."""
        known = f"If-None-Match: {self._etag}\r\n".encode() if self._etag else b""
        began = time.perf_counter()
        self._connection.sendall(self._head + known + b"\r\n")
        reply = read_reply(self._connection)
        answer = Answer(reply, (time.perf_counter() - began) * 1000)
        assert reply.status == 200 or (reply.status == 304 and known), (
            f"a page got {reply.status}: {reply.body[:200]!r}"
        )
        if self._polls and reply.status == 200:
            self._etag = answer.header("ETag")
        return answer


def get_json(port: int, path: str) -> Any:
    """One document, over a connection of its own."""
    with Reader(port, path) as reader:
        return json.loads(reader.get().reply.body)


def await_voters(port: int, code: str, voters: int, *, within: float) -> None:
    """Waits until the results show so many voters."""

    def shown() -> bool:
        return bool(get_json(port, f"/s/{code}/results.json")["voters"] == voters)

    wait_until(shown, within=within, what=f"{code}'s results show {voters} voters", every=0.5)
