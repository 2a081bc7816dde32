"""Without a nameserver the host's own resolver is asked, within the same time limit."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pynamodb.exceptions import PutError

from failover.adapters import dns, nameserver
from failover.adapters.binding import bind
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import ControlRow
from failover.adapters.dns_cache import AddressCache
from failover.adapters.errors import classify
from failover.core.errors import ErrorClass, Outcome
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST
from tests.failover.adapters.resolvers import HOST, LONG_S, TIMEOUT_S, resolver


def host_resolver(answers: dict[int, object], release: threading.Event) -> Callable[..., object]:
    """No machine's own resolver fails to order, so this function stands in for it. None never answers."""

    def ask(_host: object, _port: object, family: int, *_: object) -> object:
        answer = answers.get(family)
        if answer is None:
            release.wait(LONG_S)
            raise socket.gaierror(socket.EAI_AGAIN, "after a long time")
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


V4_INFO = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
V6_INFO = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0))]
NO_ADDRESS = socket.gaierror(nameserver.EAI_NODATA, "no address of this family")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({socket.AF_INET: V4_INFO}, V4_INFO, id="silence about AAAA"),
        pytest.param({socket.AF_INET6: V6_INFO}, V6_INFO, id="silence about A"),
        pytest.param({socket.AF_INET: V4_INFO, socket.AF_INET6: NO_ADDRESS}, V4_INFO, id="no AAAA, slowly"),
    ],
)
def test_the_hosts_resolver_too_gives_the_family_that_answers(
    answers: dict[int, object], expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(dns, "_original", host_resolver(answers, release))
    try:
        assert dns.Resolver([HOST], None, timeout=2).getaddrinfo(HOST, 80) == expected
    finally:
        release.set()


def test_of_the_hosts_own_resolver_every_address_is_taken_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    # No name has three addresses on every machine, so a function stands in for the host's resolver.
    every = [(socket.AF_INET, kind, 0, "", (f"127.0.0.{last}", 80)) for last in (1, 2, 3) for kind in (1, 2)]
    every.append((socket.AF_INET6, 1, 0, "", ("::1", 80, 0, 0)))
    monkeypatch.setattr(dns, "_original", lambda *_: every)

    assert resolver(None).getaddrinfo(HOST, 80) == every
    assert resolver(None).look_up(HOST).addresses == ("127.0.0.1", "::1", "127.0.0.2", "127.0.0.3")


def test_without_a_nameserver_the_hosts_own_resolver_is_asked() -> None:
    own = dns.Resolver(["localhost"], None, timeout=5)

    assert "127.0.0.1" in own.look_up("localhost").addresses
    assert own.getaddrinfo("localhost", 80, socket.AF_INET) == dns._original("localhost", 80, socket.AF_INET)


def test_a_silent_resolver_of_the_host_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # glibc takes 10 s to give up; there is no silent resolver to be had in every environment, so a function stands in.
    waiter = faulty.threading.Event()
    monkeypatch.setattr(dns, "_original", lambda *_: waiter.wait(30))
    try:
        with faulty.Stopwatch() as watch, pytest.raises(socket.gaierror) as caught:
            resolver(None).look_up(HOST)
    finally:
        waiter.set()

    assert (type(caught.value), caught.value.errno) == (nameserver.Silence, socket.EAI_AGAIN)
    assert watch.seconds < TIMEOUT_S + 5


@pytest.fixture
def no_thread() -> Iterator[None]:
    """This process gets no thread more: none has room for such a stack."""
    before = threading.stack_size(2**60)
    yield
    threading.stack_size(before)


@pytest.mark.usefixtures("no_thread")
@pytest.mark.parametrize("stale_s", [None, 60.0])
def test_without_a_thread_to_ask_the_host_from_there_is_no_answer(stale_s: float | None) -> None:
    cache = None if stale_s is None else AddressCache(SystemClock(), stale_s=stale_s)
    own = dns.Resolver([HOST], None, timeout=TIMEOUT_S, cache=cache)

    for ask in (own.look_up, lambda host: own.getaddrinfo(host, 80)):
        with pytest.raises(nameserver.Silence, match="new thread") as caught:
            ask(HOST)
        assert caught.value.errno == socket.EAI_AGAIN


@pytest.mark.usefixtures("no_thread")
def test_a_call_for_whose_name_there_is_no_thread_was_not_sent(tmp_path: Path) -> None:
    config = replace(faulty.make_config(tmp_path, {EAST: 80}), endpoints={EAST: f"http://{HOST}"})
    with faulty.models_wired(config), bind(EAST), pytest.raises(PutError) as caught:
        ControlRow("k", "i", document="{}").put()

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.DNS)


def test_a_host_that_has_no_socket_left_to_ask_with_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    # glibc's "system error" comes as an OSError that is no gaierror; only a process that cannot go on has one to show.
    def fails(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(dns, "_original", fails)

    for ask in (resolver(None).look_up, lambda host: resolver(None).getaddrinfo(host, 80)):
        with pytest.raises(nameserver.Silence, match="Too many open files"):
            ask(HOST)


def test_the_hosts_refusal_comes_through_unchanged() -> None:
    own = dns.Resolver(["name.invalid"], None, timeout=20)
    with pytest.raises(socket.gaierror) as expected:
        dns._original("name.invalid", 80, 0, 0, 0, socket.AI_NUMERICHOST)

    with pytest.raises(socket.gaierror) as caught:
        own.getaddrinfo("name.invalid", 80, 0, 0, 0, socket.AI_NUMERICHOST)

    assert caught.value.args == expected.value.args
