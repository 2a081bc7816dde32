"""The recounter's rules, without a region."""

from dataclasses import replace

import pytest

from failover.core.fakes import FakeClock
from polls.ballots.merge import Cast
from polls.ballots.models import shard_key, shard_place
from polls.tallies.fakes import FakeRegion, FakeTallies
from polls.tallies.ports import Scheme, Shard, Unreachable
from polls.tallies.recount import IDLE_ROUNDS, LARGE, LIVELY_S, REST, SMALL_REST_S, Recounter
from polls.tallies.store import shard_of
from polls.tallies.tally import Tally, count, total

SCHEME = Scheme("CODE", 1, 2, {"q1": ["o1", "o2"]}, may_change=True, expires_at=2_000_000_000, is_open=True)
FIRST, SECOND = Shard("CODE", 1, 0), Shard("CODE", 1, 1)


def cast(voter: str, option: str, vote_id: str = "1") -> Cast:
    return Cast(voter, vote_id, option, {"q1": option})


@pytest.fixture
def region() -> FakeRegion:
    region = FakeRegion(SCHEME)
    region.ballots[FIRST] = [cast("ann", "o1"), cast("bob", "o2")]
    return region


def recounter(region: FakeRegion, *, large_rest: float = 0.0, **steps: float) -> tuple[Recounter, FakeClock]:
    """A recounter whose reading of ballots takes `casts` seconds."""
    clock = FakeClock()
    store = FakeTallies(region, lambda method: clock.wait(steps.get(method, 0.0)))
    return Recounter(store, clock=clock, large_rest=large_rest), clock


def test_a_signalled_shard_is_counted_and_no_other(region: FakeRegion):
    region.ballots[SECOND] = [cast("cyd", "o1")]
    assert recounter(region)[0].count([FIRST, FIRST]) == frozenset()
    assert region.rows[FIRST].tally == Tally(2, {"q1": 2}, {"q1": {"o1": 1, "o2": 1}})
    assert SECOND not in region.rows
    assert region.rows[FIRST].expires_at == SCHEME.expires_at


def test_a_ballot_that_comes_before_its_survey_or_its_round_is_signalled_again(region: FakeRegion):
    early = Shard("CODE", 2, 0)
    assert recounter(region)[0].count([Shard("NOSUCH", 1, 0), early, FIRST]) == {Shard("NOSUCH", 1, 0), early}
    assert set(region.rows) == {FIRST}


def test_a_busy_shard_is_counted_again_no_sooner_than_five_times_what_its_count_took(region: FakeRegion):
    counting, clock = recounter(region, casts=0.02)
    counting.count([FIRST])
    ended = clock.monotonic()
    counting.count([FIRST])
    assert clock.monotonic() == pytest.approx(ended + REST * 0.02 + 0.02)


def test_a_small_shard_that_took_long_once_keeps_nobody_waiting_for_long(region: FakeRegion):
    counting, clock = recounter(region, casts=3.0)
    counting.count([FIRST])
    ended = clock.monotonic()
    counting.count([FIRST])
    assert clock.monotonic() == pytest.approx(ended + SMALL_REST_S + 3.0)


def test_a_shard_that_has_rested_is_not_kept_waiting(region: FakeRegion):
    counting, clock = recounter(region, casts=0.02)
    counting.count([FIRST])
    ended = clock.monotonic()
    counting.count([SECOND])
    assert clock.monotonic() == pytest.approx(ended + 0.02)


def test_large_shards_leave_the_engine_to_the_votes_five_sixths_of_the_time(region: FakeRegion):
    for shard in (FIRST, SECOND):
        region.ballots[shard] = [cast(f"voter-{number}", "o1") for number in range(LARGE + 1)]
    for rest, share in ((5.0, 1 / 6), (0.0, 1.0)):
        counting, clock = recounter(region, large_rest=rest, casts=0.1)
        began = clock.monotonic()
        for _round in range(20):
            counting.count([FIRST])
            counting.count([SECOND])
        assert 40 * 0.1 / (clock.monotonic() - began) == pytest.approx(share, abs=0.02)


