"""Nameservers that answer as a test has it, on real sockets of this machine."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from dnslib import QTYPE, RCODE, RR, A, DNSRecord

Answering = Callable[[DNSRecord], DNSRecord | None]


@contextlib.contextmanager
def nameserver(answer: Answering, port: int = 0) -> Iterator[tuple[str, int]]:
    """A nameserver over UDP that sends what `answer` makes of each question, or nothing; yields its address, whose
    port is a free one unless it is given.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", port))
        over = threading.Event()

        def serve() -> None:
            while True:
                question, asker = listener.recvfrom(4096)
                if over.is_set():
                    return
                reply = answer(DNSRecord.parse(question))
                if reply is not None:
                    listener.sendto(reply.pack(), asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = listener.getsockname()
        try:
            yield str(address[0]), int(address[1])
        finally:
            over.set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"over", address)
            thread.join(5)


def loopback(question: DNSRecord) -> DNSRecord:
    """Every name is 127.0.0.1."""
    answer = question.reply()
    answer.add_answer(RR(question.q.qname, QTYPE.A, rdata=A("127.0.0.1"), ttl=1))
    return answer


def empty(question: DNSRecord) -> DNSRecord:
    """NOERROR with no answer: 20 October 2025."""
    return question.reply()


def nxdomain(question: DNSRecord) -> DNSRecord:
    """No such name."""
    answer = question.reply()
    answer.header.rcode = RCODE.NXDOMAIN
    return answer


def servfail(question: DNSRecord) -> DNSRecord:
    """The nameserver itself fails."""
    answer = question.reply()
    answer.header.rcode = RCODE.SERVFAIL
    return answer


def silence(question: DNSRecord) -> None:
    """No answer at all."""
