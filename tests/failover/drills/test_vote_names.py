"""Names of votes: valid UUIDv7, in the order of time, and above what they change."""

import random
import uuid

from hypothesis import given
from hypothesis import strategies as st

from failover.drills.vote_names import name_vote

MOMENTS = st.integers(0, 2**47)


@given(MOMENTS, st.integers())
def test_a_name_is_a_uuid_of_version_7_in_its_canonical_form(now_ms: int, seed: int) -> None:
    name = name_vote(now_ms, random.Random(seed).getrandbits)
    parsed = uuid.UUID(name)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert str(parsed) == name
    assert parsed.int >> 80 == now_ms


@given(MOMENTS, MOMENTS, st.integers())
def test_a_change_is_named_above_what_it_changes_whatever_the_clock_says(first: int, second: int, seed: int) -> None:
    chance = random.Random(seed)
    before = name_vote(first, chance.getrandbits)
    after = name_vote(second, chance.getrandbits, above=before)
    assert after > before
    assert uuid.UUID(after).version == 7


@given(MOMENTS, MOMENTS)
def test_text_sorts_by_the_time_of_voting(first: int, second: int) -> None:
    earlier, later = sorted((first, second + (first == second)))
    highest = name_vote(earlier, lambda bits: 2**bits - 1)
    assert highest < name_vote(later, lambda bits: 0)
