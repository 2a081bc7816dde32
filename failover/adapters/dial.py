"""Connects to the first of a name's addresses that answers, after RFC 8305 ("Happy Eyeballs").

The next address is tried 250 ms after the last one, or as soon as that one is refused. Earlier
attempts go on meanwhile, so a slow address is not cut off by dead ones before it. IPv6 and IPv4
take turns. One thread waits for all of them and closes the sockets that lost. Nothing else connects
to a region.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_address
from itertools import zip_longest
from typing import Any

from failover.core.ports import Clock

AddressInfo = tuple[Any, ...]
"""What `getaddrinfo` returns for each address: (family, type, protocol, canonical name, socket
address).
"""
NEXT_AFTER_S = 0.25
"""The wait before the next address is tried; shorter where there are so many addresses that the
last of them would come too late."""
MOST_AT_ONCE = 8
"""Addresses that one connection tries. Failed ones come last, so the next connection tries others.
"""
FAILED_S = 60.0
"""How long a failed address comes after the others."""
_OPTIONS = (
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    # An idle connection whose other end is gone is noticed within 6 s and not used again
    # (transport.py).
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 3),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
)
_KNOWN_OPTIONS = [(level, getattr(socket, name), value) for level, name, value in _OPTIONS if hasattr(socket, name)]


class Dialer:
    """Connects to one endpoint, and remembers which of its addresses failed. Thread-safe.

    With `loopback_only` an address that is not this machine's own is refused before a packet is
    sent.
    """

    def __init__(self, clock: Clock, *, loopback_only: bool = False) -> None:
        self._clock = clock
        self._loopback_only = loopback_only
        self._lock = threading.Lock()
        self._failed: dict[Any, float] = {}

    def connect(self, addresses: Sequence[AddressInfo], *, until: float) -> tuple[socket.socket, Any]:
        """Connects by `until` (monotonic seconds) to the first address that accepts. Returns a
        non-blocking socket and that address.

        Raises TimeoutError when some address gave no answer in time, or else the OSError of the
        last refusal. Either way nothing was sent.
        """
        waiting = deque(self._in_order(addresses))
        trying: dict[int, tuple[socket.socket, AddressInfo, float]] = {}
        began = next_at = self._clock.monotonic()
        pause = min(NEXT_AFTER_S, max(0.0, until - began) / (len(waiting) + 1))
        refusal: OSError = OSError("no address")
        poll = select.poll()
        try:
            while True:
                now = self._clock.monotonic()
                # 1. Try the next address when it is due.
                if waiting and (not trying or now >= next_at):
                    info = waiting.popleft()
                    next_at = now + pause
                    try:
                        if self._loopback_only:
                            _refuse_elsewhere(info)
                        sock = _begin(info)
                    except OSError as error:
                        refusal, next_at = error, now
                        self.failed(info[4])
                        continue
                    trying[sock.fileno()] = sock, info, now
                    poll.register(sock, select.POLLOUT)
                # 2. Give up when every address refused, or the time is over.
                if not trying:
                    raise refusal
                remaining = until - now
                if remaining <= 0:
                    raise TimeoutError("no address answered in time") from refusal
                # 3. Wait until an address answers or refuses, or the next one is due.
                for number, _ in poll.poll(max(0.0, min(remaining, next_at - now) if waiting else remaining) * 1000):
                    sock, info, _ = trying.pop(number)
                    poll.unregister(number)
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        self._answered(info)
                        return sock, info[4]
                    sock.close()
                    refusal, next_at = OSError(code, os.strerror(code)), now
                    self.failed(info[4])
        finally:
            now = self._clock.monotonic()
            for sock, info, started in trying.values():
                sock.close()
                if now - started >= pause:
                    self.failed(info[4])

    def failed(self, address: Any) -> None:
        """Puts this socket address last for a minute: it refused, or its connection was unusable."""
        with self._lock:
            self._failed[address] = self._clock.monotonic()

    def _answered(self, info: AddressInfo) -> None:
        with self._lock:
            self._failed.pop(info[4], None)

    def _in_order(self, addresses: Sequence[AddressInfo]) -> list[AddressInfo]:
        """The addresses, families in turn; recently failed ones at the end, the oldest failure
        first.
        """
        with self._lock:
            since = self._clock.monotonic() - FAILED_S
            self._failed = {address: at for address, at in self._failed.items() if at > since}
            return sorted(_in_turn(addresses), key=lambda info: self._failed.get(info[4], since))[:MOST_AT_ONCE]


def _in_turn(addresses: Iterable[AddressInfo]) -> list[AddressInfo]:
    families: dict[Any, list[AddressInfo]] = {}
    for info in addresses:
        families.setdefault(info[0], []).append(info)
    return [info for infos in zip_longest(*families.values()) for info in infos if info is not None]


def _refuse_elsewhere(info: AddressInfo) -> None:
    """Raises PermissionError unless the address is loopback. The unspecified address (0.0.0.0, ::)
    is not loopback, though some systems treat it so.
    """
    address = ip_address(info[4][0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if not (mapped or address).is_loopback:
        raise PermissionError(errno.EPERM, f"{address} is not on this machine, and the lab reaches nothing else")


def _begin(info: AddressInfo) -> socket.socket:
    """A socket that has begun to connect. Raises OSError when that is refused at once."""
    family, kind, protocol, _, address = info
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        for level, option, value in _KNOWN_OPTIONS:
            sock.setsockopt(level, option, value)
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock
