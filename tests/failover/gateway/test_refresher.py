"""What is asked for is kept fresh in the background, and nothing that is known is ever taken away."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from failover.gateway.refresher import Refresher
from tests.failover.clocks import SteppedClock

PERIOD_S, IDLE_S = 1.0, 10.0


class Source:
    """What the regions hold: sets, which merge by union. It can be told to fail."""

    def __init__(self) -> None:
        self.holds: dict[str, frozenset[int]] = {}
        self.fetched: Counter[str] = Counter()
        self.error: Exception | None = None
        self.before: Callable[[], object] = lambda: None

    def fetch(self, key: str) -> frozenset[int]:
        self.fetched[key] += 1
        held = self.holds.get(key, frozenset())
        self.before()
        if self.error is not None:
            raise self.error
        return held


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def source() -> Source:
    return Source()


def make(source: Source, clock: SteppedClock, limit: int = 1_000) -> Refresher[frozenset[int]]:
    return Refresher(source.fetch, merge=frozenset.union, clock=clock, period_s=PERIOD_S, idle_s=IDLE_S, limit=limit)


@pytest.fixture
def cache(source: Source, clock: SteppedClock) -> Refresher[frozenset[int]]:
    source.holds["a"] = frozenset({1})
    cache = make(source, clock)
    assert cache.get("a") == {1}
    clock.someone_waits()
    return cache


def test_a_value_in_use_comes_from_memory(cache: Refresher[frozenset[int]], source: Source) -> None:
    for _ in range(100):
        assert cache.get("a") == {1}

    assert source.fetched["a"] == 1


def test_a_value_in_use_is_fetched_anew_in_the_background(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    source.holds["a"] = frozenset({1, 2})
    assert cache.get("a") == {1}

    clock.step(PERIOD_S)

    assert cache.get("a") == {1, 2}
    assert source.fetched["a"] == 2  # by the thread, not by the caller


def test_what_nobody_asks_for_is_not_fetched_any_more_and_is_fetched_at_once_when_asked_for_again(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    clock.step(IDLE_S + 1)
    fetched = source.fetched["a"]
    clock.step(PERIOD_S)
    assert source.fetched["a"] == fetched

    source.holds["a"] = frozenset({1, 9})
    assert cache.get("a") == {1, 9}
    clock.step(PERIOD_S)
    assert source.fetched["a"] == fetched + 2


def test_while_an_unused_value_is_fetched_nobody_gets_the_old_one_as_fresh(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    clock.step(IDLE_S + 1)
    source.holds["a"] = frozenset({1, 2})
    under_way, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        source.before = lambda: None  # only the first fetch is slow
        under_way.set()
        go_on.wait(30)

    source.before = slowly
    first = threading.Thread(target=cache.get, args=("a",))
    first.start()
    assert under_way.wait(30)
    try:
        assert cache.get("a") == {1, 2}
    finally:
        go_on.set()
        first.join(30)


def test_when_fetching_fails_the_last_known_value_holds(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    source.error = ConnectionError("no region answers")

    clock.step(PERIOD_S)
    assert cache.get("a") == {1}
    clock.step(IDLE_S + 1)
    assert cache.get("a") == {1}

    source.error = None
    source.holds["a"] = frozenset({3})
    clock.step(PERIOD_S)
    assert cache.get("a") == {1, 3}


def test_what_was_never_known_raises_what_fetching_raises(source: Source, clock: SteppedClock) -> None:
    source.error = ConnectionError("no region answers")

    with pytest.raises(ConnectionError, match="no region answers"):
        make(source, clock).get("b")


def test_an_own_write_is_known_at_once_and_no_fetch_takes_it_away(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    assert cache.put("a", frozenset({7})) == {1, 7}
    assert cache.get("a") == {1, 7}

    clock.step(PERIOD_S)  # the regions do not know of 7 yet
    assert cache.get("a") == {1, 7}


def test_an_own_write_during_a_fetch_survives_it(source: Source, clock: SteppedClock) -> None:
    cache = make(source, clock)
    source.holds["a"] = frozenset({1})
    source.before = lambda: cache.put("a", frozenset({7}))

    assert cache.get("a") == {1, 7}


def test_an_own_write_of_an_unknown_key_is_kept(source: Source, clock: SteppedClock) -> None:
    cache = make(source, clock)

    assert cache.put("new", frozenset({5})) == {5}
    assert cache.get("new") == {5}
    assert source.fetched["new"] == 0


def test_an_empty_find_is_handed_on_and_not_kept(source: Source, clock: SteppedClock) -> None:
    cache = make(source, clock)
    for _ in range(3):
        assert cache.get("guessed") == frozenset()

    assert source.fetched["guessed"] == 3
    source.holds["guessed"] = frozenset({1})
    assert cache.get("guessed") == {1}


def test_an_empty_find_takes_nothing_away(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    source.holds["a"] = frozenset()

    clock.step(PERIOD_S)
    assert cache.get("a") == {1}
    clock.step(IDLE_S + 1)
    assert cache.get("a") == {1}


def test_guessing_keys_starts_no_thread(source: Source, clock: SteppedClock) -> None:
    before = threading.active_count()
    cache = make(source, clock)
    for number in range(50):
        cache.get(f"guess-{number}")

    assert threading.active_count() == before


def test_no_more_keys_than_the_limit_are_kept_and_the_one_unused_longest_goes(
    source: Source, clock: SteppedClock
) -> None:
    cache = make(source, clock, limit=3)
    for number, key in enumerate("abc"):
        source.holds[key] = frozenset({number})
        cache.get(key)
        clock.step(0.1)
    cache.get("a")
    source.holds["d"] = frozenset({3})
    cache.get("d")

    for key in "acd":
        cache.get(key)
    assert source.fetched == Counter("abcd")
    cache.get("b")
    assert source.fetched["b"] == 2


def test_one_key_that_fails_does_not_keep_the_others_from_being_fetched(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    source.holds["b"] = frozenset({1})
    cache.get("b")

    def a_fails() -> None:
        source.error = ConnectionError() if source.fetched["a"] > source.fetched["b"] else None

    source.before = a_fails
    source.holds["b"] = frozenset({1, 2})
    clock.step(PERIOD_S)
    source.error = None

    assert cache.get("b") == {1, 2}


def test_what_was_forgotten_is_not_brought_back_by_a_fetch_under_way(
    cache: Refresher[frozenset[int]], source: Source, clock: SteppedClock
) -> None:
    source.before = cache.forget
    clock.step(PERIOD_S)
    source.before = lambda: None
    source.holds["a"] = frozenset({2})

    assert cache.get("a") == {2}