def test_shards_that_are_known_to_be_large_are_put_aside_and_the_others_counted(region: FakeRegion):
    region.ballots[SECOND] = [cast(f"voter-{number}", "o1") for number in range(LARGE + 1)]
    counting, _clock = recounter(region)
    deferred: list[Shard] = []
    counting.count([FIRST, SECOND], defer=deferred.append)
    assert (deferred, set(region.rows)) == ([], {FIRST, SECOND}), "what was never counted may be small"
    for shard in (FIRST, SECOND):
        region.ballots[shard].append(cast("cyd", "o1"))

    assert counting.count([SECOND, FIRST], defer=deferred.append) == frozenset()

    assert deferred == [SECOND]
    assert (region.rows[FIRST].tally.voters, region.rows[SECOND].tally.voters) == (3, LARGE + 1)
    counting.count(deferred)
    assert region.rows[SECOND].tally.voters == LARGE + 2


def test_a_small_shard_does_not_wait_for_what_large_ones_cost(region: FakeRegion):
    region.ballots[SECOND] = [cast(f"voter-{number}", "o1") for number in range(LARGE + 1)]
    counting, clock = recounter(region, large_rest=5.0, casts=0.1)
    counting.count([FIRST])
    clock.wait(1.0)  # it has rested
    counting.count([SECOND])
    ended = clock.monotonic()

    counting.count([FIRST])

    assert clock.monotonic() == pytest.approx(ended + 0.1)


def test_what_another_projector_wrote_meanwhile_is_not_overwritten_by_an_older_count(region: FakeRegion):
    other, _clock = recounter(region)

    def meanwhile(method: str) -> None:
        if method == "write" and len(region.ballots[FIRST]) == 2:
            region.ballots[FIRST].append(cast("cyd", "o1"))
            other.count([FIRST])

    Recounter(FakeTallies(region, meanwhile), clock=FakeClock()).count([FIRST])
    assert region.rows[FIRST].tally.voters == 3


def test_a_shard_that_others_write_all_the_time_is_signalled_again(region: FakeRegion):
    other, _clock = recounter(region)

    def meanwhile(method: str) -> None:
        if method == "write":
            other.count([FIRST])

    assert Recounter(FakeTallies(region, meanwhile), clock=FakeClock()).count([FIRST]) == {FIRST}


def test_a_past_round_is_counted_by_the_rule_and_the_options_it_had(region: FakeRegion):
    counting, _clock = recounter(region)
    counting.count([FIRST])
    region.schemes["CODE"] = replace(
        SCHEME, round=2, may_change=False, options={"q9": ["o1"]}, expires_at=3, earlier={1: SCHEME.expires_at}
    )
    region.ballots[FIRST].append(cast("ann", "o2", vote_id="2"))
    counting.count([FIRST])
    assert region.rows[FIRST].tally == Tally(2, {"q1": 2}, {"q1": {"o1": 0, "o2": 2}})
    assert (region.rows[FIRST].may_change, region.rows[FIRST].expires_at) == (True, SCHEME.expires_at)


def test_ballots_that_expired_are_not_counted_while_the_database_removes_them(region: FakeRegion):
    counting, clock = recounter(region)
    region.schemes["CODE"] = replace(SCHEME, round=2, earlier={1: int(clock.wall())})
    assert counting.count([FIRST]) == frozenset()
    assert FIRST not in region.rows


def test_a_sweep_corrects_what_no_signal_told_of_and_says_when_it_looked(region: FakeRegion):
    counting, clock = recounter(region)
    assert counting.sweep().corrected == 1
    assert region.marks["CODE", 1].corrected == 1
    clock.wait(30)
    assert counting.sweep().corrected == 0
    assert region.marks["CODE", 1].at == pytest.approx(clock.wall())


