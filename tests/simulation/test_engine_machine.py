"""The whole engine as a machine that Hypothesis drives: faults, clocks, workers, monitors and operators as it likes.

The model is `tests.simulation.rules`: what each call, each event and each view must keep. A failure shrinks
to the shortest story that breaks a rule.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from failover.core.decisions import latest
from tests.simulation.places import Fault
from tests.simulation.rules import Inspector
from tests.simulation.world import Host, World

pick = st.integers(0, 5)


class Engine(RuleBasedStateMachine):
    """Two hosts, two or three regions. Numbers pick a host, a region or a worker, whatever their count."""

    sound = False
    """Whether the world is in order: after a broken rule the next one to break would hide it."""

    @initialize(seed=st.integers(0, 2**16), regions=st.integers(2, 3), workers=st.integers(1, 3))
    def begin(self, seed: int, regions: int, workers: int) -> None:
        self.world = World(Random(seed), regions=regions, workers=workers)
        self.inspector = Inspector(self.world)
        self.names = list(self.world.places)
        self.sound = True

    @rule(region=pick, fault=st.sampled_from(Fault), seconds=st.sampled_from([3.0, 20.0, 120.0, float("inf")]))
    def a_region_fails(self, region: int, fault: Fault, seconds: float) -> None:
        self.world.hurt(self._name(region), fault, seconds)

    @rule(region=pick)
    def a_region_is_well_again(self, region: int) -> None:
        self.world.mend(self._name(region))

    @rule(origin=pick, name=pick)
    def replication_pauses(self, origin: int, name: int) -> None:
        if self._name(origin) != self._name(name):
            self.world.pause(self._name(origin), self._name(name))

    @rule()
    def replication_flows_again(self) -> None:
        self.world.resume()

    @rule(host=pick, region=st.none() | pick)
    def a_person_decides(self, host: int, region: int | None) -> None:
        self.world.decide(self._host(host), None if region is None else self._name(region))

    @rule(first=pick, second=pick)
    def two_people_decide_at_once(self, first: int, second: int) -> None:
        """Each on a host of their own, neither knowing of the other: the same epoch, and one of them loses."""
        before = self.world.known()
        made = [
            self.world.decide(host, self._name(region), known=before)
            for host, region in zip(self.world.hosts, (first, second), strict=False)
        ]
        both = [one for one in made if one is not None]
        if len(both) == 2:
            winner, superseded = latest([*both, *before])
            assert winner in both
            assert set(both) - {winner} <= set(superseded)

    @rule(host=pick, skew_s=st.sampled_from([-5.0, 0.0, 5.0]))
    def a_clock_is_set(self, host: int, skew_s: float) -> None:
        self._host(host).skew_s = skew_s

    @rule(host=pick, worker=pick)
    def a_worker_is_killed(self, host: int, worker: int) -> None:
        workers = self._host(host).workers
        self._host(host).restart_worker(worker % len(workers))

    @rule(host=pick)
    def a_monitor_is_killed(self, host: int) -> None:
        self._host(host).restart_monitor()
        self.inspector.monitor_restarted(self._host(host))

    @rule(calls=st.integers(2, 10))
    def many_come_at_once(self, calls: int) -> None:
        self.sound = False
        self.inspector.step(crowd=calls)
        self.sound = True

    @rule(ticks=st.sampled_from([1, 2, 5, 12]), calls=st.integers(0, 4))
    def time_passes(self, ticks: int, calls: int) -> None:
        self.sound = False
        for _ in range(ticks):
            self.inspector.step(calls=calls)
        self.sound = True

    def teardown(self) -> None:
        """Whatever happened, a calm of ten minutes ends it."""
        if self.sound:
            self.inspector.recover()

    def _name(self, number: int) -> str:
        return self.names[number % len(self.names)]

    def _host(self, number: int) -> Host:
        return self.world.hosts[number % len(self.world.hosts)]


TestEngine = Engine.TestCase
TestEngine.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
