"""A class is planned before it begins: who votes when, and why."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.drills.plan import MOST_STUDENTS, CannotVote, Curve, Intent, Load, plan

SHARES = st.floats(0, 0.2)


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """Any load that a person may ask for, small enough for a test."""
    rate, seconds = draw(st.floats(1, 100)), draw(st.floats(0.1, 5))
    votes = max(1, round(rate * seconds))
    return Load(
        rate=rate,
        seconds=seconds,
        students=draw(st.none() | st.integers(1, votes)),
        changes=draw(SHARES),
        repeats=draw(SHARES),
        doubles=draw(SHARES),
        tabs=draw(SHARES),
        curve=draw(st.sampled_from(Curve)),
        think_s=draw(st.floats(0, 2)),
    )


@given(loads(), st.integers(), st.booleans())
def test_a_plan_is_possible_for_real_students(load: Load, seed: int, may_change: bool) -> None:
    turns = plan(load, random.Random(seed), may_change=may_change)
    assert len(turns) == load.votes
    assert turns == sorted(turns, key=lambda turn: turn.due_s)
    voted: set[int] = set()
    for turn in turns:
        assert (turn.intent is Intent.FIRST) is (turn.student not in voted)
        voted.add(turn.student)
    assert voted == set(range(len(voted)))
    assert load.students in (None, len(voted))
    if not may_change:
        assert not {Intent.CHANGE, Intent.TAB} & {turn.intent for turn in turns}


@given(loads(), st.integers())
def test_one_seed_makes_one_plan(load: Load, seed: int) -> None:
    assert plan(load, random.Random(seed)) == plan(load, random.Random(seed))


def test_the_rate_holds_in_every_second() -> None:
    turns = plan(Load(rate=40, seconds=30), random.Random(1))
    each = Counter(int(turn.due_s) for turn in turns)
    assert min(each[second] for second in range(30)) >= 38


def test_half_of_a_class_votes_in_the_first_quarter_of_the_time() -> None:
    turns = plan(Load(rate=50, seconds=40, curve=Curve.CLASS), random.Random(1))
    early = sum(turn.due_s < 10 for turn in turns)
    assert 0.5 * len(turns) < early < 0.6 * len(turns)
    assert max(turn.due_s for turn in turns) > 35


def test_a_double_tap_follows_at_once_and_a_change_after_some_thought() -> None:
    turns = plan(Load(rate=50, seconds=20, changes=0.2, doubles=0.2, tabs=0.2, think_s=2.0), random.Random(1))
    last: dict[int, float] = {}
    for turn in turns:
        match turn.intent:
            case Intent.DOUBLE | Intent.TAB:
                assert 0 < turn.due_s - last[turn.student] < 0.1
            case Intent.CHANGE | Intent.REPEAT:
                assert turn.due_s - last[turn.student] >= 2.0
        last[turn.student] = turn.due_s
    assert {turn.intent for turn in turns} == set(Intent)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0}, "votes a second"),
        ({"rate": 201}, "votes a second"),
        ({"rate": float("nan")}, "votes a second"),
        ({"seconds": 3601}, "3600 s"),
        ({"students": 0}, "1 to 2000 students"),
        ({"students": MOST_STUDENTS + 1, "rate": 200}, "1 to 2000 students"),
        ({"students": 401}, "401 students cannot all vote: 400 votes"),
        ({"changes": 0.9, "repeats": 0.2}, "together at most 1"),
        ({"doubles": -0.1}, "together at most 1"),
        ({"think_s": -1}, "0 s or more"),
        ({"tries": 0}, "at least once"),
    ],
)
def test_what_no_class_can_do_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(CannotVote, match=message):
        Load(**wrong)  # type: ignore[arg-type]  # the wrong values are what is tested
