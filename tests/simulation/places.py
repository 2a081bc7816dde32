"""The regions of the small world: what can be wrong with one, and what canaries and calls meet there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from failover.core.decisions import Decision
from failover.core.errors import ErrorClass
from failover.core.fakes import FakeClock, ScriptedRunner, Step, answers, fails
from failover.core.ports import Bound
from failover.core.signals.health import Canary, Layer

SLOW_S = 0.8
"""What an answer takes in a slow region."""


class Fault(StrEnum):
    """What can be wrong with a region."""

    DNS = "dns"
    HANG = "hang"
    ERRORS = "http-503"
    THROTTLE = "throttle"
    DENIED = "denied"
    INVALID = "invalid"
    SLOW = "slow"


SAYS_NOTHING = (Fault.THROTTLE, Fault.DENIED, Fault.INVALID)
"""A canary that meets one of these neither passes nor fails."""
NOT_AGAINST_IT = (Fault.THROTTLE, Fault.INVALID)
"""Nor do calls that meet one of these say anything against the region."""
_OK = Layer(True, 1.0)
_BROKEN: dict[Fault | None, Canary] = {
    Fault.DNS: Canary(Layer(False, 2.0, "DNS answers empty", ErrorClass.NOT_SENT)),
    Fault.HANG: Canary(_OK, _OK, Layer(False, 1000.0, "no answer", ErrorClass.UNKNOWN)),
    Fault.ERRORS: Canary(_OK, _OK, Layer(False, 5.0, "503", ErrorClass.UNKNOWN)),
    Fault.THROTTLE: Canary(_OK, _OK, Layer(False, 5.0, "throttled", ErrorClass.REFUSED)),
    Fault.DENIED: Canary(_OK, _OK, Layer(False, 5.0, "denied", ErrorClass.DENIED)),
    Fault.INVALID: Canary(_OK, _OK, Layer(False, 5.0, "not valid", ErrorClass.CALLER)),
}
_STEPS = {
    Fault.DNS: fails(ErrorClass.NOT_SENT, seconds=0.003),
    Fault.HANG: answers(seconds=3600.0),
    Fault.ERRORS: fails(ErrorClass.UNKNOWN, seconds=0.008),
    Fault.THROTTLE: fails(ErrorClass.REFUSED, seconds=0.005),
    Fault.DENIED: fails(ErrorClass.DENIED, seconds=0.005),
    Fault.INVALID: fails(ErrorClass.CALLER, seconds=0.005),
    Fault.SLOW: answers(seconds=SLOW_S),
}


@dataclass
class Place:
    """A region: what is wrong with it now, when something last was, and when something that speaks against it was;
    its control rows; when its latest three late answers were asked for."""

    name: str
    distance_s: float
    fault: Fault | None = None
    ends_at: float = float("inf")
    faulty_at: float = float("-inf")
    failing_at: float = float("-inf")
    rows: dict[str, Decision] = field(default_factory=dict)
    late_at: deque[float] = field(default_factory=lambda: deque([float("-inf")] * 3, maxlen=3))

    def __post_init__(self) -> None:
        self.quick, self.late = answers(seconds=0.004 + self.distance_s), answers(seconds=0.304 + self.distance_s)
        calls = {None: Layer(True, 1.0 + 1000 * self.distance_s), Fault.SLOW: Layer(True, 1000 * SLOW_S)}
        self.canaries = _BROKEN | {fault: Canary(_OK, _OK, call, call) for fault, call in calls.items()}

    def still_wrong(self, now: float) -> None:
        """Take down that it is out of order at `now`, if it is."""
        if self.fault is not None:
            self.faulty_at = now
            if self.fault not in NOT_AGAINST_IT:
                self.failing_at = now

    @property
    def readable(self) -> bool:
        """Whether its rows can be read and written."""
        return self.fault in (None, Fault.SLOW)

    @property
    def well(self) -> bool:
        """Whether every attempt there brings an answer in time."""
        return self.fault in (None, Fault.SLOW)

    def canary(self) -> Canary:
        """What a fresh connection meets."""
        return self.canaries[self.fault]


class WorldRunner(ScriptedRunner):
    """Attempts meet the regions as they are. `begins` is told the region of each."""

    def __init__(self, clock: FakeClock, places: dict[str, Place], random: Random) -> None:
        super().__init__(clock)
        self.begins: Callable[[str], None] | None = None
        self._places = places
        self._random = random

    def next_step(self, region: str, bound: Bound, timeout: float) -> Step:
        """Pooled connections outlive a DNS failure now and then."""
        if self.begins is not None:
            self.begins(region)
        place = self._places[region]
        pooled = place.fault is Fault.DNS and self._random.random() < 0.3
        if place.fault is None or pooled:
            if self._random.random() >= 0.02:
                return place.quick
            place.late_at.append(self.clock.monotonic())
            return place.late
        return _STEPS[place.fault]
