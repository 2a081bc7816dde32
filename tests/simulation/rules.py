"""The rules of the engine, checked against a world at every step: what each change must keep (a call: `calls`)."""

from __future__ import annotations

import json
from collections import Counter, deque
from functools import partial

from failover.core.errors import Attempt
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.exchange.reports import report_from_json, report_to_json, view_from_json, view_to_json
from failover.core.signals.breaker import CircuitState
from failover.core.status.types import StatusDocument
from tests.simulation.calls import make_call
from tests.simulation.crowds import Crowd
from tests.simulation.places import Fault
from tests.simulation.world import ROUND_S, ROUND_TICKS, Host, Worker, World

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
LEGAL = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}
RULES_EXPLAINED = 17
READ_WHEN_CALM_S, READ_WHEN_NEWS_S = 900.0, 400.0
"""How often the documents are read: rather just after something has changed than at any time."""
FAILING = (Fault.DNS, Fault.HANG, Fault.ERRORS)
RELUCTANCE = {"closed": 0, "half-open": 1, "open": 2}
"""Traffic goes where the circuit is closed, for want of that where it is tried, and else anywhere: rather where
canaries pass."""
CROWDED_WITHIN_S = (0.0, 0.1, 0.3, 1.5)
"""How long it takes until all of a crowd have come."""
STALLED = "replication into it stalled"
TOO_LATE = SLOW, TRIALS_LATE = "slow:", "3 live trials took"
CAUSES = (
    ("live traffic", 4 * ROUND_S),
    ("a live trial failed", 4 * ROUND_S),
    (TRIALS_LATE, 4 * ROUND_S),
    ("a canary failed", 2 * ROUND_S),
    (SLOW, 60 + 4 * ROUND_S),
)
"""How long ago the fault may be that an opening is put down to; anything else may be as old as the error window."""


