"""A name whose answers a test decides, and a cache of them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from failover.adapters.dns_cache import (
    AddressBook,
    AddressCache,
    Answer,
    Served,
)
from failover.core.fakes import FakeClock

HOST = "dynamodb.us-east-1.amazonaws.com"
TIMEOUT_S = 1.0
STALE_S = 300.0
GONE = socket.gaierror(socket.EAI_NONAME, "no such name")
SILENT = socket.gaierror(socket.EAI_AGAIN, "no answer")


class Name:
    """A name that answers what it is told to, and notes how long each question was ready to wait."""

    def __init__(self, *addresses: str, ttl_s: float = 10.0) -> None:
        self.answer: Answer | socket.gaierror = Answer(addresses, ttl_s)
        self.asked: list[float] = []

    def __call__(self, timeout: float) -> Answer:
        self.asked.append(timeout)
        if isinstance(self.answer, socket.gaierror):
            raise self.answer
        return self.answer


def with_book(clock: FakeClock, folder: Path) -> AddressCache:
    """The cache of one of a host's processes, which share what lies in `folder`."""
    return AddressCache(clock, stale_s=STALE_S, book=AddressBook(folder))


def get(cache: AddressCache, name: Name) -> Served:
    return cache.get(HOST, name, timeout=TIMEOUT_S)


def renew(cache: AddressCache, name: Name) -> Served:
    return cache.renew(HOST, name, timeout=TIMEOUT_S)


def refusal(ask: Callable[[AddressCache, Name], Served], cache: AddressCache, name: Name) -> int | None:
    """The code with which the name does not resolve."""
    with pytest.raises(socket.gaierror) as caught:
        ask(cache, name)
    return caught.value.errno
