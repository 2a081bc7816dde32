"""Whatever a class does: a store that kept its promises passes, and any one broken promise is
found.
"""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from failover.drills.checker import check
from failover.drills.verdict import Ballot, Store, Wrong
from tests.failover.drills.worlds import EAST, WEST, World, edited, everywhere, without

VOTERS = ("ann", "bob", "cyd", "dan")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to a dozen votes; each may go unacknowledged, and only such a one may be missing from the
    store.
    """
    world = World()
    for _number in range(draw(st.integers(1, 12))):
        acknowledged = draw(st.booleans())
        stored = acknowledged or draw(st.booleans())
        voter, region = draw(st.sampled_from(VOTERS)), draw(st.sampled_from((EAST, WEST)))
        world.vote(voter, acknowledged=acknowledged, stored=stored, region=region)
    return world


def voters_last_acknowledged(world: World) -> dict[str, str]:
    """Each voter's last acknowledged vote."""
    voter_of = {sent.vote_id: sent.voter for sent in world.sent}
    return {voter_of[receipt.vote_id]: receipt.vote_id for receipt in world.receipts}


@given(worlds())
def test_a_store_that_kept_every_promise_passes(world: World) -> None:
    verdict = check(world.ledger(), world.store(), alone=True)
    assert verdict.ok, verdict.summary()
    assert verdict.found == verdict.acknowledged == len(world.receipts)
    assert verdict.attempted == verdict.acknowledged + verdict.failed


@given(worlds(), st.data())
def test_dropping_the_ballot_of_any_voter_who_was_acknowledged_is_found(world: World, data: st.DataObject) -> None:
    last = voters_last_acknowledged(world)
    assume(last)
    voter = data.draw(st.sampled_from(sorted(last)))
    promised = [receipt for receipt in world.receipts if last[voter] == receipt.vote_id]
    world.held = {key: row for key, row in world.held.items() if row.voter != voter}
    verdict = check(world.ledger(), world.store(), alone=True)
    assert promised[0].vote_id in {problem.vote_id for problem in verdict.problems if problem.wrong is Wrong.ABSENT}
    assert verdict.lost >= 1


@given(worlds(), st.data())
def test_any_older_ballot_in_the_place_of_an_acknowledged_one_is_found(world: World, data: st.DataObject) -> None:
    last = voters_last_acknowledged(world)
    older = [sent for sent in world.sent if sent.vote_id < last.get(sent.voter, "")]
    assume(older)
    back = data.draw(st.sampled_from(older))
    world.held = {key: row for key, row in world.held.items() if row.voter != back.voter}
    world.held[back.voter, EAST] = Ballot(back.voter, back.vote_id, back.answers, EAST)
    verdict = check(world.ledger(), world.store(), alone=True)
    assert last[back.voter] in {problem.vote_id for problem in verdict.problems if problem.wrong is Wrong.REVERTED}


@given(worlds(), st.data(), st.dictionaries(st.sampled_from(("q1", "q2")), st.sampled_from(("x", "y"))))
def test_any_tampered_ballot_is_found(world: World, data: st.DataObject, answers: dict[str, str]) -> None:
    store = world.store()
    assume(store.merged)
    victim = data.draw(st.sampled_from(store.merged))
    verdict = check(world.ledger(), everywhere(store, edited, victim.vote_id, answers=answers), alone=True)
    assert Wrong.HALF_WRITTEN in {problem.wrong for problem in verdict.problems}


@given(worlds(), st.data())
def test_any_row_missing_from_or_added_to_one_replica_is_found(world: World, data: st.DataObject) -> None:
    store = world.store()
    assume(world.held)
    row = data.draw(st.sampled_from(store.raw[EAST]))
    region = data.draw(st.sampled_from((EAST, WEST)))
    if data.draw(st.booleans()):
        rows = tuple(ballot for ballot in store.raw[region] if ballot != row)
    else:
        rows = (*store.raw[region], replace(row, voter="student-new"))
    verdict = check(world.ledger(), Store(1, store.merged, {**store.raw, region: rows}), alone=True)
    assert Wrong.UNEQUAL in {problem.wrong for problem in verdict.problems}


@given(worlds(), st.data())
def test_any_ballot_counted_twice_is_found(world: World, data: st.DataObject) -> None:
    store = world.store()
    assume(store.merged)
    twice = data.draw(st.sampled_from(store.merged))
    verdict = check(world.ledger(), replace(store, merged=(*store.merged, twice)), alone=True)
    assert verdict.count(Wrong.DUPLICATED) == 1


@given(worlds(), st.data())
def test_any_ballot_that_the_merge_forgets_is_found(world: World, data: st.DataObject) -> None:
    store = world.store()
    assume(store.merged)
    victim = data.draw(st.sampled_from(store.merged))
    verdict = check(world.ledger(), replace(store, merged=without(store.merged, victim.vote_id)), alone=True)
    assert Wrong.MERGED_WRONG in {problem.wrong for problem in verdict.problems}
