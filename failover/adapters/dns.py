"""Name resolution of the region endpoints, bounded in time; every other name is left to the host untouched.

`connect_timeout` does not cover name resolution: with a silent resolver one call takes 10 s with glibc (measured; 40
s with the SDK's four attempts). So `socket.getaddrinfo` is wrapped for the endpoint names only. With a nameserver
configured it is asked directly; without one the host's own resolver is asked from a helper thread that is not waited
for any longer than the bound. Of a name with many addresses at most two are given: all that are tried share one
connection's time limit (transport.py).

Every new connection asks anew, unless a cache is handed in (`dns_cache`). The host's own resolver tells no time to
live, so its answers are never used again, only kept for the time when it stops answering.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from failover.core.interfaces import Clock

from .clock import SystemClock
from .dns_cache import AddressCache, Answer, Served

# What getaddrinfo returns: (family, type, protocol, canonical name, socket address).
AddressInfo = list[tuple[Any, ...]]
_original = socket.getaddrinfo
EAI_NODATA = getattr(socket, "EAI_NODATA", socket.EAI_NONAME)
MOST_ADDRESSES = 2
"""Of one name: they share a connection's time limit, and a live one behind dead ones must get enough of it."""
_clock: Clock = SystemClock()


class Silence(socket.gaierror):
    """Whoever was asked gave no answer, in time or at all."""


class ErrorAnswer(socket.gaierror):
    """The nameserver answered that it failed, or would not; `strerror` is DNS's own word for it, such as SERVFAIL."""


class Resolver:
    """Resolves the endpoint names within `timeout` seconds, to at most two addresses each.

    Raises `socket.gaierror` as the host's resolver would: EAI_NODATA for an empty answer, EAI_NONAME for a name that
    does not exist, EAI_AGAIN for a server failure or silence. Which of these two, the host's resolver does not tell; of
    a nameserver it is an `ErrorAnswer` or a `Silence`. With a `cache` the last good addresses may serve instead.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        nameserver: tuple[str, int] | None,
        *,
        timeout: float,
        cache: AddressCache | None = None,
    ) -> None:
        self.hosts = frozenset(host.lower() for host in hosts if not _needs_no_nameserver(host))
        self._nameserver = nameserver
        self._timeout = timeout
        self._cache = cache

    def look_up(self, host: str) -> Served:
        """The addresses of `host`, asked anew each time: what the canary needs."""
        name = _plain(host)
        if self._cache is None or name not in self.hosts:
            return Served(self._ask(name, self._timeout).addresses)
        return self._cache.renew(name, partial(self._ask, name), timeout=self._timeout)

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> AddressInfo:
        """A stand-in for `socket.getaddrinfo`."""
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not isinstance(text, str) or _plain(text) not in self.hosts:
            return list(_original(host, port, family, type, proto, flags))
        name = _plain(text)
        if self._cache is not None:
            addresses = self._cache.get(name, partial(self._ask, name), timeout=self._timeout).addresses
        elif self._nameserver is not None:
            addresses = self._ask(name, self._timeout).addresses
        else:
            found = self._ask_host(self._timeout, text, port, family, type, proto, flags)
            addresses = _addresses(found)
            return [info for info in found if info[4][0] in addresses]
        return _infos(addresses, port, family, type, proto, flags)

    def _ask(self, name: str, timeout: float) -> Answer:
        if self._nameserver is not None and not _needs_no_nameserver(name):
            return _ask_nameserver(name, self._nameserver, timeout)
        return Answer(_addresses(self._ask_host(timeout, name, None, socket.AF_UNSPEC, socket.SOCK_STREAM)), 0.0)

    @staticmethod
    def _ask_host(timeout: float, *arguments: Any) -> AddressInfo:
        answer: Future[AddressInfo] = Future()

        def ask() -> None:
            try:
                answer.set_result(list(_original(*arguments)))
            except BaseException as error:
                answer.set_exception(error)

        try:
            threading.Thread(target=ask, name="resolver", daemon=True).start()
            return answer.result(timeout)
        except socket.gaierror:
            raise
        except TimeoutError as error:
            raise Silence(socket.EAI_AGAIN, f"no answer within {timeout:g} s") from error
        except (RuntimeError, OSError) as error:  # this machine has no thread or no socket left
            raise Silence(socket.EAI_AGAIN, f"the host's resolver cannot be asked: {error}") from error


def _ask_nameserver(host: str, nameserver: tuple[str, int], timeout: float) -> Answer:
    """The answer to one question: over UDP and, where it was cut short, over TCP in the time that is left."""
    address, port = nameserver
    until = _clock.monotonic() + timeout
    try:
        query = dns.message.make_query(host, dns.rdatatype.A)
        try:
            reply = dns.query.udp(query, address, port=port, timeout=timeout, raise_on_truncation=True)
        except dns.message.Truncated:
            reply = dns.query.tcp(query, address, port=port, timeout=max(0.0, until - _clock.monotonic()))
    except (dns.exception.Timeout, OSError, EOFError) as error:
        raise Silence(socket.EAI_AGAIN, f"the nameserver does not answer: {error}") from error
    except dns.exception.DNSException as error:
        raise socket.gaierror(socket.EAI_AGAIN, f"no usable answer: {error}") from error
    if reply.rcode() == dns.rcode.NXDOMAIN:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    if reply.rcode() != dns.rcode.NOERROR:
        raise ErrorAnswer(socket.EAI_AGAIN, dns.rcode.to_text(reply.rcode()))
    found = [record.address for answer in reply.answer if answer.rdtype == dns.rdatatype.A for record in answer]
    if not found:
        raise socket.gaierror(EAI_NODATA, "the answer is empty")
    # Aliases on the way count too: the answer is as old as the first of its parts.
    return Answer(tuple(found[:MOST_ADDRESSES]), float(min(answer.ttl for answer in reply.answer)))


def _addresses(found: AddressInfo) -> tuple[str, ...]:
    """The first addresses, each once, in the host's order of preference."""
    return tuple(dict.fromkeys(str(info[4][0]) for info in found))[:MOST_ADDRESSES]


def _infos(addresses: Iterable[str], port: Any, family: int, type: int, proto: int, flags: int) -> AddressInfo:
    """What the host's resolver says about these addresses. One of a family that is not wanted is left out, unless all
    are.
    """
    found: AddressInfo = []
    refusal: socket.gaierror | None = None
    for address in addresses:
        try:
            found += _original(address, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        except socket.gaierror as error:
            refusal = error
    if refusal is not None and not found:
        raise refusal
    return found


def _plain(host: str) -> str:
    """A name in one spelling."""
    return host.lower().rstrip(".")


def _needs_no_nameserver(host: str) -> bool:
    """An endpoint may be given by its address, or be this machine."""
    try:
        ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return True


def install(resolver: Resolver) -> Callable[[], None]:
    """Puts `resolver` in the place of `socket.getaddrinfo` for this process; returns the function that puts back what
    was there.
    """
    before = socket.getaddrinfo
    socket.getaddrinfo = resolver.getaddrinfo

    def restore() -> None:
        socket.getaddrinfo = before

    return restore
