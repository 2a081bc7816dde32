"""A name's addresses are tried side by side: a dead one delays a living one, and never cuts it off."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from failover.adapters import dial
from failover.adapters.clock import SystemClock
from failover.adapters.dial import FAILED_S, MOST_AT_ONCE, AddressInfo, Dialer
from tests.failover.adapters.faulty import NO_FAMILY, SIX
from tests.failover.clocks import ShiftedClock
from tests.processes import free_port
from tests.waiting import wait_until

PATIENT_S = 60.0
V4, V6 = "127.0.0.1", SIX


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def info(address: tuple[Any, ...]) -> AddressInfo:
    return family(address[0]), socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address


@contextlib.contextmanager
def listening(host: str = V4) -> Iterator[AddressInfo]:
    """An address that takes connections."""
    with socket.create_server((host, 0), family=family(host)) as listener:
        yield info(listener.getsockname())


@contextlib.contextmanager
def dropping(host: str = V4) -> Iterator[tuple[AddressInfo, socket.socket]]:
    """An address that drops what asks for a connection (its queue is full), and the listener, which can take those."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, 0), family=family(host), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket(family(host)))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield info(listener.getsockname()), listener


def refusing() -> AddressInfo:
    return info((V4, free_port()))


def connect(addresses: list[AddressInfo], *, seconds: float = PATIENT_S, dialer: Dialer | None = None) -> AddressInfo:
    """The address that took the connection."""
    clock = SystemClock()
    sock, address = (dialer or Dialer(clock)).connect(addresses, until=clock.monotonic() + seconds)
    with sock:
        assert sock.getpeername() == address
    return info(address)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("dead", [(V4, V4, V4), (V6, V6, V6), (V4, V6, V4)], ids=" ".join)
@pytest.mark.parametrize("alive", [V4, V6])
@pytest.mark.parametrize("place", range(4))
def test_of_four_addresses_the_one_that_lives_serves(dead: tuple[str, ...], alive: str, place: int) -> None:
    with contextlib.ExitStack() as stack:
        addresses = [stack.enter_context(dropping(host))[0] for host in dead]
        living = stack.enter_context(listening(alive))
        addresses.insert(place, living)

        assert connect(addresses) == living


def test_a_living_address_that_is_slow_is_not_given_up_for_those_after_it() -> None:
    with dropping() as (slow, listener), dropping() as (dead, _), dropping(V6) as (other, _):
        begun = threading.Event()

        class Watching(Dialer):
            def failed(self, address: Any) -> None:
                begun.set()

        def take_all() -> None:
            begun.wait(PATIENT_S)  # the last one was refused, so all of them have begun
            for _ in range(6):
                with contextlib.suppress(OSError):
                    listener.accept()[0].close()

        taker = threading.Thread(target=take_all, daemon=True)
        taker.start()
        clock = SystemClock()
        sock, address = Watching(clock).connect([slow, other, dead, refusing()], until=clock.monotonic() + PATIENT_S)
        sock.close()

    assert address == slow[4]
    listener.close()
    taker.join(5)


def test_a_refused_address_gives_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "NEXT_AFTER_S", PATIENT_S)
    with listening() as living:
        started = SystemClock().monotonic()
        connect([refusing(), (NO_FAMILY, 1, 6, "", (V6, 1, 0, 0)), refusing(), living], seconds=20 * PATIENT_S)

        assert SystemClock().monotonic() - started < PATIENT_S


@pytest.mark.parametrize("addresses", [[], [(NO_FAMILY, 1, 6, "", (V6, 1, 0, 0))]], ids=["none", "no such family"])
def test_where_no_connection_can_begin_there_is_an_error_and_no_timeout(addresses: list[AddressInfo]) -> None:
    with pytest.raises(OSError, match=r"no address|not supported"):
        connect(addresses)


def test_a_refusal_by_all_is_a_refusal() -> None:
    with pytest.raises(ConnectionRefusedError):
        connect([refusing(), refusing()])


def test_all_dead_ones_together_take_no_longer_than_the_limit_and_leave_nothing_open() -> None:
    with contextlib.ExitStack() as stack:
        addresses = [stack.enter_context(dropping(host))[0] for host in (V4, V6) * 4]
        before = open_files()
        started = SystemClock().monotonic()
        with pytest.raises(TimeoutError):
            connect([*addresses, refusing()], seconds=0.5)

        assert open_files() == before
        assert SystemClock().monotonic() - started < 10  # the kernel would try for two minutes


def test_those_that_lose_are_closed() -> None:
    with dropping() as (dead, _), dropping(V6) as (other, _), listening() as living:
        before = open_files()
        assert connect([dead, other, living]) == living
        assert open_files() == before


def test_no_time_left_is_a_timeout() -> None:
    with dropping() as (dead, _), pytest.raises(TimeoutError):
        connect([dead], seconds=-1)


def tried_first(dialer: Dialer, addresses: list[AddressInfo]) -> AddressInfo:
    """The one that the dialer begins with, of addresses that all live."""
    return connect(addresses, dialer=dialer, seconds=FAILED_S + PATIENT_S)


def test_an_address_that_failed_comes_last_for_a_minute() -> None:
    clock = ShiftedClock()
    dialer = Dialer(clock)
    with listening() as first, listening() as second:
        assert tried_first(dialer, [first, second]) == first
        dialer.failed(first[4])
        assert tried_first(dialer, [first, second]) == second

        clock.ahead_s = FAILED_S

        assert tried_first(dialer, [first, second]) == first


def test_an_address_that_took_a_connection_again_has_not_failed() -> None:
    dialer = Dialer(SystemClock())
    with listening() as first, listening() as second:
        dialer.failed(first[4])
        assert connect([first], dialer=dialer) == first

        assert tried_first(dialer, [first, second]) == first


@pytest.mark.parametrize("seconds", [0.4, PATIENT_S], ids=["in a race that nobody won", "in a race that it lost"])
def test_an_address_that_gave_no_answer_has_failed(seconds: float) -> None:
    dialer = Dialer(SystemClock())
    with dropping() as (dead, _), listening() as living:
        with contextlib.suppress(TimeoutError):
            connect([dead] if seconds < 1 else [dead, living], seconds=seconds, dialer=dialer)

        assert dead[4] in dialer._failed
        assert living[4] not in dialer._failed


def test_of_many_addresses_those_that_were_not_tried_come_before_those_that_failed() -> None:
    dialer = Dialer(SystemClock())
    with contextlib.ExitStack() as stack:
        dead = [stack.enter_context(dropping())[0] for _ in range(MOST_AT_ONCE)]
        living = stack.enter_context(listening())
        with pytest.raises(TimeoutError):
            connect([*dead, living], seconds=0.9, dialer=dialer)

        assert connect([*dead, living], dialer=dialer) == living


def test_many_threads_may_dial_at_once() -> None:
    dialer = Dialer(SystemClock())
    with dropping(V6) as (dead, _), listening() as living:
        before = open_files()
        answers: list[AddressInfo] = []
        threads = [
            threading.Thread(target=lambda: answers.append(connect([dead, living], dialer=dialer))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENT_S)

        assert answers == [living] * 8
        wait_until(lambda: open_files() == before, within=10, what="every socket closed")
