"""What every call must keep, whatever it meets: its deadline, what its caller forbids, an answer while there is one."""

from __future__ import annotations

from collections import Counter

from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.ports import Bound, Consistency
from tests.simulation.places import SLOW_S, Fault
from tests.simulation.world import Worker, World


def make_call(world: World, worker: Worker, trace: list[Attempt]) -> str:
    """A read, a write that may be repeated, or one that may not, as chance will have it; and how it
    ended: answered, refused, unanswered or unknown. Its attempts are added to `trace` as they end."""
    kind, clock = world.random.random(), worker.clock
    repeatable = kind < 0.8
    began, ended = clock.monotonic(), "answered"
    try:
        if kind < 0.4:
            routed = worker.router.read(_where, on_attempt=trace.append)
        else:
            consistency = Consistency.STRONG_ELSE_EVENTUAL if kind < 0.6 else Consistency.EVENTUAL
            routed = worker.router.call(_where, idempotent=repeatable, consistency=consistency, on_attempt=trace.append)
        assert routed.value == routed.region
    except OutcomeUnknown:
        ended = "unknown"
        assert not world.places[trace[-1].region].well, f"nothing was wrong there: {trace}"
    except NoRegionAnswered:
        ended = "unanswered"
        _nobody_could_answer(world, trace)
    except RuntimeError:
        ended = "refused"
        assert any(place.fault is Fault.INVALID for place in world.places.values())
    assert clock.monotonic() - began <= world.config.deadline_s + 1e-6, "the deadline did not hold"
    if len(trace) > 1 or trace[0].outcome is not Outcome.OK:
        _came_to(trace, ended, repeatable=repeatable)
    return ended


def _nobody_could_answer(world: World, trace: list[Attempt]) -> None:
    """No region works, but for one that is slow and had too little of the time that was left. A share of the time is
    for those alone that are let through and are not cut short."""
    last = {one.region: one for one in trace}
    timeouts = Counter(one.region for one in trace if one.outcome is Outcome.TIMEOUT)
    passed_over = {one.region for one in trace if one.outcome is Outcome.SKIPPED}
    for place in world.places.values():
        no_share = place.name in passed_over or timeouts[place.name] > 1
        late = place.fault is Fault.SLOW and no_share and last[place.name].ms < SLOW_S * 1000 + 1e-6
        of_three = len(world.places) > 2 and timeouts[place.name] > 0  # two that hang leave it no second attempt
        assert not place.well or late or of_three, f"a lost call: {trace}"


def _came_to(trace: list[Attempt], ended: str, *, repeatable: bool) -> None:
    """What ends a call ends it at once, and nothing else does.
    No region is asked twice but for throttling, or after an attempt was cut short."""
    ends_with: dict[ErrorClass | None, str] = {ErrorClass.CALLER: "refused"}
    if not repeatable:
        ends_with[ErrorClass.UNKNOWN] = "unknown"
    assert not any(one.error_class in ends_with for one in trace[:-1]), f"it went on after that: {trace}"
    told = ended if ended in ("refused", "unknown") else None
    assert ends_with.get(trace[-1].error_class) == told, f"it ended otherwise: {trace}"
    asked = [one for one in trace if one.outcome is not Outcome.SKIPPED]
    assert asked
    for region in {one.region for one in asked}:
        first, *again = [one.outcome for one in asked if one.region == region]
        assert len(again) <= (first in (Outcome.THROTTLED, Outcome.TIMEOUT)), f"asked again and again: {trace}"


def _where(bound: Bound) -> str:
    return bound.region
