"""The checker: silent when all is well, and never silent when one thing is not."""

from dataclasses import replace

from failover.drills.checker import check
from failover.drills.verdict import Ballot, Store, Verdict, Wrong
from tests.failover.drills.worlds import EAST, START, WEST, World, edited, everywhere, without


def kinds(verdict: Verdict) -> set[Wrong]:
    """What was found wrong."""
    return {problem.wrong for problem in verdict.problems}


def lesson() -> tuple[World, str, str, str]:
    """Ann votes; Bob votes, and changes his vote in the other region."""
    world = World()
    ann, bob = world.vote("ann"), world.vote("bob")
    return world, ann, bob, world.vote("bob", region=WEST)


def test_nothing_is_wrong_when_every_acknowledged_vote_or_a_later_one_is_there() -> None:
    world, *_votes = lesson()
    verdict = check(world.ledger(), world.store(), alone=True)
    assert verdict.ok, verdict.summary()
    assert (verdict.attempted, verdict.acknowledged, verdict.failed, verdict.found, verdict.lost) == (3, 3, 0, 3, 0)
    assert verdict.regions == {EAST: 2, WEST: 1}
    assert verdict.worst_ms == 13.0
    assert "\n" not in verdict.summary()


def test_an_acknowledged_vote_that_is_nowhere_is_lost() -> None:
    world, ann, *_bob = lesson()
    verdict = check(world.ledger(), everywhere(world.store(), without, ann))
    assert kinds(verdict) == {Wrong.ABSENT}
    assert (verdict.lost, verdict.found) == (1, 2)
    assert ann in verdict.summary()


def test_a_changed_vote_whose_older_choice_stands_was_reverted_and_is_lost() -> None:
    world, _ann, bob, changed = lesson()
    rows = without(world.store().raw[EAST], changed)
    verdict = check(
        world.ledger(), Store(1, tuple(replace(row, written_in="") for row in rows), {EAST: rows, WEST: rows})
    )
    assert kinds(verdict) == {Wrong.REVERTED}
    assert verdict.lost == 1
    assert f"reverted to {bob}" in verdict.summary()


def test_a_voter_with_two_merged_ballots_is_counted_twice() -> None:
    world, ann, *_bob = lesson()
    store = world.store()
    twice = next(ballot for ballot in store.merged if ballot.vote_id == ann)
    verdict = check(world.ledger(), replace(store, merged=(*store.merged, twice)))
    assert kinds(verdict) == {Wrong.DUPLICATED}
    assert verdict.count(Wrong.DUPLICATED) == 1


def test_a_row_that_a_replica_holds_twice_is_a_duplicate() -> None:
    world, ann, *_bob = lesson()
    store = world.store()
    twice = next(ballot for ballot in store.raw[WEST] if ballot.vote_id == ann)
    verdict = check(world.ledger(), replace(store, raw={**store.raw, WEST: (*store.raw[WEST], twice)}))
    assert kinds(verdict) == {Wrong.DUPLICATED}


def test_the_same_vote_in_both_regions_is_one_vote() -> None:
    world, _ann, *_bob = lesson()
    first = world.held["student-ann", EAST]
    world.held["student-ann", WEST] = replace(first, written_in=WEST)
    assert check(world.ledger(), world.store(), alone=True).ok


def test_a_ballot_that_a_student_of_the_run_never_sent_is_from_nowhere() -> None:
    world, *_votes = lesson()
    world.held["student-eve", EAST] = Ballot("student-eve", "01ffffff-0000-7000-8000-000000000000", {"q1": "o1"}, EAST)
    assert kinds(check(world.ledger(), world.store())) == {Wrong.FROM_NOWHERE}


def test_another_persons_ballot_is_none_of_the_ledgers_business_unless_the_students_were_alone() -> None:
    world, *_votes = lesson()
    world.held["phone-1", EAST] = Ballot("phone-1", "01ffffff-0000-7000-8000-000000000000", {"q1": "o1"}, EAST)
    assert check(world.ledger(), world.store()).ok
    assert kinds(check(world.ledger(), world.store(), alone=True)) == {Wrong.FROM_NOWHERE}


def test_a_students_vote_under_another_voters_name_is_from_nowhere() -> None:
    world, _ann, *_bob = lesson()
    stolen = replace(world.held["student-ann", EAST], voter="phone-1")
    world.held["phone-1", EAST] = stolen
    assert kinds(check(world.ledger(), world.store())) == {Wrong.FROM_NOWHERE}