def test_a_sweep_takes_lively_rounds_always_and_idle_ones_in_turn():
    idle = [replace(SCHEME, code=f"IDLE{number}") for number in range(2 * IDLE_ROUNDS)]
    region = FakeRegion(SCHEME, replace(SCHEME, code="SHUT", is_open=False), *idle)
    region.ballots[FIRST] = [cast("ann", "o1")]
    counting, clock = recounter(region)
    counting.count([FIRST])
    assert counting.sweep().rounds == 1 + IDLE_ROUNDS
    assert counting.sweep(everything=True).rounds == 1 + len(idle)
    region.marks.clear()
    counting.sweep()
    clock.wait(LIVELY_S - 1)
    counting.sweep()
    assert {code for code, _round in region.marks} == {"CODE", *(scheme.code for scheme in idle)}


def test_an_unreachable_region_fails_the_shard_and_loses_nothing(region: FakeRegion):
    down = [True]

    def before(method: str) -> None:
        if down[0] and method == "write":
            raise Unreachable("no answer")

    counting = Recounter(FakeTallies(region, before), clock=FakeClock())
    assert counting.count([FIRST]) == {FIRST}
    down[0] = False
    assert counting.count([FIRST]) == frozenset()
    assert region.rows[FIRST].tally.voters == 2


def test_the_audit_names_every_shard_that_differs_and_writes_nothing(region: FakeRegion):
    counting, _clock = recounter(region)
    counting.count([FIRST])
    region.ballots[SECOND] = [cast("cyd", "o1")]
    region.ballots[FIRST].append(cast("ann", "o2", vote_id="2"))
    before = dict(region.rows)
    found = counting.differences(SCHEME)
    assert [(one.shard, one.kept and one.kept.voters, one.ballots.voters) for one in found] == [
        (FIRST, 2, 2),
        (SECOND, None, 1),
    ]
    assert region.rows == before


def test_shards_add_up_and_options_that_are_gone_are_left_out():
    one = Tally(2, {"q1": 2, "old": 1}, {"q1": {"o1": 1, "o2": 1}, "old": {"o1": 1}})
    two = Tally(1, {"q1": 1}, {"q1": {"o2": 1}})
    assert total([one, two], options={"q1": ["o1", "o2"], "q2": []}) == Tally(
        3, {"q1": 3, "q2": 0}, {"q1": {"o1": 1, "o2": 2}, "q2": {}}
    )


def test_a_ballots_partition_key_names_its_shard():
    assert shard_place(shard_key("DEMO20", 3, "voter-0001", 1)) == ("DEMO20", 3, 0)
    assert shard_of("DEMO20#3#12") == Shard("DEMO20", 3, 12)
    assert [shard_of(key) for key in ("", "DEMO20", "DEMO20#3", "#1#2", "A#x#1", "A#1#2#3")] == [None] * 6


def test_a_tally_names_the_last_vote_with_a_text_of_those_that_count():
    casts = [
        Cast("ann", "3", "x", {"q1": "o1", "q2": "mine"}),
        Cast("bob", "5", "x", {"q1": "o1"}),
        Cast("cyd", "4", "x", {"q2": "taken back"}),
        Cast("cyd", "6", "x", {"q1": "o2"}),
        Cast("dan", "2", "x", {"q2": "older", "old": "no longer asked"}),
    ]
    assert count(casts, options={"q1": ["o1", "o2"], "q2": []}, may_change=True).latest == {"q2": "3"}
    assert count(casts[1:2], options={"q1": ["o1", "o2"], "q2": []}, may_change=True).latest == {}


def test_a_tally_that_does_not_name_the_last_text_is_counted_again(region: FakeRegion):
    region.schemes["CODE"] = replace(SCHEME, options={**SCHEME.options, "q2": []})
    region.ballots[FIRST] = [Cast("ann", "1", "x", {"q1": "o1", "q2": "mine"})]
    counting, _clock = recounter(region)
    counting.count([FIRST])
    kept = region.rows[FIRST]
    region.rows[FIRST] = replace(kept, tally=replace(kept.tally, latest={}))
    assert counting.sweep(everything=True).corrected == 1
    assert region.rows[FIRST].tally == kept.tally
