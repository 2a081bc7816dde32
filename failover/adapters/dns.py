"""Name resolution of the region endpoints, bounded in time; every other name is left to the host untouched.

`connect_timeout` does not cover name resolution: with a silent resolver one call takes 10 s with glibc (measured; 40
s with the SDK's four attempts). So `socket.getaddrinfo` is wrapped for the endpoint names only. With a nameserver
configured it is asked directly; without one the host's own resolver is asked from a helper thread that is not waited
for any longer than the bound.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

# What getaddrinfo returns: (family, type, protocol, canonical name, socket address).
AddressInfo = list[tuple[Any, ...]]
_original = socket.getaddrinfo
EAI_NODATA = getattr(socket, "EAI_NODATA", socket.EAI_NONAME)


class Resolver:
    """Resolves the endpoint names within `timeout` seconds.

    Raises `socket.gaierror` as the host's resolver would: EAI_NODATA for an empty answer, EAI_NONAME for a name that
    does not exist, EAI_AGAIN for a server failure or silence.
    """

    def __init__(self, hosts: Iterable[str], nameserver: tuple[str, int] | None, *, timeout: float) -> None:
        self.hosts = frozenset(host.lower() for host in hosts if not _needs_no_nameserver(host))
        self._nameserver = nameserver
        self._timeout = timeout

    def addresses(self, host: str) -> list[str]:
        """The IPv4 addresses of `host`, asked anew each time."""
        if self._nameserver is None or _needs_no_nameserver(host):
            return sorted({str(info[4][0]) for info in self._ask_host(host, 443, socket.AF_INET, socket.SOCK_STREAM)})
        return self._ask_nameserver(host, self._nameserver)

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> AddressInfo:
        """A stand-in for `socket.getaddrinfo`."""
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not isinstance(name, str) or name.lower().rstrip(".") not in self.hosts:
            return list(_original(host, port, family, type, proto, flags))
        if self._nameserver is None:
            return self._ask_host(name, port, family, type, proto, flags)
        found: AddressInfo = []
        for address in self._ask_nameserver(name, self._nameserver):
            found += _original(address, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        return found

    def _ask_host(self, *arguments: Any) -> AddressInfo:
        answer: Future[AddressInfo] = Future()

        def ask() -> None:
            try:
                answer.set_result(list(_original(*arguments)))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            return answer.result(self._timeout)
        except TimeoutError as error:
            raise socket.gaierror(socket.EAI_AGAIN, f"no answer within {self._timeout:g} s") from error

    def _ask_nameserver(self, host: str, nameserver: tuple[str, int]) -> list[str]:
        try:
            query = dns.message.make_query(host, dns.rdatatype.A)
            reply, _ = dns.query.udp_with_fallback(query, nameserver[0], port=nameserver[1], timeout=self._timeout)
        except (dns.exception.DNSException, OSError) as error:
            raise socket.gaierror(socket.EAI_AGAIN, f"the nameserver does not answer: {error}") from error
        if reply.rcode() == dns.rcode.NXDOMAIN:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if reply.rcode() != dns.rcode.NOERROR:
            raise socket.gaierror(socket.EAI_AGAIN, f"the nameserver answers {dns.rcode.to_text(reply.rcode())}")
        found = [record.address for answer in reply.answer if answer.rdtype == dns.rdatatype.A for record in answer]
        if not found:
            raise socket.gaierror(EAI_NODATA, "the answer is empty")
        return found


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
