"""A vote's name sorts by the time of voting and is never below the voter's last."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from polls.ballots.vote_ids import AHEAD_MS, BEHIND_MS, is_timely, is_valid, mint, order, time_ms

TIMES = st.integers(0, 2**47)
BITS = st.integers(0, 2**74 - 1)


@given(TIMES, BITS)
def test_an_id_is_a_canonical_uuid_of_version_7_and_tells_its_time(now_ms: int, bits: int):
    text = mint(now_ms, bits)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert is_valid(text)
    assert time_ms(text) == now_ms


@given(TIMES, BITS, TIMES, BITS)
def test_ids_of_a_later_millisecond_sort_later(a: int, a_bits: int, b: int, b_bits: int):
    if a != b:
        assert (mint(a, a_bits) < mint(b, b_bits)) == (a < b)


@given(TIMES, BITS, TIMES, BITS)
def test_the_number_sorts_as_the_text_does_and_fits_a_database_number(a: int, a_bits: int, b: int, b_bits: int):
    one, other = mint(a, a_bits), mint(b, b_bits)
    assert (order(one) < order(other)) == (one < other)
    assert len(str(order(one))) <= 38


@given(st.lists(st.tuples(TIMES, BITS), min_size=2, max_size=6))
def test_every_new_id_is_above_the_last_even_when_the_clock_runs_back(moments: list[tuple[int, int]]):
    last = None
    for now_ms, bits in moments:
        fresh = mint(now_ms, bits, last)
        assert is_valid(fresh)
        assert last is None or fresh > last
        last = fresh


def test_an_id_from_too_far_away_is_not_timely():
    now = 1_700_000_000_000
    assert is_timely(mint(now + AHEAD_MS, 1), now)
    assert not is_timely(mint(now + AHEAD_MS + 1, 1), now)
    assert is_timely(mint(now - BEHIND_MS, 1), now)
    assert not is_timely(mint(now - BEHIND_MS - 1, 1), now)


def test_what_is_no_uuid_of_version_7_is_refused():
    good = mint(0xABCDEF, 1)
    for bad in (
        "",
        "x",
        good.upper(),
        good.replace("-", ""),
        f"{{{good}}}",
        f"{good}\n",
        str(uuid.uuid4()),
        "٣" + good[1:],
    ):
        assert not is_valid(bad), bad
