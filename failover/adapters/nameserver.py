"""Asks one nameserver for a name's addresses, IPv6 and IPv4 at once, within a time limit.

It answers as `socket.getaddrinfo` would: with addresses, or a `socket.gaierror` with glibc's code.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from dns.message import Message
from dns.rdatatype import RdataType

from failover.adapters.clock import SystemClock
from failover.adapters.dns_cache import Answer
from failover.core.ports import Clock

EAI_NODATA = getattr(socket, "EAI_NODATA", socket.EAI_NONAME)
FAMILIES = (dns.rdatatype.AAAA, dns.rdatatype.A)
RESOLUTION_DELAY_S = 0.05
"""How long one family's answer is waited for after the other brought addresses (RFC 8305)."""
MOST_ADDRESSES = 64
"""How many addresses of an answer are kept; a connection tries fewer (dial.py)."""
_clock: Clock = SystemClock()


class Silence(socket.gaierror):
    """No answer came in time."""


class ErrorAnswer(socket.gaierror):
    """The nameserver answered that it failed or refused; `strerror` is DNS's code, such as
    SERVFAIL.
    """


def ask(host: str, nameserver: tuple[str, int], timeout: float) -> Answer:
    """Asks for AAAA and for A at once. When one of them brings addresses, the other answer is
    waited for only briefly: a nameserver that drops or refuses one type of query causes no delay.
    """
    until = _clock.monotonic() + timeout
    try:
        questions = {kind: dns.message.make_query(host, kind) for kind in FAMILIES}
    except dns.exception.DNSException as error:
        raise socket.gaierror(socket.EAI_NONAME, f"this name cannot be asked for: {error}") from error
    replies = _over_udp(questions, nameserver, until)
    answers: dict[RdataType, Answer] = {}
    refusals: dict[RdataType, socket.gaierror] = {}
    for kind, question in sorted(questions.items(), key=lambda pair: _is_truncated(replies[pair[0]])):
        try:
            reply = replies[kind]
            if _is_truncated(reply):
                delay = min(until, _clock.monotonic() + RESOLUTION_DELAY_S) if answers else until
                reply = _over_tcp(question, nameserver, delay)
            answers[kind] = _read(reply, kind)
        except socket.gaierror as error:
            refusals[kind] = error
    if not answers:
        by_a = refusals[dns.rdatatype.A]
        raise refusals[dns.rdatatype.AAAA] if by_a.errno == EAI_NODATA else by_a
    families = [answers[kind].addresses for kind in FAMILIES if kind in answers]
    return Answer(in_turn(families), min(answer.ttl_s for answer in answers.values()))


def _over_udp(
    questions: Mapping[RdataType, Message], nameserver: tuple[str, int], until: float
) -> dict[RdataType, Message | socket.gaierror]:
    """The reply to each question, or the error that explains why there is none."""
    replies: dict[RdataType, Message | socket.gaierror] = {}
    nothing: socket.gaierror = Silence(socket.EAI_AGAIN, "the nameserver does not answer in time")
    unreadable = 0
    try:
        family = socket.AF_INET6 if ":" in nameserver[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(nameserver)  # so that datagrams of other hosts do not arrive
            for question in questions.values():
                sock.send(question.to_wire())
            while len(replies) + unreadable < len(questions):
                remaining = until - _clock.monotonic()
                if remaining <= 0:
                    break
                sock.settimeout(remaining)
                try:
                    reply = _parsed(sock.recv(65_535))
                except dns.exception.DNSException as error:
                    nothing, unreadable = _unusable(error), unreadable + 1
                    continue
                for kind, question in questions.items():
                    if question.is_response(reply):
                        replies[kind] = reply
                        if _is_truncated(reply) or _records(reply, kind):
                            until = min(until, _clock.monotonic() + RESOLUTION_DELAY_S)
    except TimeoutError:
        pass
    except OSError as error:
        nothing = Silence(socket.EAI_AGAIN, f"the nameserver does not answer: {error}")
    return {kind: replies.get(kind, nothing) for kind in questions}


def _parsed(datagram: bytes) -> Message:
    """A message, whole or cut short. Raises `DNSException` for anything else."""
    try:
        return dns.message.from_wire(datagram, raise_on_truncation=True)
    except dns.message.Truncated as error:
        part: Message = error.message()  # type: ignore[no-untyped-call]  # dnspython gives this one no types
        return part


def _over_tcp(question: Message, nameserver: tuple[str, int], until: float) -> Message:
    """Asks again for an answer that was too long for a datagram. Raises `socket.gaierror`."""
    address, port = nameserver
    try:
        return dns.query.tcp(question, address, port=port, timeout=max(0.0, until - _clock.monotonic()))
    except (dns.exception.Timeout, OSError, EOFError) as error:
        raise Silence(socket.EAI_AGAIN, f"the nameserver does not answer: {error}") from error
    except dns.exception.DNSException as error:
        raise _unusable(error) from error


def _unusable(error: dns.exception.DNSException) -> socket.gaierror:
    return socket.gaierror(socket.EAI_AGAIN, f"no usable answer: {error}")


def _is_truncated(reply: Message | socket.gaierror) -> bool:
    return isinstance(reply, dns.message.Message) and bool(reply.flags & dns.flags.TC)


def _records(reply: Message, kind: RdataType) -> tuple[str, ...]:
    """The addresses of that type, in the order of the answer."""
    return tuple(record.address for answer in reply.answer if answer.rdtype == kind for record in answer)


def _read(reply: Message | socket.gaierror, kind: RdataType) -> Answer:
    """The addresses that a reply brings. Raises `socket.gaierror` when it brings none."""
    if isinstance(reply, socket.gaierror):
        raise reply
    if reply.rcode() == dns.rcode.NXDOMAIN:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    if reply.rcode() != dns.rcode.NOERROR:
        raise ErrorAnswer(socket.EAI_AGAIN, dns.rcode.to_text(reply.rcode()))
    addresses = _records(reply, kind)
    if not addresses:
        raise socket.gaierror(EAI_NODATA, "the answer is empty")
    # The aliases in the answer count too: it expires with the first of its parts.
    return Answer(addresses, float(min(answer.ttl for answer in reply.answer)))


def in_turn(families: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The addresses of both families, one of each in turn, so that the first ones hold both."""
    turns = zip_longest(*families)
    return tuple(dict.fromkeys(address for turn in turns for address in turn if address))[:MOST_ADDRESSES]
