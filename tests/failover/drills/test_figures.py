"""The figures of the report, by its definitions."""

import pytest

from failover.drills.entries import Try
from failover.drills.figures import first_receipts, latency_ms, percentile, regions_served, rto_ms, waits_ms, worst_ms
from tests.failover.drills.worlds import EAST, START, WEST, World


def tried(*outcomes: tuple[float, int]) -> list[Try]:
    """Tries that ended so many seconds after the start, with this HTTP status (0: no reply)."""
    return [Try("v", 1, http, "", 1.0, START + at) for at, http in outcomes]


def test_rto_is_zero_when_nothing_failed() -> None:
    assert rto_ms(tried((1, 201), (2, 200)), fault_at=START) == 0.0


def test_rto_runs_from_the_fault_to_the_first_success_after_the_last_failure() -> None:
    tries = tried((0.5, 201), (2, 503), (3, 201), (4, 0), (6, 201), (7, 201))
    assert rto_ms(tries, fault_at=START + 1) == pytest.approx(5000)


def test_rto_does_not_hang_on_the_order_in_which_replies_were_written_down() -> None:
    tries = tried((6, 201), (2, 503), (4, 0), (3, 201))
    assert rto_ms(tries, fault_at=START + 1) == pytest.approx(5000)


def test_there_is_no_rto_without_a_recovery() -> None:
    assert rto_ms(tried((1, 201), (2, 503)), fault_at=START) is None


def test_what_failed_before_the_fault_is_not_its_doing() -> None:
    assert rto_ms(tried((1, 503), (3, 201)), fault_at=START + 2) == 0.0


def test_a_refusal_is_an_answer_and_no_failure() -> None:
    assert rto_ms(tried((1, 409), (2, 422)), fault_at=START) == 0.0


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
    assert latency_ms(ledger) == {"p50": 12.0, "p99": 13.0}
    assert worst_ms(ledger) == 13.0
    assert worst_ms(World().ledger()) is None


def test_only_the_first_acknowledgement_of_a_vote_counts() -> None:
    world = World()
    world.vote("ann")
    world.vote("bob", region=WEST)
    world.receipts.append(world.receipts[0])
    assert len(first_receipts(world.ledger())) == 2
    assert regions_served(world.ledger()) == {EAST: 1, WEST: 1}
