"""Small drills for tests of what reads one."""

from typing import Any

from failover.drills.drill import Action, Do, Drill, Expectation
from failover.drills.plan import Load


def drill_of(measure: str, *, strategy: str = "router", **bounds: Any) -> Drill:
    """A drill with one expectation."""
    return Drill(
        name="test",
        title="A test",
        claim="Something is claimed.",
        question="Is it so?",
        steady="All is well.",
        limits="Most of it.",
        rollback="manage.py fault --clear",
        seconds=10.0,
        strategies=(strategy,),
        load=Load(),
        timeline=(Action(3.5, Do.FAULT, "broken", "first", "dns-empty"),),
        hypothesis=(Expectation(strategy, "it is so", measure, **bounds),),
    )
