"""The figures that are printed after a class voted."""

import pytest

from failover.drills.figures import first_receipts, percentile, regions_served, waits_ms, worst_ms
from tests.failover.drills.worlds import EAST, WEST, World


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected


def test_nothing_measured_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


def test_latency_counts_every_acknowledged_vote() -> None:
    world = World()
    for voter in ("ann", "bob", "cyd"):
        world.vote(voter)
    ledger = world.ledger()
    assert waits_ms(ledger) == [11.0, 12.0, 13.0]
    assert worst_ms(ledger) == 13.0
    assert worst_ms(World().ledger()) is None


def test_only_the_first_acknowledgement_of_a_vote_counts() -> None:
    world = World()
    world.vote("ann")
    world.vote("bob", region=WEST)
    world.receipts.append(world.receipts[0])
    assert len(first_receipts(world.ledger())) == 2
    assert regions_served(world.ledger()) == {EAST: 1, WEST: 1}
