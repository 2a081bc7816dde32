"""The last good addresses of the endpoint names, for a bounded time after a name stops resolving
(after RFC 8767).

On 20 October 2025 clients whose caches still held an address went on working: only the name was
gone. An answer is used again until its time to live is over. Then the name is asked for again, and
while that fails its last good addresses serve on, for at most `stale_s` seconds. This is safe: TLS
still checks the certificate against the name itself.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from failover.core.ports import Clock

log = logging.getLogger(__name__)

MAX_TTL_S = 60.0
"""An answer is used for at most so long, whatever its time to live."""
NEGATIVE_S = 1.0
"""How long a refusal (no address, no such name) is believed."""
RECHECK_S = 5.0
"""How long a nameserver that fails or is silent is not asked while there is a stale answer (RFC
8767: at most 30).
"""
PATIENCE = 0.25
"""The share of the time limit that a query may take while there is a stale answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The addresses of a name, and the seconds for which they may be used again: 0 when unknown."""

    addresses: tuple[str, ...]
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Served:
    """The addresses to use. When the name does not resolve now, `failure` says why, `since` when
    that was first seen, and `until` when these addresses serve no longer (both seconds since the
    epoch).
    """

    addresses: tuple[str, ...]
    failure: socket.gaierror | None = None
    since: float = 0.0
    until: float = 0.0


Ask = Callable[[float], Answer]
"""Asks for a name and waits at most so many seconds. Raises `socket.gaierror`."""


@dataclass(frozen=True, slots=True)
class _Good:
    """An answer that came at `at` and is fresh until `expires` (monotonic seconds)."""

    addresses: tuple[str, ...]
    at: float
    expires: float


@dataclass(frozen=True, slots=True)
class _Failed:
    """A query that has failed since `since` (seconds since the epoch) and is not repeated before
    `until` (monotonic seconds).
    """

    error: socket.gaierror
    until: float
    since: float


class AddressBook:
    """The answers that the processes of one host share: one small file per name, replaced as a
    whole.

    So a worker that has just started, or whose connections were pooled for an hour, has the answer
    that the monitor got with its latest canary.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, host: str, answer: Answer, *, at: float) -> None:
        """Keeps an answer that came at `at` (seconds since the epoch). A full disk is only logged."""
        path = self._path(host)
        draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps({"addresses": answer.addresses, "ttl_s": answer.ttl_s, "at": at}))
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            log.warning("the addresses of %s cannot be kept: %s", host, error)

    def load(self, host: str) -> tuple[Answer, float] | None:
        """The latest answer and when it came (seconds since the epoch), or None when there is none."""
        try:
            content = json.loads(self._path(host).read_text())
            addresses = tuple(str(ip_address(address)) for address in content["addresses"])
            return (Answer(addresses, float(content["ttl_s"])), float(content["at"])) if addresses else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _path(self, host: str) -> Path:
        return self._directory / f"{host}.json"


class AddressCache:
    """Remembers answers and refusals. Thread-safe: it decides under its lock and asks outside it."""

    def __init__(self, clock: Clock, *, stale_s: float, book: AddressBook | None = None) -> None:
        self._clock = clock
        self._stale_s = stale_s
        self._book = book
        self._lock = threading.Lock()
        self._good: dict[str, _Good] = {}
        self._failed: dict[str, _Failed] = {}

    def get(self, host: str, ask: Ask, *, timeout: float) -> Served:
        """The addresses of `host`, from memory where that is allowed. Raises `socket.gaierror` when
        there are none.
        """
        now = self._clock.monotonic()
        known = self._known(host, now)
        if known is not None and now < known.expires:
            return Served(known.addresses)
        with self._lock:
            failed = self._failed.get(host)
        if failed is None or now >= failed.until:
            return self._ask(host, ask, timeout=timeout * PATIENCE if self._serves(known, now) else timeout)
        return self._fallback(known, failed, now)

    def renew(self, host: str, ask: Ask, *, timeout: float) -> Served:
        """As `get`, but always asks: the canary must see the current state."""
        return self._ask(host, ask, timeout=timeout)

    def _ask(self, host: str, ask: Ask, *, timeout: float) -> Served:
        try:
            answer = ask(timeout)
        except socket.gaierror as error:
            now = self._clock.monotonic()
            known = self._known(host, now)
            silent = error.errno == socket.EAI_AGAIN
            hold_s = RECHECK_S if silent and self._serves(known, now) else NEGATIVE_S
            with self._lock:
                before = self._failed.get(host)
                since = self._clock.wall() if before is None else before.since
                failed = self._failed[host] = _Failed(error, now + hold_s, since)
            return self._fallback(known, failed, now)
        with self._lock:
            self._good[host] = _good(answer, self._clock.monotonic())
            self._failed.pop(host, None)
        if self._book is not None:
            self._book.save(host, answer, at=self._clock.wall())
        return Served(answer.addresses)

    def _fallback(self, known: _Good | None, failed: _Failed, now: float) -> Served:
        if known is None or not self._serves(known, now):
            # A new error each time: one object raised by several threads would collect all their
            # tracebacks.
            raise type(failed.error)(*failed.error.args) from failed.error
        until = self._clock.wall() + (known.expires + self._stale_s - now)
        return Served(known.addresses, failed.error, failed.since, until)

    def _serves(self, known: _Good | None, now: float) -> bool:
        return known is not None and now < known.expires + self._stale_s

    def _known(self, host: str, now: float) -> _Good | None:
        """This process's own answer while it is fresh; after that the later of it and the book's."""
        with self._lock:
            own = self._good.get(host)
        if own is not None and now < own.expires:
            return own
        kept = self._book.load(host) if self._book is not None else None
        if kept is None:
            return own
        answer, at = kept
        age = self._clock.wall() - at
        if age < 0:
            # The wall clock was set back. An answer from the future counts as new, once and not at
            # every call.
            with self._lock:
                return self._good.setdefault(host, _good(answer, now))
        shared = _good(answer, now - age)
        return shared if own is None or shared.at >= own.at else own


def _good(answer: Answer, at: float) -> _Good:
    return _Good(answer.addresses, at, at + min(answer.ttl_s, MAX_TTL_S))