class Inspector:
    """Runs a world and checks it. Raises AssertionError at the first broken rule."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.states = {(host.name, name): "closed" for host in world.hosts for name in world.places}
        self.opened_at: dict[tuple[str, str], float] = {}
        self.closed_at: dict[tuple[str, str], float] = {}
        self.held: dict[tuple[str, str], float] = {}
        self.relapses: dict[tuple[str, str], deque[float]] = {key: deque(maxlen=6) for key in self.states}
        self.active = {host.name: next(iter(world.places)) for host in world.hosts}
        self.ids: set[str] = set()
        self.inspect_at = {host.name: (READ_WHEN_CALM_S, READ_WHEN_NEWS_S) for host in world.hosts}
        self.seen: Counter[str] = Counter()
        for host in world.hosts:
            assert not host.monitor(canaries=False), "nothing has happened yet"

    def step(self, *, calls: int = 1, crowd: int = 0) -> None:
        """One tick of the world, one round of every monitor, and some calls of every worker that is free: one after the
        other, or a crowd of so many instead."""
        world = self.world
        world.pass_time()
        world.replicate()
        for host in world.hosts:
            if host.has_its_round(world.ticks):
                events = host.monitor(canaries=True)
                for event in events:
                    self._event(host, event)
                self._host(host)
                if world.now >= self.inspect_at[host.name][bool(events)]:
                    self._documents(host)
                    self.inspect_at[host.name] = world.now + READ_WHEN_CALM_S, world.now + READ_WHEN_NEWS_S
                assert host.view.decision == host.best, "the decision is not the highest that was ever read"
            for worker in host.workers:
                if worker.catch_up(world.now):
                    self._worker(host, worker, calls, crowd)

    def round(self) -> None:
        """So long that every monitor has looked and every worker has followed."""
        for _ in range(ROUND_TICKS + 1):
            self.step()

    def recover(self, *, within: float = 600.0) -> None:
        """Everything is well from now on: within so many seconds all is as if nothing had happened, for a minute."""
        self.world.resume()
        for name in self.world.places:
            self.world.mend(name)
        end, steady = self.world.now + within, 0
        while steady < 12:
            assert self.world.now < end, self._away()
            self.step()
            steady = 0 if self._away() else steady + 1
        decisions = {host.view.decision for host in self.world.hosts}
        assert len(decisions) == 1, "two hosts follow different decisions"
        for host in self.world.hosts:
            self._journey(host)
            raised = {one["name"] for one in self._documents(host)["alarms"] if one["state"] != "ok"}
            assert not raised - {"flapping", "configuration"}, "an alarm that nothing explains"

    def _away(self) -> list[str]:
        """Hosts and workers that are not where they would be had nothing ever happened."""
        found = []
        for host in self.world.hosts:
            decided = host.view.decision
            home = decided.region if decided is not None and decided.region else next(iter(self.world.places))
            shut = [name for name, one in host.view.circuits.items() if one.state is not CLOSED]
            found += [f"{host.name}{name} {host.view}" for name in shut]
            found += [host.name] if self.active[host.name] != home else []
            found += [worker.key for worker in host.workers if worker.router.order()[0] != home]
            found += [worker.key for worker in host.workers if worker.router.active() != home]
        return found

    def _host(self, host: Host) -> None:
        """View, status and events never contradict each other."""
        for name, circuit in host.view.circuits.items():
            assert circuit.state.value == self.states[host.name, name]
        decided = host.view.decision
        home = decided.region if decided is not None and decided.region else next(iter(self.world.places))
        preferred = (home, *(name for name in self.world.places if name != home))
        serving = min(preferred, key=lambda name: self._reluctance(host, name))
        assert self.active[host.name] == serving, "traffic goes elsewhere than the circuits and the decision say"

    def _reluctance(self, host: Host, name: str) -> tuple[int, bool]:
        state = self.states[host.name, name]
        return RELUCTANCE[state], state == "open" and host.view.circuits[name].ailing

    def _documents(self, host: Host) -> StatusDocument:
        """What people read, in full, and whether the counters add up."""
        now, world = self.world.now, self.world
        for worker in host.workers:
            report = worker.router.report()
            assert report.calls == report.answered + report.refused + report.unanswered
            for one in report.regions.values():
                assert one.requests == one.ok + sum(one.failures.values())
        status = host.watch.status(now, now + host.skew_s, [])
        assert len(status["explain"]) == RULES_EXPLAINED * len(world.places)
        assert all(row["text"] for row in status["explain"])
        assert status["routing"]["active"] == self.active[host.name]
        told = {one["name"]: one["circuit"] for one in status["regions"]}
        assert told == {name: self.states[host.name, name] for name in told}
        (refused,) = [one["state"] == "alarm" for one in status["alarms"] if one["name"] == "configuration"]
        serves = status["summary"].startswith(f"Serving from {self.active[host.name]} since ")
        assert serves or (refused and status["summary"].startswith("Every region refuses calls ("))
        for line in status["replication"]:
            pair = (line["from"], line["to"])
            flowing = now - world.pause_ended.get(pair, float("-inf")) > 60 and pair not in world.paused
            steady = all(now - world.places[name].faulty_at > 60 for name in pair)
            assert line["state"] == "ok" or not (flowing and steady and now - host.began_at > 60), line
        return status

    def _journey(self, host: Host) -> None:
        """What goes from one process to another comes out of its file as it went in."""
        assert view_from_json(json.loads(json.dumps(view_to_json(host.view))), age_s=0.0) == host.view
        for report in host.files.values():
            assert report_from_json(json.loads(json.dumps(report_to_json(report)))) == report
        status = host.watch.status(self.world.now, self.world.now + host.skew_s, [])
        assert json.loads(json.dumps(status)) == status

    def _event(self, host: Host, event: Event) -> None:
        assert event.id not in self.ids or event.id.startswith(("routing-", "superseded-"))
        self.ids.add(event.id)
        assert event.reason
        assert event.actor
        self.seen[event.kind.value] += 1
        match event.kind:
            case EventKind.CIRCUIT_OPENED | EventKind.CIRCUIT_HALF_OPEN | EventKind.CIRCUIT_CLOSED:
                self._turned(host, event)
            case EventKind.FAILOVER | EventKind.FAILBACK | EventKind.SWITCHED:
                assert event.from_ == self.active[host.name] != event.to
                assert (event.actor == AUTOMATIC) == (event.kind is not EventKind.SWITCHED)
                self.active[host.name] = event.to

    def _turned(self, host: Host, event: Event) -> None:
        key, now, world = (host.name, event.region), self.world.now, self.world
        assert (event.from_, event.to) == (self.states[key], event.to)
        assert (event.from_, event.to) in LEGAL
        self.states[key] = event.to
        if event.to == "open":
            if event.reason.startswith(STALLED):
                assert event.from_ == "half-open"
                assert self._stalled(event.region), f"a wrong flip: {event}"
                self._held(key, event)
                self.seen["stalled"] += 1
                return
            within = next((s for cause, s in CAUSES if event.reason.startswith(cause)), 130 + 4 * ROUND_S)
            place = world.places[event.region]
            too_late = event.reason.startswith(TOO_LATE)  # a few late answers among few are slowness too
            failing_at = max(place.failing_at, place.late_at[0] if too_late else place.failing_at)
            assert now - failing_at <= within, f"a wrong flip: {event}"
            if event.from_ == "closed":  # what was met before it closed is forgiven
                assert failing_at >= self.closed_at.get(key, 0.0) - 2 * ROUND_S, f"an old grudge: {event}"
            slow = event.reason.startswith(SLOW)
            assert not (slow and host.best and host.best.region == event.region), f"slowness overrode a pin: {event}"
            if "canaries failed in a row" in event.reason:
                assert host.failures[event.region] >= world.config.canary_failures_to_open, f"too early: {event}"
            self._held(key, event)
            self.seen["slow"] += slow
            return
        for other in world.places:
            paused_at = world.paused.get((other, event.region))
            opened_at = self.opened_at.get((host.name, other), float("-inf"))
            took_over = event.to == "half-open" and opened_at > self.opened_at[key] and world.places[other].well
            matters = other != event.region and (self.states[host.name, other] != "open" or took_over)
            if not matters or paused_at is None:
                continue
            # Where nothing could be written nothing can be late: what was last seen is believed until it is too old.
            unwritable = world.config.quiet_s if world.places[other].faulty_at >= paused_at else 0.0
            limit = world.config.lag_limit_ms / 1000 + 2 * ROUND_S + unwritable
            assert now - paused_at <= limit, f"a lagging region: {event}"
        if event.to == "closed":
            self.closed_at[key] = now
            return
        assert now - self.opened_at[key] >= self.held[key], f"not held: {event}"
        assert host.passes[event.region] >= world.config.canaries_to_close, f"too few canaries: {event}"
        assert world.places[event.region].fault not in FAILING, f"its canary fails: {event}"

    def _stalled(self, name: str) -> bool:
        """Whether replication into a region has been away for long, or was until a moment ago."""
        world, long = self.world, self.world.config.lag_stalled_ms / 1000 - 2 * ROUND_S
        into = [at for (_, into), at in world.paused.items() if into == name]
        ended = [at for (_, into), at in world.pause_ended.items() if into == name]
        return any(world.now - at >= long for at in into) or any(world.now - at <= 2 * ROUND_S for at in ended)

    def _held(self, key: tuple[str, str], event: Event) -> None:
        """How long an opening holds: twice the latest hold up to the cap, afresh after a calm, longer for who flaps."""
        now, config = self.world.now, self.world.config
        calm = event.from_ == "closed" and now - self.closed_at.get(key, now) >= config.hold_cap_s
        latest = self.held.get(key)
        self.held[key] = config.hold_s if calm or latest is None else min(2 * latest, config.hold_cap_s)
        self.seen["doubled"] += self.held[key] > config.hold_s
        self.opened_at[key] = now
        if event.from_ == "closed":
            self.relapses[key].append(now)
        recent = [at for at in self.relapses[key] if now - at < config.flap_window_s]
        if len(recent) >= config.flap_openings:
            self.seen["flapping"] += 1
            self.held[key] = config.flap_hold_s
            assert "held longer" in event.reason
        assert event.reason.endswith(f"; held for at least {self.held[key]:.0f} s"), f"another hold: {event}"

    def monitor_restarted(self, host: Host) -> None:
        """A restart forgets nothing of what its host's view said: what the next one says of that moment is the same."""
        again = host.watch.view(host.looked_at)
        assert again.decision == host.best, "a decision was forgotten"
        assert again.circuits == host.view.circuits, "a circuit is not as it was"
        assert again.serving is not None
        assert host.view.serving is not None
        assert again.serving.region == host.view.serving.region == self.active[host.name]
        assert again.serving.since == min(host.view.serving.since, host.wall), "it serves since another time"
        self._journey(host)
        self.seen["restarted"] += 1
        self.seen["restarted-away"] += any(one.state is not CLOSED for one in again.circuits.values())

    def _worker(self, host: Host, worker: Worker, calls: int, crowd: int) -> None:
        host.followed(worker)
        if host.shut:
            order = set(worker.router.order())
            assert order
            assert not host.shut & order or order == set(self.world.places), "the host's verdict is not followed"
        if not crowd and host.tried and self.world.random.random() < 0.2:
            crowd = 2
        if crowd:
            self._crowd(host, worker, crowd)
        for _ in range(0 if crowd else calls):
            self._call(worker, [])
        if host.has_its_round(self.world.ticks + 1):  # what is written before is overwritten unread
            report = host.reported(worker)
            own = {name for name, one in report.regions.items() if one.circuit is OPEN}
            order = set(worker.router.order()) if own else set()
            assert not own & order or order == set(self.world.places), "what the worker met itself is not followed"

    def _crowd(self, host: Host, worker: Worker, calls: int) -> None:
        crowd = Crowd(self.world, host, worker)
        within, random = self.world.random.choice(CROWDED_WITHIN_S), self.world.random
        crowd.comes(partial(self._call, worker), [random.uniform(0.0, within) for _ in range(calls)])
        self.seen += crowd.seen

    def _call(self, worker: Worker, trace: list[Attempt]) -> str:
        ended = make_call(self.world, worker, trace)
        self.seen[ended] += 1
        return ended
