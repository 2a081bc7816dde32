"""Helpers for tests of a front between real sockets."""

import contextlib
import socket
import socketserver
import threading
import time

from failover.lab.network.gate import Gate

RTT_MS = 80.0
"""Round trip to the far region."""


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionResetError):  # a test cut it
            while data := self.request.recv(65536):
                self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    """Sends back what it gets."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)


def connect(gate: Gate) -> socket.socket:
    """A connection to the front."""
    return socket.create_connection(("127.0.0.1", gate.port), timeout=10)


def exchange(client: socket.socket, data: bytes) -> tuple[bytes, float]:
    """Sends, and reads as many bytes back. Returns them and how long that took, ms."""
    started = time.monotonic()
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    back = bytearray()
    while len(back) < len(data):
        chunk = client.recv(1 << 16)
        assert chunk, "the connection ended early"
        back += chunk
    sender.join()
    return bytes(back), (time.monotonic() - started) * 1000


def is_cut(client: socket.socket) -> bool:
    """Whether a connection ends before another byte arrives."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