def test_what_nobody_sent_does_not_stand_in_for_the_vote_that_it_replaced() -> None:
    world, ann, *_bob = lesson()
    later = ann[:-1] + "f"
    verdict = check(world.ledger(), everywhere(world.store(), edited, ann, vote_id=later))
    assert kinds(verdict) == {Wrong.ABSENT, Wrong.FROM_NOWHERE}


def test_other_answers_than_those_sent_are_half_written() -> None:
    world, ann, *_bob = lesson()
    verdict = check(world.ledger(), everywhere(world.store(), edited, ann, answers={}))
    assert kinds(verdict) == {Wrong.HALF_WRITTEN}


def test_a_half_written_row_is_found_also_where_the_merged_ballot_is_whole() -> None:
    world, ann, *_bob = lesson()
    store = world.store()
    raw = {region: edited(rows, ann, answers={"q1": "other"}) for region, rows in store.raw.items()}
    assert kinds(check(world.ledger(), replace(store, raw=raw))) == {Wrong.HALF_WRITTEN}


def test_a_row_that_one_replica_lacks_makes_them_unequal() -> None:
    world, ann, *_bob = lesson()
    store = world.store()
    verdict = check(world.ledger(), replace(store, raw={**store.raw, WEST: without(store.raw[WEST], ann)}))
    assert kinds(verdict) == {Wrong.UNEQUAL}
    assert WEST in verdict.summary()


def test_a_row_that_differs_between_replicas_makes_them_unequal() -> None:
    world, _ann, bob, changed = lesson()
    world.held["student-bob", EAST] = replace(world.held["student-bob", WEST], written_in=EAST)
    store = world.store()
    old = edited(store.raw[EAST], changed, vote_id=bob, answers=world.sent[1].answers)
    assert kinds(check(world.ledger(), replace(store, raw={EAST: store.raw[EAST], WEST: old}))) == {Wrong.UNEQUAL}


def test_a_merge_that_forgets_a_voter_is_found_in_the_rows_beside_it() -> None:
    world, _ann, *_bob = lesson()
    unacknowledged = world.vote("cyd", acknowledged=False)
    store = world.store()
    verdict = check(world.ledger(), replace(store, merged=without(store.merged, unacknowledged)))
    assert kinds(verdict) == {Wrong.MERGED_WRONG}


def test_where_votes_cannot_be_changed_the_first_one_stands() -> None:
    world = World(may_change=False)
    world.vote("ann")
    world.vote("ann", region=WEST, acknowledged=False)
    assert check(world.ledger(), world.store(), alone=True).ok


def test_a_vote_acknowledged_in_another_round_is_said_to_be_unchecked() -> None:
    world, *_votes = lesson()
    world.receipts[0] = replace(world.receipts[0], round=2)
    verdict = check(world.ledger(), world.store())
    assert kinds(verdict) == {Wrong.UNCHECKED}
    assert (verdict.found, verdict.lost) == (2, 0)
    gone = check(world.ledger(), everywhere(world.store(), without, world.receipts[0].vote_id))
    assert kinds(gone) == {Wrong.UNCHECKED}


def test_a_vote_that_the_voter_was_not_told_of_is_no_problem_but_is_counted() -> None:
    world, *_votes = lesson()
    world.vote("cyd", acknowledged=False)
    world.vote("dan", acknowledged=False, stored=False)
    verdict = check(world.ledger(), world.store(), alone=True)
    assert verdict.ok
    assert (verdict.failed, verdict.recorded_unacknowledged) == (2, 1)


def test_an_unacknowledged_change_that_got_through_does_not_count_as_reverting_what_it_changed() -> None:
    world, *_votes = lesson()
    world.vote("ann", acknowledged=False)
    assert check(world.ledger(), world.store(), alone=True).ok


def test_a_hundred_problems_are_counted_and_a_few_are_spelled_out() -> None:
    world = World()
    for number in range(100):
        world.vote(f"{number:03d}", stored=False)
    verdict = check(world.ledger(), world.store())
    assert verdict.lost == 100
    assert "and 95 more" in verdict.summary()


def test_the_start_of_time_in_these_worlds_gives_valid_names() -> None:
    _world, ann, bob, changed = lesson()
    assert ann < bob < changed
    assert int(ann.replace("-", "")[:12], 16) == int(START * 1000)
