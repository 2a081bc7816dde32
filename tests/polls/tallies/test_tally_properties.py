"""Counting is a function of the votes alone: not of their order, their copies or the regions they lie in."""

from hypothesis import given
from hypothesis import strategies as st

from polls.ballots.merge import Cast
from polls.tallies.tally import count, percent

OPTIONS = {"q1": ["o1", "o2"], "q2": ["o1", "o2", "o3"], "q3": ["1", "2", "3"], "q4": []}
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "q1": st.sampled_from(["o1", "o2"]),
        "q2": st.lists(st.sampled_from(["o1", "o2", "o3"]), min_size=1, unique=True),
        "q3": st.integers(1, 3),
        "q4": st.text(min_size=1, max_size=5),
    },
)
CASTS = st.builds(
    Cast,
    st.sampled_from(["ann", "bob", "cyd", "dan"]),
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from("ab"),
    ANSWERS,
).map(lambda cast: Cast(cast.voter, cast.vote_id, repr(sorted(cast.answers.items())), cast.answers))


@given(st.lists(CASTS, max_size=12), st.randoms(), st.booleans())
def test_order_and_copies_of_ballots_do_not_change_the_count(casts: list[Cast], random, may_change: bool):
    seen = random.sample(casts * 3, len(casts) * 3)
    assert count(seen, options=OPTIONS, may_change=may_change) == count(casts, options=OPTIONS, may_change=may_change)


@given(st.lists(CASTS, max_size=12), st.booleans())
def test_a_voter_counts_once(casts: list[Cast], may_change: bool):
    tally = count(casts, options=OPTIONS, may_change=may_change)
    assert tally.voters == len({cast.voter for cast in casts})
    for question, chosen in tally.chosen.items():
        assert tally.answered[question] <= tally.voters
        assert all(number <= tally.answered[question] for number in chosen.values())
    assert sum(tally.chosen["q1"].values()) == tally.answered["q1"]
    assert sum(tally.chosen["q3"].values()) == tally.answered["q3"]


def test_a_count_is_what_a_person_would_write_down():
    casts = [
        Cast("ann", "1", "a", {"q1": "o1", "q2": ["o1", "o3"], "q3": 2}),
        Cast("ann", "2", "b", {"q1": "o2", "q2": ["o3"], "q4": "hello"}),
        Cast("bob", "1", "a", {"q1": "o2"}),
    ]
    tally = count(casts, options=OPTIONS, may_change=True)
    assert tally.voters == 2
    assert tally.chosen == {
        "q1": {"o1": 0, "o2": 2},
        "q2": {"o1": 0, "o2": 0, "o3": 1},
        "q3": {"1": 0, "2": 0, "3": 0},
        "q4": {},
    }
    assert tally.answered == {"q1": 2, "q2": 1, "q3": 0, "q4": 1}
    assert count(casts, options=OPTIONS, may_change=False).chosen["q1"] == {"o1": 1, "o2": 1}


def test_percent_is_of_those_who_answered():
    assert percent(1, 3) == 33.3
    assert percent(0, 0) == 0.0
