"""The web server with production's configuration and the echo application, and clients that are bare sockets."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy_check import production_environment
from tests.processes import GUNICORN, ROOT, free_port
from tests.waiting import wait_until

ECHO = ("tests.integration.echo:application",)
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Reply:
    """An HTTP reply as it came."""

    status: int
    head: bytes
    body: bytes

    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Client:
    """One connection."""

    def __init__(self, port: int, *, buffer: int = 0) -> None:
        self.socket = socket.socket()
        if buffer:  # a small one, so that the system takes little of a reply before it is read
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self._received = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\r\n" not in self._received:
            self._more()
        line, _, self._received = self._received.partition(b"\r\n")
        return line

    def reply(self, *, to_head: bool = False) -> Reply:
        """The next reply; raises ConnectionError when the connection is closed first."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        length = 0 if to_head else int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(self._received) < length:
            self._more()
        body, self._received = self._received[:length], self._received[length:]
        return Reply(int(head[9:12]), head, body)

    def ask(self, data: bytes) -> Reply:
        self.send(data)
        return self.reply()

    def is_closed(self) -> bool:
        """Waits for more data or for the end of the connection; whether it was the end."""
        try:
            return not self._received and not self.socket.recv(1)
        except ConnectionError:
            return True

    def drip(self, byte: bytes) -> Reply:
        """Sends a byte every tenth of a second until a reply comes."""
        self.socket.settimeout(0.1)
        while b"\r\n\r\n" not in self._received:
            with contextlib.suppress(TimeoutError, BrokenPipeError):
                self.send(byte)
                self._more()
        self.socket.settimeout(PATIENCE_S)
        return self.reply()

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("closed")
        self._received += data


def get(path: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    """A request without a body."""
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: 127.0.0.1", *lines, "", ""]).encode()


def post(body: bytes, *lines: str, path: str = "/echo") -> bytes:
    """A request with a body of a known length."""
    return get(path, f"Content-Length: {len(body)}", *lines, method="POST") + body


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]
    stderr: Path

    def connect(self) -> Client:
        return Client(self.port)

    def ask(self, data: bytes) -> Reply:
        """The reply to a request over a connection of its own."""
        with self.connect() as client:
            return client.ask(data)

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.ask(get("/healthz/live")).status == 200
        return False

    @contextlib.contextmanager
    def clients(self, number: int, beginning: bytes = b"") -> Iterator[list[Client]]:
        """So many connections, on each of which only `beginning` was sent.

        Each sends before the next connects: where connections are few, an idle one would have to make room.
        """
        with contextlib.ExitStack() as stack:
            clients = []
            for _ in range(number):
                clients.append(stack.enter_context(self.connect()))
                clients[-1].send(beginning)
            yield clients


@contextlib.contextmanager
def serving(folder: Path, *, arguments: Sequence[str] = ECHO, **variables: str) -> Iterator[Server]:
    """Starts the web server with one worker of two threads, and ends it.

    It serves the echo application, or with `arguments=()` the real one.
    """
    port = free_port()
    environment = {
        **production_environment(str(folder)),
        "DJANGO_SQLITE_PATH": str(folder / "db.sqlite3"),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": "1",
        "FAILOVER_THREADS": "2",
        **variables,
    }
    stderr = folder / "stderr"
    with open(stderr, "wb") as handle:
        process = subprocess.Popen([*GUNICORN, *arguments], cwd=ROOT, env=environment, stdout=handle, stderr=handle)
    server = Server(port, process, stderr)

    def answers() -> bool:
        assert process.poll() is None, stderr.read_text()
        return server.answers()

    try:
        wait_until(answers, within=PATIENCE_S, what="the web server answers")
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
