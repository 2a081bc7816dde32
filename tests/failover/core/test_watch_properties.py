"""What holds for the monitor, whatever it is told, in whatever order: a machine that lives through random days."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from failover.core.config import RouterConfig
from failover.core.decisions import Decision
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.exchange.reports import RegionReport, WorkerReport, view_from_json, view_to_json
from failover.core.regions import Region
from failover.core.signals.health import Canary, Verdict
from failover.core.watch import Watch
from tests.simulation.support import denied, failing, passing

NAMES = ("us-east-1", "us-west-2", "eu-west-1")
CONFIG = RouterConfig(hold_s=5.0, min_volume=10, error_window_s=30.0)
regions = st.sampled_from(NAMES)
LEGAL = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}


class Days(RuleBasedStateMachine):
    """Canaries, beats, workers and people do as they like; after each tick the rules are checked against a model."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch([Region(name, number) for number, name in enumerate(NAMES)], config=CONFIG)
        self.now, self.wall, self.beat, self.epoch = 0.0, 1_760_943_600.0, 0, 0
        self.states = dict.fromkeys(NAMES, "closed")
        self.opened_at: dict[str, float] = {}
        self.held: dict[str, float] = {}
        self.passes = dict.fromkeys(NAMES, 0)
        self.latest: dict[str, Verdict] = {}
        self.passes_in_half_open = dict.fromkeys(NAMES, 0)
        self.trials_in_half_open = dict.fromkeys(NAMES, 0)
        self.disputed_at = dict.fromkeys(NAMES, float("-inf"))
        self.looked_at = dict.fromkeys(NAMES, float("-inf"))
        self.counts = {name: RegionReport() for name in NAMES}
        self.active = NAMES[0]
        self.decision: Decision | None = None
        self.ids: set[str] = set()
        self.watch.on_reports({}, self.now)
        self.watch.tick(self.now, self.wall)

    @rule(name=regions, canary=st.sampled_from([passing(), failing(), denied()]), times=st.integers(1, 4))
    def canaries(self, name: str, canary: Canary, times: int) -> None:
        for _ in range(times):
            self._canary(name, canary)

    @rule(seconds=st.sampled_from([0.125, 0.5, 2.0, 7.0]), paused=st.sets(regions, max_size=1))
    def time_passes(self, seconds: float, paused: set[str]) -> None:
        self.now += seconds
        self.wall += seconds
        self._beats(paused)
        self._tick()

    @rule(seconds=st.sampled_from([2.0, 7.0, 70.0]))
    def all_is_well_for_a_while(self, seconds: float) -> None:
        for _ in range(4):
            for name in NAMES:
                self._canary(name, passing())
            self.time_passes(seconds / 4, set())

    @rule(name=regions, ok=st.integers(0, 20), failed=st.integers(0, 3), opens=st.booleans())
    def traffic(self, name: str, ok: int, failed: int, opens: bool) -> None:
        was = self.counts[name]
        trials = self.states[name] == "half-open"
        self.counts[name] = RegionReport(
            requests=was.requests + ok + failed,
            ok=was.ok + ok,
            failed=was.failed + failed,
            trials_passed=was.trials_passed + (ok if trials else 0),
            trials_failed=was.trials_failed + (failed if trials else 0),
            openings=was.openings + (opens and failed > 0),
            last_reason="live",
        )
        self.trials_in_half_open[name] += ok if trials else 0
        fresh = self.now - self.looked_at[name] <= CONFIG.quiet_s
        if failed and fresh and self.latest[name] is Verdict.PASSED:
            self.disputed_at[name] = self.now
        self.watch.on_reports({"w1": WorkerReport(0.0, self.wall, dict(self.counts))}, self.now)
        self._tick()

    @rule(name=st.none() | regions, later=st.integers(0, 1))
    def a_person_decides(self, name: str | None, later: int) -> None:
        self.epoch += later
        made = Decision("pinned" if name else "auto", name, self.epoch, f"d{len(self.ids)}", "person", "why", self.wall)
        self.watch.on_decisions([made])
        if self.decision is None or made.rank > self.decision.rank:
            self.decision = made
        self._tick()

    @rule(after=st.sampled_from([0.0, 0.125, 3.0, 50.0]))
    def the_monitor_is_killed_and_another_one_says_what_it_would_have_said(self, after: float) -> None:
        """Of holds, openings and since when: what canaries and live traffic said it has to hear anew."""
        self._tick()  # a view is written after it
        written = json.loads(json.dumps(view_to_json(self.watch.view(self.now))))
        self.now += after
        self.wall += after
        again = Watch([Region(name, number) for number, name in enumerate(NAMES)], config=CONFIG)
        again.restore(view_from_json(written, age_s=after), self.now, self.wall)
        assert again.view(self.now) == self.watch.view(self.now)
        assert self._told(again) == self._told(self.watch)
        again.on_reports({"w1": WorkerReport(0.0, self.wall, dict(self.counts))}, self.now)
        self.watch = again
        self.latest.clear()
        for model in (self.passes, self.passes_in_half_open, self.trials_in_half_open):
            model.update(dict.fromkeys(NAMES, 0))
        self.looked_at = dict.fromkeys(NAMES, float("-inf"))
        self._tick()

    def _told(self, watch: Watch) -> list[object]:
        status = watch.status(self.now, self.wall, [])
        rules = ("failback-hold", "flapping", "disputed")
        return [status["routing"], *(row for row in status["explain"] if row["rule"] in rules)]

    @precondition(lambda self: self.decision is not None)
    @rule()
    def the_control_rows_cannot_be_read(self) -> None:
        self.watch.on_decisions([])
        self._tick()

    @invariant()
    def the_decision_is_the_highest_ever_made(self) -> None:
        assert self.watch.view(self.now).decision == self.decision

    @invariant()
    def view_status_and_events_never_contradict_each_other(self) -> None:
        status = self.watch.status(self.now, self.wall, [])
        assert {one["name"]: one["circuit"] for one in status["regions"]} == self.states
        assert {name: one.state.value for name, one in self.watch.view(self.now).circuits.items()} == self.states
        assert status["routing"]["active"] == self.active
        assert self.active in NAMES
        if "closed" in self.states.values():
            assert self.states[self.active] == "closed"
        raised = {(one["name"], one["region"]) for one in status["alarms"] if one["state"] == "alarm"}
        assert {name for kind, name in raised if kind == "circuit"} == {
            name for name, state in self.states.items() if state != "closed"
        }
        assert len(status["explain"]) == 17 * len(NAMES)

    def _beats(self, paused: set[str]) -> None:
        self.beat += 1
        for name in NAMES:
            self.watch.on_beat_written(name, self.beat, self.now)
        for origin in NAMES:
            for other in set(NAMES) - {origin} - paused:
                self.watch.on_beat_seen(origin, other, self.beat, self.now)

    def _canary(self, name: str, canary: Canary) -> None:
        self.watch.on_canary(name, canary, self.now)
        verdict = canary.verdict
        self.latest[name], self.looked_at[name] = verdict, self.now
        if verdict is Verdict.PASSED:
            self.passes[name] += 1
            self.passes_in_half_open[name] += 1
        elif verdict is Verdict.FAILED:
            self.passes[name] = 0
            self.disputed_at[name] = float("-inf")

    def _tick(self) -> None:
        lags_fine = {name: facts.lag_fine for name, facts in self.watch.facts(self.now).items()}
        events = self.watch.tick(self.now, self.wall)
        turned = [event.region for event in events if event.kind.value.startswith("circuit-")]
        assert len(turned) == len(set(turned)), "a circuit took two turns in one tick"
        for event in events:
            assert event.id not in self.ids
            self.ids.add(event.id)
            assert event.reason
            if len(turned) > 1:  # another one's turn may change whose writes are waited for
                lags_fine = dict.fromkeys(NAMES, True)
            self._check(event, lags_fine)

    def _check(self, event: Event, lags_fine: dict[str, bool]) -> None:
        match event.kind:
            case EventKind.CIRCUIT_OPENED | EventKind.CIRCUIT_HALF_OPEN | EventKind.CIRCUIT_CLOSED:
                self._turned(event, lags_fine)
            case EventKind.FAILOVER | EventKind.FAILBACK | EventKind.SWITCHED:
                assert (event.from_, event.to != event.from_) == (self.active, True)
                assert (event.actor == AUTOMATIC) == (event.kind is not EventKind.SWITCHED)
                self.active = event.to

    def _turned(self, event: Event, lags_fine: dict[str, bool]) -> None:
        name = event.region
        assert event.from_ == self.states[name]
        assert (event.from_, event.to) in LEGAL
        if event.to == "open":
            self.opened_at[name] = self.now
            past = self.watch.view(self.now).circuits[name].past
            self.held[name] = past.wait_s if past is not None else float("inf")
            assert self.held[name] >= CONFIG.hold_s
        if event.to == "half-open":
            assert self.now - self.opened_at[name] >= self.held[name]
            assert self.passes[name] >= CONFIG.canaries_to_close
            assert self.latest[name] is Verdict.PASSED
            assert lags_fine[name]
        if event.to == "closed":
            assert lags_fine[name]
            by_trials = self.trials_in_half_open[name] >= CONFIG.trials_to_close
            by_canaries = self.passes_in_half_open[name] >= CONFIG.canaries_to_close
            disputed = self.now - self.disputed_at[name] < CONFIG.error_window_s
            assert by_trials or (by_canaries and not disputed and self.latest[name] is Verdict.PASSED)
            if by_trials:
                self.disputed_at[name] = float("-inf")
        self.states[name] = event.to
        self.passes_in_half_open[name] = self.trials_in_half_open[name] = 0


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
