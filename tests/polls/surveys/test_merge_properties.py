"""Whatever the order and however often rows arrive, every reader comes to the same survey and the same votes."""

from hypothesis import given
from hypothesis import strategies as st

from polls.ballots.merge import Cast, merge_ballots
from polls.surveys.merge import Field, Row, change, merge

NAMES = st.sampled_from(["title", "state", "expires_at"])
FIELDS = st.builds(Field, st.sampled_from(["open", "closed", 1, {"a": [1]}, None]), st.integers(0, 3))
ROWS = st.builds(Row, st.integers(0, 4), st.dictionaries(NAMES, FIELDS))
CASTS = st.builds(
    Cast,
    st.sampled_from(["ann", "bob", "cyd"]),
    st.sampled_from(["id-1", "id-2", "id-3"]),
    st.sampled_from(["d1", "d2"]),
    st.just({}),
)


@given(st.lists(ROWS, max_size=5), st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[Row], random):
    shuffled = random.sample(rows, len(rows))
    assert merge(shuffled) == merge(rows)


@given(ROWS, ROWS, ROWS)
def test_it_does_not_matter_which_rows_are_merged_first(a: Row, b: Row, c: Row):
    assert merge([merge([a, b]), c]) == merge([a, merge([b, c])])


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_a_row_that_is_seen_again_changes_nothing(rows: list[Row]):
    merged = merge(rows)
    assert merge([merged, merged]) == merged
    assert merge([merged, rows[0]]) == merged


@given(st.lists(ROWS, min_size=1, max_size=5), st.integers(0, 5), st.booleans())
def test_a_change_always_wins_over_what_it_changes_whatever_the_clock_says(
    rows: list[Row], now_ms: int, new_round: bool
):
    before = merge(rows)
    after = merge([before, change(before, {"state": "closed"}, now_ms=now_ms, new_round=new_round)])
    assert after.value("state") == "closed"
    assert after.round == before.round + new_round
    assert {name: field for name, field in after.fields.items() if name != "state"} == {
        name: field for name, field in before.fields.items() if name != "state"
    }


@given(st.lists(CASTS, max_size=12), st.randoms(), st.booleans())
def test_every_reader_agrees_on_every_voters_ballot(casts: list[Cast], random, may_change: bool):
    seen = random.sample(casts * 2, len(casts) * 2)
    assert merge_ballots(seen, may_change=may_change) == merge_ballots(casts, may_change=may_change)


@given(st.lists(CASTS, min_size=1, max_size=12))
def test_the_last_vote_counts_where_votes_may_be_changed_and_the_first_where_not(casts: list[Cast]):
    last, first = merge_ballots(casts, may_change=True), merge_ballots(casts, may_change=False)
    for voter in {cast.voter for cast in casts}:
        ids = [cast.vote_id for cast in casts if cast.voter == voter]
        assert last[voter].vote_id == max(ids)
        assert first[voter].vote_id == min(ids)
