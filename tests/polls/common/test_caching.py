"""What many ask for is read once a second, and the last known value outlives an outage."""

import pytest

from polls.common.caching import MOST_KEYS, Cached, Held, Made


class Down(Exception):
    pass


class Source:
    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.down = False

    def read(self, key: str) -> tuple[str, int]:
        self.reads += 1
        if self.down:
            raise Down
        return key, self.reads


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cached(source: Source) -> Cached[str, tuple[str, int]]:
    return Cached(source.read, fresh_s=1.0, monotonic=lambda: source.now, survives=Down)


def test_within_a_second_it_is_read_once(source: Source, cached):
    assert [cached.get("a").value, cached.get("a").value] == [("a", 1), ("a", 1)]
    source.now = 1.0
    assert cached.get("a").value == ("a", 2)


def test_what_takes_long_to_read_is_read_less_often(source: Source):
    def slowly(key: str) -> tuple[str, int]:
        source.now += 2.0
        return source.read(key)

    cached: Cached[str, tuple[str, int]] = Cached(slowly, fresh_s=1.0, monotonic=lambda: source.now, survives=Down)
    cached.get("a")
    source.now += 9.9
    assert cached.get("a").value == ("a", 1)
    source.now += 0.1
    assert cached.get("a").value == ("a", 2)


def test_in_an_outage_the_last_known_value_is_given(source: Source, cached):
    cached.get("a")
    assert cached.get("a").current
    source.down, source.now = True, 9.0
    assert cached.get("a") == Held(("a", 1), current=False)
    with pytest.raises(Down):
        cached.get("b")
    source.down = False
    assert cached.get("a") == Held(("a", 4), current=True)


def test_while_one_caller_reads_another_gets_the_last_value(source: Source):
    inner: list[tuple[str, int]] = []

    def read(key: str) -> tuple[str, int]:
        if source.reads == 1:
            inner.append(cached.get(key).value)  # another request comes in the middle
        return source.read(key)

    cached: Cached[str, tuple[str, int]] = Cached(read, fresh_s=1.0, monotonic=lambda: source.now, survives=Down)
    cached.get("a")
    source.now = 5.0
    assert cached.get("a").value == ("a", 2)
    assert inner == [("a", 1)]


def test_memory_is_bounded(source: Source, cached):
    for number in range(MOST_KEYS + 5):
        cached.get(str(number))
    assert len(cached._held) == MOST_KEYS


def test_what_is_made_of_the_same_is_made_once():
    made: Made[str, str] = Made()
    calls: list[str] = []

    def make(key: str) -> str:
        return made.get(key, lambda: calls.append(key) or f"made of {key}")

    assert [make("a"), make("b"), make("a")] == ["made of a", "made of b", "made of a"]
    assert calls == ["a", "b"]


def test_of_what_is_made_only_the_last_that_were_asked_for_are_kept():
    made: Made[int, int] = Made()
    for key in range(MOST_KEYS):
        made.get(key, lambda key=key: key)
    made.get(0, lambda: -1)  # asked for again, so it is not the oldest
    made.get(MOST_KEYS, lambda: MOST_KEYS)
    assert made.get(0, lambda: -1) == 0
    assert made.get(1, lambda: -1) == -1


def test_what_could_not_be_made_is_made_the_next_time():
    made: Made[str, int] = Made()
    with pytest.raises(ZeroDivisionError):
        made.get("a", lambda: 1 // 0)
    assert made.get("a", lambda: 7) == 7
