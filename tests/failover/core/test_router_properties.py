"""What holds for every call, whatever the regions do and whatever the monitor says."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from failover.core.config import RouterConfig
from failover.core.decisions import Decision
from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.fakes import FakeClock, ScriptedRunner, Step, answers, fails
from failover.core.ports import Bound, Consistency
from failover.core.regions import Region
from failover.core.router import Router
from failover.core.signals.breaker import CircuitState
from tests.simulation.turns import TurnClock

NAMES = ("us-east-1", "us-west-2", "eu-west-1", "ap-south-1")
seconds = st.sampled_from([0.0, 0.003, 0.4, 1.1999, 1.2, 3600.0])
steps = st.one_of(
    st.builds(lambda taken: answers(seconds=taken), seconds),
    st.builds(lambda kind, taken: fails(kind, seconds=taken), st.sampled_from(ErrorClass), seconds),
)
views = st.builds(
    HostView,
    decision=st.one_of(
        st.none(),
        st.builds(
            lambda region, epoch: Decision("pinned" if region else "auto", region, epoch, f"d{epoch}", "a", "r", epoch),
            st.sampled_from([None, *NAMES]),
            st.integers(1, 9),
        ),
    ),
    circuits=st.dictionaries(st.sampled_from(NAMES), st.builds(HostCircuit, st.sampled_from(CircuitState))),
    age_s=st.sampled_from([0.0, 1.0, 100.0]),
)


@dataclass(frozen=True)
class Vote:
    """One call: whether it may be repeated, how it reads, how long after the last, and a view that arrives before."""

    idempotent: bool
    consistency: Consistency
    pause: float
    view: HostView | None


votes = st.builds(
    Vote, st.booleans(), st.sampled_from(Consistency), st.sampled_from([0.0, 0.1, 6.0, 120.0]), st.none() | views
)


class World:
    """A router over a script, and what it has been told and has answered."""

    def __init__(self, names: tuple[str, ...], script: dict[str, list[Step]], jitter: float) -> None:
        self.names = names
        self.clock = FakeClock()
        self.runner = ScriptedRunner(self.clock)
        for name in names:
            self.runner.plays(name, *script.get(name, []))
        self.config = RouterConfig(hold_s=5.0)
        regions = [Region(name, number) for number, name in enumerate(names)]
        self.router = Router(regions, config=self.config, clock=self.clock, runner=self.runner, jitter=lambda: jitter)
        self.pin: tuple[int, str | None] = (0, None)
        self.ended: Counter[str] = Counter()
        self.applied: list[str] = []

    def cast(self, vote: Vote) -> None:
        """One vote, and every promise about it."""
        self.clock.wait(vote.pause)
        if vote.view is not None:
            self.router.follow(vote.view)
            told = vote.view.decision
            if told is not None and (told.epoch, told.at) >= (self.pin[0], self.pin[0]):
                self.pin = (told.epoch, told.region)
        order = self.router.order()
        assert order
        assert len(set(order)) == len(order)
        self.applied, asked_before = [], len(self.runner.calls)
        began = self.clock.monotonic()
        attempts = self._call(vote)
        assert self.clock.monotonic() - began <= self.config.deadline_s + 1e-9
        asked = self.runner.calls[asked_before:]
        assert len(order) == 1 or asked[0].timeout <= self.config.attempt_timeout_s + 1e-9
        tried = [one for one in attempts if one.outcome is not Outcome.SKIPPED]
        assert [one.region for one in tried] == [call.region for call in asked]
        assert tried, "a call that asked nobody"
        for name, count in Counter(one.region for one in tried).items():
            throttled = next(one for one in tried if one.region == name).outcome is Outcome.THROTTLED
            assert count <= 1 + throttled
        for one in tried[:-1]:
            assert one.error_class is not ErrorClass.CALLER
            assert vote.idempotent or one.error_class is not ErrorClass.UNKNOWN
        if self.pin[1] in self.names:
            assert attempts[0].region == self.pin[1]
        assert len(self.applied) <= 1

    def _call(self, vote: Vote) -> tuple[Attempt, ...]:
        seen: list[Attempt] = []

        def op(bound: Bound) -> str:
            self.applied.append(bound.region)
            return bound.region

        try:
            routed = self.router.call(
                op, idempotent=vote.idempotent, consistency=vote.consistency, on_attempt=seen.append
            )
        except NoRegionAnswered as unanswered:
            self.ended["unanswered"] += 1
            told, unknown = unanswered.attempts, isinstance(unanswered, OutcomeUnknown)
        except RuntimeError:
            self.ended["refused"] += 1
            told, unknown = tuple(seen), False
            assert seen[-1].error_class is ErrorClass.CALLER
        else:
            self.ended["answered"] += 1
            told, unknown = routed.attempts, False
            assert routed.region == routed.value == seen[-1].region
            assert vote.consistency is not Consistency.STRONG or routed.given is Consistency.STRONG
            assert self.runner.calls[-1].strong == (routed.given is Consistency.STRONG)
        assert told == tuple(seen)
        assert unknown == (not vote.idempotent and seen[-1].error_class is ErrorClass.UNKNOWN)
        return told

    def counters_add_up(self) -> None:
        """Nothing is counted twice or lost."""
        report = self.router.report()
        assert report.calls == sum(self.ended.values())
        assert (report.answered, report.refused, report.unanswered) == tuple(
            self.ended[name] for name in ("answered", "refused", "unanswered")
        )
        asked = Counter(call.region for call in self.runner.calls)
        for name, region in report.regions.items():
            assert region.requests == asked[name] == region.ok + sum(region.failures.values())
            assert region.ok == sum(region.latency)
            not_counted = region.failures.get("throttled", 0) + region.failures.get("denied", 0)
            assert region.failed == sum(region.failures.values()) - not_counted
            assert region.trials_passed <= region.ok
            assert region.trials_failed <= region.failed + region.denied


@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(tuple),
    script=st.dictionaries(st.sampled_from(NAMES), st.lists(steps, max_size=25)),
    cast=st.lists(votes, min_size=1, max_size=25),
    jitter=st.floats(0, 1),
)
def test_every_call_keeps_the_promises_whatever_the_regions_do(
    names: tuple[str, ...], script: dict[str, list[Step]], cast: list[Vote], jitter: float
) -> None:
    world = World(names, script, jitter)
    for vote in cast:
        world.cast(vote)
    world.counters_add_up()


@given(
    dead=st.sets(st.sampled_from(NAMES), max_size=3),
    kind=st.sampled_from([ErrorClass.NOT_SENT, ErrorClass.UNKNOWN, ErrorClass.REFUSED]),
    cast=st.lists(votes, min_size=1, max_size=20),
)
def test_while_one_region_answers_every_repeatable_vote_is_taken_when_failures_are_quick(
    dead: set[str], kind: ErrorClass, cast: list[Vote]
) -> None:
    world = World(NAMES, {}, 0.5)
    for name in dead:
        world.runner.always(name, fails(kind, seconds=0.01))
    for vote in cast:
        world.cast(Vote(True, vote.consistency, vote.pause, vote.view))
    assert world.ended["answered"] == len(cast)


@given(failures=st.lists(st.sampled_from([ErrorClass.REFUSED, ErrorClass.CALLER]), max_size=60))
def test_no_number_of_refusals_opens_a_circuit(failures: list[ErrorClass]) -> None:
    world = World(NAMES[:1], {NAMES[0]: [fails(kind) for kind in failures]}, 0.0)
    for _ in failures:
        world.cast(Vote(True, Consistency.EVENTUAL, 0.0, None))
    assert world.router.report().regions[NAMES[0]].circuit is CircuitState.CLOSED


class Crowd:
    """Calls of one worker that come in quick succession, so that they are under way at once. None is ever lost."""

    def __init__(self, regions: dict[str, Step]) -> None:
        self.clock = TurnClock()
        self.runner = ScriptedRunner(self.clock)
        for name, step in regions.items():
            self.runner.always(name, step)
        self.config = RouterConfig(hold_s=5.0)
        self.router = Router(
            [Region(name, number) for number, name in enumerate(regions)],
            config=self.config,
            clock=self.clock,
            runner=self.runner,
            jitter=lambda: 0.5,
        )
        self.traces: list[list[Attempt]] = []

    def comes(self, gaps: list[float]) -> None:
        """A call after each of these times."""
        self.clock.together([(at, self._call) for at in itertools.accumulate(gaps)])
        report = self.router.report()
        assert report.calls == report.answered == len(gaps)
        assert all(slot._under_way == 0 for slot in self.router._slots.values()), "a place was not given back"

    def _call(self) -> None:
        began, trace = self.clock.monotonic(), list[Attempt]()
        self.traces.append(trace)
        self.router.call(lambda bound: bound.region, idempotent=True, on_attempt=trace.append)
        assert self.clock.monotonic() - began <= self.config.deadline_s + 1e-9


shares_of_an_attempt = st.sampled_from([0.0, 0.005, 0.1, 0.26, 0.4, 0.51, 0.7, 0.95, 0.999])
gaps = st.lists(st.sampled_from([0.0, 0.001, 0.02, 0.1, 0.35, 0.7]), min_size=4, max_size=40)


@given(distances=st.lists(shares_of_an_attempt, min_size=2, max_size=3), gaps=gaps)
def test_a_region_in_which_nothing_is_wrong_is_not_blamed_for_a_crowd_at_any_rate_and_any_distance(
    distances: list[float], gaps: list[float]
) -> None:
    attempt_s = min(1.2, 3.0 / len(distances))
    crowd = Crowd({NAMES[number]: answers(seconds=share * attempt_s) for number, share in enumerate(distances)})
    crowd.comes(gaps)
    for name, one in crowd.router.report().regions.items():
        assert (one.failed, one.consecutive_failures, one.openings) == (0, 0, 0), f"{name} was blamed"


@given(distance=shares_of_an_attempt, gaps=gaps)
def test_a_region_that_hangs_keeps_no_more_than_a_share_of_a_crowd_for_a_whole_attempt(
    distance: float, gaps: list[float]
) -> None:
    crowd = Crowd({NAMES[0]: answers(seconds=3600.0), NAMES[1]: answers(seconds=distance * 1.2)})
    crowd.comes(gaps)
    whole_ms = crowd.config.attempt_timeout_s * 1000 - 1e-6
    kept = [one for trace in crowd.traces for one in trace if one.region == NAMES[0] and one.ms >= whole_ms]
    report = crowd.router.report().regions
    assert len(kept) <= crowd.config.share + report[NAMES[0]].trials_failed, "those that opened it, and single trials"
    assert report[NAMES[0]].failed == len(kept)
    assert report[NAMES[1]].failed == 0


@given(
    kind=st.sampled_from([ErrorClass.NOT_SENT, ErrorClass.UNKNOWN, ErrorClass.REFUSED]),
    fails_first=st.booleans(),
    gaps=gaps,
)
def test_a_crowd_is_answered_by_a_slow_region_when_the_other_one_fails(
    kind: ErrorClass, fails_first: bool, gaps: list[float]
) -> None:
    failing, slow = (NAMES[0], NAMES[1]) if fails_first else (NAMES[1], NAMES[0])
    met = {failing: fails(kind, seconds=0.01), slow: answers(seconds=1.1)}
    crowd = Crowd({name: met[name] for name in NAMES[:2]})
    crowd.comes(gaps)
    assert all(trace[-1].region == slow for trace in crowd.traces)
    assert crowd.router.report().regions[slow].failed == 0
