"""Resolves the names of the region endpoints within a time limit; the host resolves every other
name.

`connect_timeout` does not cover name resolution: with a silent resolver one call takes 10 s with
glibc (measured; 40 s with the SDK's four attempts). So `socket.getaddrinfo` is wrapped for the
endpoint names only. A configured nameserver is asked directly. Without one the host's own resolver
is asked from a helper thread, which is not waited for longer than the limit. Addresses of both
families (A and AAAA) are asked for at once and returned in turn; dial.py decides which of them is
connected to.

Every new connection asks anew, unless a cache is given (`dns_cache`). The host's own resolver gives
no time to live, so its answers are not used again; they are only kept for when it stops answering.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address
from typing import Any

from failover.adapters import nameserver as dns_server
from failover.adapters.clock import SystemClock
from failover.adapters.dial import AddressInfo
from failover.adapters.dns_cache import AddressCache, Answer, Served
from failover.adapters.nameserver import Silence, in_turn
from failover.core.ports import Clock

_original = socket.getaddrinfo
LOCALHOST = ("127.0.0.1", "::1")
_clock: Clock = SystemClock()
ALONE_AFTER = 0.25
"""The share of the time limit after which the host's resolver is asked for each family alone."""


class Resolver:
    """Resolves the endpoint names within `timeout` seconds, to their addresses of both families.

    Raises `socket.gaierror` as the host's resolver would: EAI_NODATA for an empty answer,
    EAI_NONAME for a name that does not exist, EAI_AGAIN for a server failure or silence. The host's
    resolver does not tell these two apart; a nameserver's are an `ErrorAnswer` or a `Silence`. With
    a `cache` the last good addresses may serve instead. With `loopback_only` the host's resolver is
    never asked, because it would ask the network.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        nameserver: tuple[str, int] | None,
        *,
        timeout: float,
        cache: AddressCache | None = None,
        loopback_only: bool = False,
    ) -> None:
        self._loopback_only = loopback_only
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
    ) -> list[AddressInfo]:
        """A stand-in for `socket.getaddrinfo`."""
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not isinstance(text, str) or _plain(text) not in self.hosts:
            return self._by_host(host, port, family, type, proto, flags)
        name = _plain(text)
        if self._cache is not None:
            addresses = self._cache.get(name, partial(self._ask, name), timeout=self._timeout).addresses
        elif self._nameserver is not None:
            addresses = self._ask(name, self._timeout).addresses
        else:
            infos = self._ask_host(self._timeout, text, port, family, type, proto, flags)
            addresses = _addresses(infos)
            return [info for info in infos if info[4][0] in addresses]
        return _infos(addresses, port, family, type, proto, flags)

    def _ask(self, name: str, timeout: float) -> Answer:
        if self._nameserver is not None and not _needs_no_nameserver(name):
            return dns_server.ask(name, self._nameserver, timeout)
        return Answer(_addresses(self._ask_host(timeout, name, None, socket.AF_UNSPEC, socket.SOCK_STREAM)), 0.0)

    def _by_host(self, *arguments: Any) -> list[AddressInfo]:
        return list(_on_this_machine(*arguments) if self._loopback_only else _original(*arguments))

    def _ask_host(self, timeout: float, host: Any, port: Any, family: int, *others: Any) -> list[AddressInfo]:
        """Asks the host's resolver, which waits for both families. When that takes long, each
        family is asked for alone too and the first addresses are taken: a family that is never
        answered must not hide the other.
        """
        answers: queue.SimpleQueue[list[AddressInfo] | Exception] = queue.SimpleQueue()

        def ask(family: int) -> None:
            try:
                answers.put(self._by_host(host, port, family, *others))
            except Exception as error:
                answers.put(error)

        until = _clock.monotonic() + timeout
        try:
            threads = [_thread(ask, family)]
            try:
                answer = answers.get(timeout=timeout * ALONE_AFTER)
            except queue.Empty:
                threads += [_thread(ask, alone) for alone in (socket.AF_INET6, socket.AF_INET) if not family]
                answer = answers.get(timeout=max(0.0, until - _clock.monotonic()))
            for _ in threads[1:]:
                if isinstance(answer, Exception):
                    answer = answers.get(timeout=max(0.0, until - _clock.monotonic()))
            if isinstance(answer, Exception):
                raise answer
        except socket.gaierror:
            raise
        except queue.Empty as error:
            raise Silence(socket.EAI_AGAIN, f"no answer within {timeout:g} s") from error
        except (RuntimeError, OSError) as error:  # this machine has no thread or no socket left
            raise Silence(socket.EAI_AGAIN, f"the host's resolver cannot be asked: {error}") from error
        return answer


def _on_this_machine(
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[AddressInfo]:
    """Replaces the host's resolver: knows addresses and `localhost`, and refuses any other name."""
    if isinstance(host, str) and _plain(host) == "localhost":
        return _infos(LOCALHOST, port, family, type, proto, flags)
    return list(_original(host, port, family, type, proto, flags | socket.AI_NUMERICHOST))


def _thread(work: Callable[[int], None], family: int) -> threading.Thread:
    thread = threading.Thread(target=work, args=(family,), name="resolver", daemon=True)
    thread.start()
    return thread


def _addresses(infos: Iterable[AddressInfo]) -> tuple[str, ...]:
    """The addresses, each once, both families in turn; the one that the host prefers comes first."""
    families: dict[Any, list[str]] = {}
    for info in infos:
        families.setdefault(info[0], []).append(str(info[4][0]))
    return in_turn(families.values())


def numeric(addresses: Iterable[str], port: int) -> list[AddressInfo]:
    """Addresses in the form of `getaddrinfo`, for a TCP connection to `port`."""
    return _infos(addresses, port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, 0)


def _infos(addresses: Iterable[str], port: Any, family: int, type: int, proto: int, flags: int) -> list[AddressInfo]:
    """The addresses in the form of `getaddrinfo`. Those of a family that is not wanted are left
    out; raises `socket.gaierror` if that is all of them.
    """
    infos: list[AddressInfo] = []
    refusal: socket.gaierror | None = None
    for address in addresses:
        try:
            infos += _original(address, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        except socket.gaierror as error:
            refusal = error
    if refusal is not None and not infos:
        raise refusal
    return infos


def _plain(host: str) -> str:
    """A name in one spelling."""
    return host.lower().rstrip(".")


def _needs_no_nameserver(host: str) -> bool:
    """Whether an endpoint is given by its address, or is this machine."""
    try:
        ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return True


def install(resolver: Resolver) -> Callable[[], None]:
    """Replaces `socket.getaddrinfo` by `resolver` in this process; returns a function that undoes
    it.
    """
    before = socket.getaddrinfo
    socket.getaddrinfo = resolver.getaddrinfo

    def restore() -> None:
        socket.getaddrinfo = before

    return restore
