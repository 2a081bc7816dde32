"""Several calls of one worker at once: what such a crowd must keep, over and above what each of its calls must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from failover.core.errors import Attempt, Outcome
from failover.core.exchange.reports import WorkerReport
from failover.core.routing.region_slots import MOST_PATIENCE
from failover.core.signals.breaker import CircuitState
from tests.simulation.places import Fault
from tests.simulation.world import Host, Worker, World

Call = Callable[[list[Attempt]], str]
"""Makes a call, adds its attempts to a list as they end, and tells how it ended itself."""
WHY = {"others wait there, and none is answered": "passed-by", "another call is trying it": "beside-a-trial"}


@dataclass
class Member:
    """One call of a crowd. `panic`: every circuit was open when it came; `asked` are the regions that it asked."""

    panic: bool
    trace: list[Attempt] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    came_to: str = ""

    def ended(self) -> list[Attempt]:
        """What its attempts came to so far."""
        return [one for one in self.trace if one.outcome is not Outcome.SKIPPED]

    def there(self, region: str) -> bool:
        """Whether it is under way there."""
        return self.asked.count(region) > sum(one.region == region for one in self.ended())


class Crowd:
    """Calls of one worker that come within moments of each other. Raises AssertionError at a broken rule."""

    def __init__(self, world: World, host: Host, worker: Worker) -> None:
        self.world = world
        self.worker = worker
        self.hosts = {name: circuit.state for name, circuit in host.view.circuits.items()}
        self.members: dict[int, Member] = {}
        self.trying: dict[str, Member] = {}
        self.first: list[tuple[str, Member]] = []
        self.seen: Counter[str] = Counter()

    def comes(self, call: Call, at: Sequence[float]) -> None:
        """One call at each of these times (seconds from now); all have ended when it returns."""
        before, ended = self.worker.router.report(), Counter[str]()

        def act() -> None:
            states = self._states()
            member = Member(panic=all(state is CircuitState.OPEN for state in states.values()))
            assert self.worker.clock.acting is not None
            self.members[self.worker.clock.acting] = member
            member.came_to = call(member.trace)
            ended[member.came_to] += 1

        self.worker.runner.begins = self._begins
        try:
            self.worker.clock.together([(seconds, act) for seconds in at])
        finally:
            self.worker.runner.begins = None
        after = self.worker.router.report()
        self._adds_up(before, after, ended)
        self._judged(before, after)
        for name, slot in self.worker.router._slots.items():
            assert (slot._under_way, slot._trial_out) == (0, False), f"a place in {name} was not given back"
        self._told()

    def _states(self) -> dict[str, CircuitState]:
        now = self.worker.clock.monotonic()
        return {name: slot.state(self.hosts[name], now) for name, slot in self.worker.router._slots.items()}

    def _begins(self, region: str) -> None:
        """One of them asks a region: while its circuit is half-open no other one may, but as a last resort."""
        assert self.worker.clock.acting is not None
        member = self.members[self.worker.clock.acting]
        states = self._states()
        passed_over = any(one.region == region and one.outcome is Outcome.SKIPPED for one in member.trace)
        if states[region] is CircuitState.HALF_OPEN and not passed_over and not member.panic:
            other = self.trying.get(region)
            assert other in (None, member) or not other.there(region), f"two trials of {region} at once"
            self.trying[region] = member
        others = [name for name, state in states.items() if name != region and state is CircuitState.CLOSED]
        elsewhere = any(self.world.places[name].fault is None for name in others)
        if states[region] is CircuitState.CLOSED and not member.asked and elsewhere:
            self.first.append((region, member))
        member.asked.append(region)

    def _judged(self, before: WorkerReport, after: WorkerReport) -> None:
        """A crowd opens no circuit of a region in which nothing is wrong, and is not kept by one that hangs."""
        config = self.world.config
        for name, place in self.world.places.items():
            was, now = before.regions[name], after.regions[name]
            # Of three regions that are asked one after another the last may have less time than a slow one takes.
            if place.fault is None or (place.well and len(self.world.places) == 2):
                assert now.failed == was.failed, f"{name} was blamed for a crowd"
                assert now.openings == was.openings, f"{name} was opened by a crowd"
            if place.fault is Fault.HANG:
                # Where it is the end of a call, no attempt is shortened: a write that may not be repeated.
                asked = [one for region, one in self.first if region == name and one.came_to != "unknown"]
                kept = [one for one in asked if self._kept(name, one)]
                places = max(1, config.share - was.consecutive_failures)
                assert len(kept) <= places, f"{name} kept {len(kept)} for a whole attempt"
                self.seen["kept"] += len(kept)

    def _kept(self, region: str, member: Member) -> bool:
        """Whether it waited there in vain, and for longer than a shortened attempt."""
        shortened_ms = self.world.config.attempt_timeout_s * 1000 * MOST_PATIENCE + 1e-6
        timeouts = [one for one in member.trace if one.outcome is Outcome.TIMEOUT and one.region == region]
        return any(one.ms > shortened_ms for one in timeouts)

    def _adds_up(self, before: WorkerReport, after: WorkerReport, ended: Counter[str]) -> None:
        """Each call is counted once, and each of its attempts."""
        count = ended.total()
        assert count == len(self.members) == after.calls - before.calls
        assert ended["answered"] == after.answered - before.answered
        assert ended["refused"] == after.refused - before.refused
        assert ended["unanswered"] + ended["unknown"] == after.unanswered - before.unanswered
        told = Counter[tuple[str, Outcome]]()
        for member in self.members.values():
            told.update((one.region, one.outcome) for one in member.ended())
        for name, now in after.regions.items():
            was = before.regions[name]
            came = {outcome: count for (region, outcome), count in told.items() if region == name}
            assert now.requests - was.requests == sum(came.values())
            assert now.ok - was.ok == came.pop(Outcome.OK, 0)
            failures = {Outcome(one): count - was.failures.get(one, 0) for one, count in now.failures.items()}
            assert {one: count for one, count in failures.items() if count} == came

    def _told(self) -> None:
        """What has happened in it, so that it can be seen that everything did somewhere."""
        for member in self.members.values():
            for one in member.trace:
                shortened = one.outcome is Outcome.TIMEOUT and not self._kept(one.region, member)
                self.seen["shortened"] += shortened
                self.seen["asked-again"] += one.outcome is Outcome.OK and any(
                    before.region == one.region and before.outcome is Outcome.TIMEOUT for before in member.trace
                )
                self.seen[WHY.get(one.detail, f"crowd-{one.outcome}")] += 1
