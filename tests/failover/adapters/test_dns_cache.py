"""A name's last good addresses: used while they live, kept while the name is gone, never longer than they may."""

from __future__ import annotations

import socket

import pytest

from failover.adapters.dns_cache import (
    MAX_TTL_S,
    NEGATIVE_S,
    PATIENCE,
    RECHECK_S,
    AddressCache,
    Answer,
    Served,
)
from failover.adapters.nameserver import ErrorAnswer
from failover.core.fakes import FakeClock
from tests.failover.adapters.names import GONE, SILENT, STALE_S, TIMEOUT_S, Name, get, refusal, renew


@pytest.fixture
def cache(clock: FakeClock) -> AddressCache:
    return AddressCache(clock, stale_s=STALE_S)


def test_an_answer_is_used_again_until_its_time_to_live_is_over_and_no_longer(
    cache: AddressCache, name: Name, clock: FakeClock
) -> None:
    get(cache, name)
    clock.wait(9.999)
    name.answer = Answer(("192.0.2.2",), 10)
    assert get(cache, name) == Served(("192.0.2.1",))
    assert len(name.asked) == 1

    clock.wait(0.001)

    assert get(cache, name) == Served(("192.0.2.2",))
    assert len(name.asked) == 2


def test_no_answer_is_used_for_longer_than_a_minute_without_asking_again(cache: AddressCache, clock: FakeClock) -> None:
    name = Name("192.0.2.1", ttl_s=86_400)
    get(cache, name)
    clock.wait(MAX_TTL_S)
    get(cache, name)

    assert len(name.asked) == 2


def test_an_answer_without_a_time_to_live_is_asked_for_each_time_and_still_kept_for_the_worst(
    cache: AddressCache,
) -> None:
    name = Name("192.0.2.1", ttl_s=0)
    get(cache, name)
    get(cache, name)
    assert len(name.asked) == 2

    name.answer = GONE

    assert get(cache, name).addresses == ("192.0.2.1",)


@pytest.mark.parametrize("failure", [GONE, SILENT], ids=["gone", "silent"])
def test_when_a_name_stops_resolving_its_last_addresses_serve_for_the_bounded_time_and_no_longer(
    failure: socket.gaierror, cache: AddressCache, name: Name, clock: FakeClock
) -> None:
    get(cache, name)
    name.answer = failure
    clock.wait(10 + STALE_S - 0.001)
    assert get(cache, name).addresses == ("192.0.2.1",)

    clock.wait(0.001)

    assert refusal(get, cache, name) == failure.errno
    assert refusal(renew, cache, name) == failure.errno


def test_a_remembered_refusal_is_of_the_kind_that_it_was(cache: AddressCache, name: Name) -> None:
    name.answer = ErrorAnswer(socket.EAI_AGAIN, "SERVFAIL")
    for _ in range(3):
        with pytest.raises(ErrorAnswer) as caught:
            get(cache, name)
        assert caught.value.args == name.answer.args
        assert caught.value is not name.answer, "one object would gather the tracebacks of all who raise it"
    assert len(name.asked) == 1


def test_a_stale_answer_says_why_since_when_and_until_when_it_serves(
    cache: AddressCache, name: Name, clock: FakeClock
) -> None:
    get(cache, name)
    began = clock.wall()
    name.answer = GONE
    clock.wait(12)
    renew(cache, name)
    clock.wait(30)

    assert renew(cache, name) == Served(("192.0.2.1",), GONE, since=began + 12, until=began + 10 + STALE_S)


def test_the_canary_is_told_that_the_name_is_gone_also_while_its_answer_still_lives(
    cache: AddressCache, name: Name, clock: FakeClock
) -> None:
    get(cache, name)
    name.answer = GONE

    seen = renew(cache, name)

    assert (seen.failure, seen.addresses) == (GONE, ("192.0.2.1",))
    assert get(cache, name) == Served(("192.0.2.1",))  # its time to live is not over


def test_once_the_name_resolves_again_nothing_is_stale_any_more(
    cache: AddressCache, name: Name, clock: FakeClock
) -> None:
    get(cache, name)
    name.answer = GONE
    clock.wait(20)
    get(cache, name)
    name.answer = Answer(("192.0.2.9",), 10)
    clock.wait(NEGATIVE_S)
    assert get(cache, name) == Served(("192.0.2.9",))

    name.answer = GONE
    clock.wait(30)

    assert get(cache, name).since == clock.wall()


def test_a_refusal_is_believed_for_a_second_at_most(cache: AddressCache, name: Name, clock: FakeClock) -> None:
    assert NEGATIVE_S <= 1
    addresses, name.answer = name.answer, GONE
    assert refusal(get, cache, name) == socket.EAI_NONAME
    clock.wait(NEGATIVE_S - 0.001)
    assert refusal(get, cache, name) == socket.EAI_NONAME
    assert len(name.asked) == 1

    name.answer = addresses
    clock.wait(0.001)

    assert get(cache, name).addresses == ("192.0.2.1",)


def test_a_silent_nameserver_costs_a_moment_once_in_a_while_and_not_its_full_time_at_each_connection(
    cache: AddressCache, name: Name, clock: FakeClock
) -> None:
    get(cache, name)
    name.answer = SILENT
    clock.wait(10)
    del name.asked[:]
    for _ in range(10):
        get(cache, name)
        clock.wait(RECHECK_S / 10)
    assert name.asked == [PATIENCE * TIMEOUT_S]

    get(cache, name)

    assert name.asked == [PATIENCE * TIMEOUT_S] * 2
    assert RECHECK_S <= 30  # RFC 8767


def test_without_a_stale_answer_a_silent_nameserver_has_its_full_time(cache: AddressCache, name: Name) -> None:
    name.answer = SILENT
    assert refusal(get, cache, name) == socket.EAI_AGAIN

    assert name.asked == [TIMEOUT_S]


def test_without_a_stale_answer_a_silent_nameserver_is_asked_again_after_a_second(
    cache: AddressCache, name: Name, clock: FakeClock
) -> None:
    addresses, name.answer = name.answer, SILENT
    refusal(get, cache, name)
    name.answer = addresses
    clock.wait(NEGATIVE_S)

    assert get(cache, name).addresses == ("192.0.2.1",)


def test_a_canary_always_gives_the_nameserver_its_full_time(cache: AddressCache, name: Name, clock: FakeClock) -> None:
    renew(cache, name)
    name.answer = SILENT
    clock.wait(20)
    renew(cache, name)
    renew(cache, name)

    assert name.asked == [TIMEOUT_S] * 3


def test_names_do_not_stand_in_for_each_other(cache: AddressCache, name: Name) -> None:
    get(cache, name)
    other = Name()
    other.answer = GONE

    with pytest.raises(socket.gaierror):
        cache.get("dynamodb.us-west-2.amazonaws.com", other, timeout=TIMEOUT_S)


def test_an_error_that_is_remembered_is_a_new_one_for_each_caller(cache: AddressCache, name: Name) -> None:
    name.answer = GONE
    raised = []
    for _ in range(3):
        with pytest.raises(socket.gaierror) as caught:
            get(cache, name)
        raised.append(caught.value)

    assert len({id(error) for error in raised}) == 3
    assert {error.args for error in raised} == {GONE.args}
