"""Which decision holds, which region comes first, and which pins are refused."""

from __future__ import annotations

from typing import Any

import pytest

from failover.core.decisions import Decision, latest
from failover.core.regions import Region, by_priority
from failover.core.routing.plan import plan, refuse_pin
from failover.core.signals.breaker import Circuit, CircuitState, opened
from failover.core.signals.health import Health, HealthState, on_canary
from failover.core.watching.failback import Failback, failback
from tests.simulation.support import CONFIG, EAST, REGIONS, WEST, decision, passing

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
HEALTHY, UNREACHABLE, UNKNOWN = HealthState.HEALTHY, HealthState.UNREACHABLE, HealthState.UNKNOWN


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (decision(EAST, epoch=2, id="a", at=1), decision(WEST, epoch=1, id="b", at=99)),
        (decision(EAST, epoch=1, id="a", at=2), decision(WEST, epoch=1, id="b", at=1)),
        (decision(EAST, epoch=1, id="b", at=1), decision(WEST, epoch=1, id="a", at=1)),
    ],
    ids=["the highest epoch", "then the later one", "then the higher id"],
)
def test_every_reader_picks_the_same_decision_in_whatever_order_it_reads(winner: Decision, loser: Decision) -> None:
    assert latest([winner, loser, winner]) == latest([loser, winner]) == (winner, (loser,))


def test_a_decision_that_was_simply_followed_by_another_is_not_superseded() -> None:
    old, new = decision(EAST, epoch=1, id="old", at=1), decision(WEST, epoch=2, id="new", at=2)
    assert latest([old, new]) == (new, ())
    assert latest([]) == (None, ())


@pytest.mark.parametrize(("mode", "region"), [("pinned", None), ("auto", EAST), ("manual", EAST)])
def test_a_decision_that_makes_no_sense_cannot_be_made(mode: Any, region: str | None) -> None:
    with pytest.raises(ValueError, match="auto"):
        Decision(mode, region, 1, "id", "me", "why", 0.0)


@pytest.mark.parametrize(
    ("circuits", "pinned", "order", "active", "panic"),
    [
        ({}, None, (EAST, WEST), EAST, False),
        ({EAST: OPEN}, None, (WEST,), WEST, False),
        ({EAST: HALF_OPEN}, None, (EAST, WEST), WEST, False),
        ({EAST: HALF_OPEN, WEST: OPEN}, None, (EAST,), EAST, False),
        ({EAST: OPEN, WEST: OPEN}, None, (EAST, WEST), EAST, True),
        ({EAST: OPEN, WEST: OPEN}, WEST, (WEST, EAST), WEST, True),
        ({}, WEST, (WEST, EAST), WEST, False),
        ({WEST: OPEN}, WEST, (EAST,), EAST, False),
    ],
    ids=[
        "all well: by priority",
        "an open circuit is left out",
        "half-open keeps its place but is not active",
        "half-open serves when nothing else is left",
        "all open: all are tried",
        "all open: the pin still comes first",
        "a pin comes first",
        "a pin to an open circuit is no wall",
    ],
)
def test_the_plan(
    circuits: dict[str, CircuitState], pinned: str | None, order: tuple[str, ...], active: str, panic: bool
) -> None:
    made = plan(REGIONS, {EAST: CLOSED, WEST: CLOSED, **circuits}, decision(pinned))
    assert (made.order, made.active, made.panic) == (order, active, panic)


@pytest.mark.parametrize(
    ("health", "circuit", "other", "forced", "says"),
    [
        (HEALTHY, CLOSED, CLOSED, False, None),
        (UNREACHABLE, CLOSED, CLOSED, False, "unreachable"),
        (HEALTHY, OPEN, CLOSED, False, "circuit is open"),
        (UNKNOWN, CLOSED, OPEN, False, "leave no region"),
        (UNKNOWN, CLOSED, CLOSED, False, None),
        (UNREACHABLE, OPEN, OPEN, True, None),
    ],
)
def test_a_pin_is_refused_for_a_region_that_cannot_serve_unless_it_is_forced(
    health: HealthState, circuit: CircuitState, other: CircuitState, forced: bool, says: str | None
) -> None:
    said = refuse_pin(WEST, health={WEST: health}, circuits={EAST: other, WEST: circuit}, forced=forced)
    assert said is None if says is None else says in (said or "")


def test_a_pin_to_a_region_that_does_not_exist_is_refused_also_when_forced() -> None:
    said = refuse_pin("mars-1", health={}, circuits={EAST: CLOSED}, forced=True)
    assert "not one of the configured regions" in (said or "")


def test_regions_are_ordered_by_priority_and_named_once() -> None:
    assert [one.name for one in by_priority([Region("b", 2), Region("a", 1)])] == ["a", "b"]
    with pytest.raises(ValueError, match="named twice: a, a"):
        by_priority([Region("a", 1), Region("a", 2)])
    with pytest.raises(ValueError, match=r"^at least one"):
        by_priority([])


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("held", "the end of its hold"),
        ("canaries", "more canaries"),
        ("lag", "replication"),
        ("pace", "quick answers"),
    ],
)
def test_failback_needs_every_condition_and_says_which_is_missing(missing: str, words: str) -> None:
    every = {"held": True, "canaries": True, "lag": True, "pace": True}
    assert Failback(**every).met
    assert Failback(**every).waits_for == "its turn"
    one_missing = Failback(**{**every, missing: False})
    assert not one_missing.met
    assert one_missing.waits_for == words


def test_what_failback_waits_for_is_told_in_one_sentence() -> None:
    assert Failback(held=False, canaries=True, lag=False).waits_for == "the end of its hold and replication"


@pytest.mark.parametrize(
    ("waited_s", "passes", "silence_s", "held", "canaries"),
    [
        (CONFIG.hold_s, 3, 0.0, True, True),
        (CONFIG.hold_s - 0.1, 3, 0.0, False, True),
        (CONFIG.hold_s, 2, 0.0, True, False),
        (CONFIG.hold_s + CONFIG.quiet_s + 0.1, 3, CONFIG.quiet_s + 0.1, True, False),
    ],
    ids=["all holds", "too early", "too few canaries", "the last canary is too old"],
)
def test_the_conditions_of_failback(waited_s: float, passes: int, silence_s: float, held: bool, canaries: bool) -> None:
    circuit, health, now = opened(Circuit(), config=CONFIG, now=0.0, reason="why"), Health(), waited_s
    for _ in range(passes):
        health = on_canary(health, passing(), config=CONFIG, now=now - silence_s)
    found = failback(circuit, health, lag=True, config=CONFIG, now=now)
    assert (found.held, found.canaries, found.met) == (held, canaries, held and canaries)


@pytest.mark.parametrize(
    ("state", "others", "refused"),
    [
        (HealthState.HEALTHY, (OPEN, OPEN), False),
        (HealthState.UNKNOWN, (OPEN, CLOSED), False),
        (HealthState.UNKNOWN, (OPEN, OPEN), True),
    ],
    ids=["it is healthy", "one other is usable", "no other is"],
)
def test_a_pin_is_refused_that_might_leave_no_region(
    state: HealthState, others: tuple[CircuitState, CircuitState], refused: bool
) -> None:
    circuits = dict(zip((EAST, WEST, "eu-west-1"), (CLOSED, *others), strict=True))
    assert (refuse_pin(EAST, health={EAST: state}, circuits=circuits) is not None) is refused
