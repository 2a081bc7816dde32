"""What the log says about a routing decision, on every host in the same words and under the same id."""

from __future__ import annotations

import pytest

from failover.core.decisions import Decision
from failover.core.events import Event, EventKind
from failover.core.status.routing_log import routed, superseded
from tests.simulation.support import EAST, WEST, decision

PIN, AUTO = decision(WEST, id="d2", at=2.0), decision(None, id="d3", at=3.0)


@pytest.mark.parametrize(
    ("made", "before", "kind", "from_", "to", "region"),
    [
        (PIN, None, EventKind.ROUTING_PINNED, "auto", WEST, WEST),
        (PIN, AUTO, EventKind.ROUTING_PINNED, "auto", WEST, WEST),
        (PIN, decision(EAST), EventKind.ROUTING_PINNED, EAST, WEST, WEST),
        (AUTO, PIN, EventKind.ROUTING_AUTO, WEST, "auto", ""),
        (AUTO, None, EventKind.ROUTING_AUTO, "auto", "auto", ""),
    ],
    ids=["the first pin", "after auto", "another pin", "a pin is taken back", "auto is confirmed"],
)
def test_a_decision_is_told_with_what_held_before(
    made: Decision, before: Decision | None, kind: EventKind, from_: str, to: str, region: str
) -> None:
    assert routed(made, before) == Event(
        f"routing-{made.id}", made.at, kind, from_, to, "instructor", "for the class", region
    )


def test_a_force_is_recorded_beside_the_reason() -> None:
    assert routed(decision(WEST, forced=True), None).reason == "for the class (forced)"


@pytest.mark.parametrize(
    ("loser", "winner", "from_", "to"),
    [
        (decision(EAST, id="a", at=1.5), PIN, EAST, WEST),
        (decision(None, id="a", at=1.5), PIN, "auto", WEST),
        (decision(EAST, id="a", at=1.5), AUTO, EAST, "auto"),
    ],
    ids=["two pins", "auto lost to a pin", "a pin lost to auto"],
)
def test_a_decision_that_lost_is_told_with_who_made_it_and_what_it_lost_to(
    loser: Decision, winner: Decision, from_: str, to: str
) -> None:
    winner = Decision(winner.mode, winner.region, 1, winner.id, "operator", "maintenance", winner.at)
    assert superseded(loser, winner) == Event(
        "superseded-a",
        1.5,
        EventKind.ROUTING_SUPERSEDED,
        from_,
        to,
        "instructor",
        f"made at the same time as another; instructor's decision lost to that of operator ({to}): for the class",
    )
