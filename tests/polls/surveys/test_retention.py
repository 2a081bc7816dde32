"""When a round takes votes and when it expires: rules without a region."""

import pytest

from failover import gateway
from failover.core.fakes import FakeClock
from polls.surveys import expiry, reader
from polls.surveys.merge import Row, change, merge, put_on
from polls.surveys.retention import DAY_S, KEPT_S, LEAST_S, VOTES_S, begun
from polls.surveys.survey import Shut, State, Survey, first_values, from_row

BEGAN = 1_800_000_000
DEFINITION = reader.parse({"title": "T", "questions": [{"text": "Why?", "kind": "text"}]})
FIRST = change(Row(), first_values(DEFINITION, now_s=BEGAN), now_ms=BEGAN * 1000, new_round=True)
EAST = put_on(None, FIRST, region="us-east-1")


def of(*rows: Row) -> Survey:
    return from_row("CODE", merge(rows))


def reset(known: Row, at: float) -> Row:
    return change(known, begun(known.round + 1, at), now_ms=int(at * 1000), new_round=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock(wall=BEGAN)
    monkeypatch.setattr(gateway, "clock", fake)
    return fake


def test_votes_are_taken_for_185_days_and_each_lives_for_180_at_least():
    survey = of(EAST)
    assert survey.expires_at == BEGAN + 365 * DAY_S
    assert survey.shut_at(BEGAN + 185 * DAY_S - 1) is None
    assert survey.shut_at(BEGAN + 185 * DAY_S) is Shut.EXPIRED
    assert (VOTES_S, LEAST_S) == (185 * DAY_S, 180 * DAY_S)


def test_a_round_that_is_too_old_is_expired_also_where_it_was_closed():
    closed = of(EAST, change(EAST, {"state": "closed"}, now_ms=1))
    assert closed.shut_at(BEGAN) is Shut.CLOSED
    assert closed.shut_at(BEGAN + 185 * DAY_S) is Shut.EXPIRED


def test_the_instructor_is_warned_for_30_days_and_told_what_is_kept_after_that(clock: FakeClock):
    survey = of(EAST)
    told = {}
    for day in (0, 154, 155, 184, 185, 364, 365):
        clock.wait(BEGAN + day * DAY_S - clock.wall())
        told[day] = expiry.notice(survey)
    assert (told[0], told[154]) == ("", "")
    assert told[155] == told[184] != ""
    assert "kept until" in told[185] == told[364]
    assert "they are gone" in told[365]
    assert survey.is_gone


def test_a_round_that_two_regions_began_expires_where_it_began_first():
    east, west = (put_on(None, reset(EAST, BEGAN + days * DAY_S), region="r") for days in (10, 20))
    for rows in ([east, west, EAST], [west, EAST, east]):
        assert (of(*rows).round, of(*rows).expires_at) == (2, BEGAN + 10 * DAY_S + KEPT_S)


def test_a_later_reset_of_an_earlier_round_does_not_decide_the_age_of_the_current_one():
    third = reset(reset(EAST, BEGAN + 1), BEGAN + 2)
    second = reset(EAST, BEGAN + 30 * DAY_S)
    survey = of(EAST, third, second, reset(EAST, BEGAN + 1))
    assert (survey.round, survey.expires_at) == (3, BEGAN + 2 + KEPT_S)
    assert survey.in_round(2).expires_at == BEGAN + 1 + KEPT_S


def test_a_region_that_names_a_round_also_says_how_old_it_is():
    known = merge([EAST, reset(EAST, BEGAN + 5)])
    west = put_on(put_on(None, FIRST, region="us-west-2"), change(known, {"state": "closed"}, now_ms=9), region="r")
    assert (of(west).round, of(west).expires_at) == (2, BEGAN + 5 + KEPT_S)


def test_the_age_of_a_round_that_expired_long_ago_is_forgotten_and_no_other():
    row = EAST
    for days in (300, 600, 900):
        row = put_on(row, reset(row, BEGAN + days * DAY_S), region="us-east-1")
    assert sorted(of(row).expiries) == [3, 4]
    assert of(row).in_round(1).expires_at == 0


@pytest.mark.parametrize("damage", [None, "soon", -1, 10**30, True, 3.5, {"1": 2}])
def test_a_survey_whose_age_cannot_be_read_takes_no_votes_until_a_new_round(damage: object, clock: FakeClock):
    damaged = put_on(
        None, change(Row(1), {**first_values(DEFINITION, now_s=0), "expires:1": damage}, now_ms=1), region="r"
    )
    assert of(damaged).state is State.CLOSED
    assert of(damaged).is_expired
    assert "Nothing says when round 1" in expiry.notice(of(damaged))
    assert of(damaged, reset(damaged, BEGAN)).is_open


def test_a_time_beyond_the_last_votes_does_not_make_a_survey_wait(clock: FakeClock):
    clock.wait(186 * DAY_S)
    waiting = change(EAST, {"opens_at": "2099-01-01T00:00:00Z"}, now_ms=1)
    assert not of(EAST, waiting).waits
