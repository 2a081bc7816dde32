"""A drill as data: what is claimed, what a healthy system does, what is broken when, and what is expected
to be measured. `docs/drills.md` explains each member for a teacher who writes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from failover.drills.plan import Load
from failover.drills.strategies.catalogue import STRATEGIES

ORDINALS = {"first": 0, "second": 1}
"""How a drill names the regions, in the order of their priority."""


FULL_SPARE_S = 20.0
"""How long a full outage goes on after the last strategy should have switched."""


class DrillInvalid(ValueError):
    """A drill that cannot be played; one line."""


class Do(StrEnum):
    """What a timeline can do."""

    FAULT = "fault"
    CLEAR = "clear"
    KILL = "kill"
    """The region's engine is killed with SIGKILL; it comes back empty."""
    PIN = "pin"
    AUTO = "auto"
    RESET = "reset"
    """The survey gets a new round."""
    SAY = "say"
    """Nothing but its text."""


@dataclass(frozen=True)
class Action:
    """One thing that happens `at` so many seconds after the first vote. `region` is first, second, or
    empty for all. `text` says it to a class. What only `prepares` is not the outage itself: no
    time counts from it.
    """

    at: float
    do: Do
    text: str
    region: str = ""
    kind: str = ""
    ms: int | None = None
    keep_connections: bool = False
    force: bool = False
    prepares: bool = False


@dataclass(frozen=True)
class Expectation:
    """A bound of one strategy's figure: `least <= measured <= most`; with `share` both are shares of the
    attempted votes. `none`: nothing was measured, as when there was no switch.
    """

    strategy: str
    text: str
    measure: str
    most: float | None = None
    least: float | None = None
    none: bool = False
    share: bool = False

    def bound(self, attempted: int) -> str:
        """For people, where so many votes were attempted."""
        sides = [
            f"{words} {side / 1000:g} s" if self.measure.endswith("_ms") else f"{words} {side:g}"
            for words, side in zip(("at least", "at most"), self._sides(attempted), strict=True)
            if side is not None
        ]
        return "never" if self.none else " and ".join(sides)

    def holds(self, measured: float | None, attempted: int) -> bool:
        """Whether it came true."""
        if self.none or measured is None:
            return self.none and measured is None
        least, most = self._sides(attempted)
        return (least is None or measured >= least) and (most is None or measured <= most)

    def _sides(self, attempted: int) -> tuple[float | None, float | None]:
        least, most = (
            round(side * attempted) if side is not None and self.share else side for side in (self.least, self.most)
        )
        return least, most


@dataclass(frozen=True)
class Drill:
    """A whole drill. Texts are for a class; `rollback` is what puts everything back by hand."""

    name: str
    title: str
    claim: str
    question: str
    steady: str
    limits: str
    rollback: str
    seconds: float
    strategies: tuple[str, ...]
    load: Load
    timeline: tuple[Action, ...]
    hypothesis: tuple[Expectation, ...]
    budget: float = 0.001
    """The share of votes that may fail."""


def in_full(drill: Drill, strategies: Sequence[str]) -> Drill:
    """The drill with an outage that lasts until each of these strategies has switched, in its own time.

    What mends comes later by as much; nothing changes where the outage is long enough. Raises
    CannotVote when the class would have to vote for too long.
    """
    begins = next(action.at for action in drill.timeline if not action.prepares)
    mends = [action.at for action in drill.timeline if action.do in (Do.CLEAR, Do.AUTO)]
    longest = max((STRATEGIES[name].switches_after_s or 0.0 for name in strategies if name in STRATEGIES), default=0.0)
    if not mends or longest == 0.0:
        return drill
    later = max(0.0, begins + longest + FULL_SPARE_S - min(mends))
    timeline = tuple(
        replace(action, at=action.at + later) if action.at >= min(mends) else action for action in drill.timeline
    )
    seconds = drill.seconds + later
    return replace(drill, timeline=timeline, seconds=seconds, load=replace(drill.load, seconds=seconds))
