"""The rules of the engine, checked against a world at every step: what each call and each change must keep."""

from __future__ import annotations

import json
from collections import Counter, deque

from failover.core.breaker import CircuitState
from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.interfaces import Bound, Consistency
from tests.core.world import CANARY_TICKS, TICK_S, Fault, Host, Worker, World

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
LEGAL = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}
RULES_EXPLAINED = 15
CAUSES = (
    ("live traffic", 6 * TICK_S),
    ("a live trial failed", 6 * TICK_S),
    ("3 live trials took", 6 * TICK_S),
    ("a canary failed", 2 * CANARY_TICKS * TICK_S),
    ("slow:", 60 + 6 * TICK_S),
)
"""How long ago the fault may be that an opening is put down to; anything else may be as old as the error window."""


class Inspector:
    """Runs a world and checks it. Raises AssertionError at the first broken rule."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.states = {(host.name, name): "closed" for host in world.hosts for name in world.places}
        self.opened_at: dict[tuple[str, str], float] = {}
        self.held: dict[tuple[str, str], float] = {}
        self.relapses: dict[tuple[str, str], deque[float]] = {key: deque(maxlen=6) for key in self.states}
        self.active = {host.name: next(iter(world.places)) for host in world.hosts}
        self.ids: set[str] = set()
        self.seen: Counter[str] = Counter()
        for host in world.hosts:
            assert not host.monitor(canaries=False), "nothing has happened yet"

    def step(self, *, calls: int = 1) -> None:
        """One tick of the world, one round of every monitor, and some calls of every worker that is free."""
        world = self.world
        world.pass_time()
        world.replicate()
        for host in world.hosts:
            ranked = host.watch.view().decision
            for event in host.monitor(canaries=world.ticks % CANARY_TICKS == 0):
                self._event(host, event)
            self._host(host)
            held = host.watch.view().decision
            assert ranked is None or (held is not None and held.rank >= ranked.rank), "a decision was forgotten"
            assert held == host.best, "the decision is not the highest that was ever read"
            for worker in host.workers:
                if worker.catch_up(world.now):
                    self._worker(host, worker, calls)

    def calm(self, seconds: float) -> None:
        """Everything is well for so long."""
        self.world.resume()
        for name in self.world.places:
            self.world.mend(name)
        for _ in range(round(seconds / TICK_S)):
            self.step()

    def recovered(self) -> None:
        """After a calm, every host and worker is where it would be had nothing ever happened."""
        for host in self.world.hosts:
            decided = host.watch.view().decision
            home = decided.region if decided is not None and decided.region else next(iter(self.world.places))
            assert all(one.state is CLOSED for one in host.watch.view().circuits.values()), host.watch.view()
            assert self.active[host.name] == home
            for worker in host.workers:
                assert worker.router.order()[0] == home
                assert worker.router.active() == home
        decisions = {json.dumps(host.view[: host.view.index('"circuits"')]) for host in self.world.hosts}
        assert len(decisions) == 1, "two hosts follow different decisions"

    def _host(self, host: Host) -> None:
        """View, status and events never contradict each other."""
        now, world = self.world.now, self.world
        for name, circuit in host.watch.view().circuits.items():
            assert circuit.state.value == self.states[host.name, name]
        if self.world.ticks % 12:
            return
        for worker in host.workers:
            report = worker.router.report()
            hedges = sum(one.hedges for one in report.regions.values())
            assert hedges <= world.config.hedge_share * worker.reads + 1e-6, "too many hedges"
            assert report.calls == report.answered + report.refused + report.unanswered
            for one in report.regions.values():
                assert one.requests == one.ok + sum(one.failures.values()) + sum(one.outrun)
        status = json.loads(json.dumps(host.watch.status(now, now + host.skew_s, [])))
        assert len(status["explain"]) == RULES_EXPLAINED * len(world.places)
        assert all(row["text"] for row in status["explain"])
        assert status["routing"]["active"] == self.active[host.name]
        assert status["summary"].startswith(f"Serving from {self.active[host.name]} since ")
        for line in status["replication"]:
            pair = (line["from"], line["to"])
            flowing = now - world.pause_ended.get(pair, float("-inf")) > 60 and pair not in world.paused
            steady = all(now - world.places[name].faulty_at > 60 for name in pair)
            assert line["state"] == "ok" or not (flowing and steady and now - host.began_at > 60), line

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
            within = next((s for cause, s in CAUSES if event.reason.startswith(cause)), 130 + 6 * TICK_S)
            assert now - world.places[event.region].faulty_at <= within, f"a wrong flip: {event}"
            self._held(key, event)
            self.seen["slow"] += event.reason.startswith("slow:")
            return
        for other in world.places:
            paused_at = world.paused.get((other, event.region))
            matters = other != event.region and self.states[host.name, other] != "open"
            if not matters or paused_at is None:
                continue
            # Where nothing could be written nothing can be late: what was last seen is believed until it is too old.
            unwritable = world.config.quiet_s if world.places[other].faulty_at >= paused_at else 0.0
            assert now - paused_at <= 8 + 3 * TICK_S + unwritable, f"a lagging region: {event}"
        if event.to == "half-open":
            assert now - self.opened_at[key] >= self.held[key], f"not held: {event}"

    def _held(self, key: tuple[str, str], event: Event) -> None:
        now, config = self.world.now, self.world.config
        self.opened_at[key] = now
        self.held[key] = config.hold_s
        if event.from_ == "closed":
            self.relapses[key].append(now)
        recent = [at for at in self.relapses[key] if now - at < config.flap_window_s]
        if len(recent) >= config.flap_openings:
            self.seen["flapping"] += 1
            self.held[key] = config.flap_hold_s
            assert "held longer" in event.reason

    def monitor_restarted(self, host: Host) -> None:
        """What a restart may forget: how often and how long a circuit was open, not that it was."""
        for name in self.world.places:
            key = (host.name, name)
            self.relapses[key].clear()
            self.opened_at[key] = self.world.now
            self.held[key] = self.world.config.hold_s
            if self.states[key] != "closed":
                self.states[key] = "open"
        self.active[host.name] = host.watch.status(self.world.now, 0.0, [])["routing"]["active"]

    def _worker(self, host: Host, worker: Worker, calls: int) -> None:
        view = host.followed(worker)
        order, shut = worker.router.order(), {name for name, one in view.circuits.items() if one.state is OPEN}
        assert order
        assert not shut & set(order) or set(order) == set(self.world.places), "the host's verdict is not followed"
        for _ in range(calls):
            self._call(worker, self.world.random.random())
        host.reported(worker)

    def _call(self, worker: Worker, kind: float) -> None:
        """A read that may be hedged, a write that may be repeated, or one that may not."""
        world, clock, seen = self.world, worker.clock, list[Attempt]()
        repeatable, hedge = kind < 0.8, kind < 0.4
        began, failure = clock.monotonic(), ""
        try:
            if hedge:
                worker.reads += 1
                routed = worker.router.read(_where, hedge=True, on_attempt=seen.append)
            else:
                consistency = Consistency.STRONG_ELSE_EVENTUAL if kind < 0.6 else Consistency.EVENTUAL
                routed = worker.router.call(
                    _where, idempotent=repeatable, consistency=consistency, on_attempt=seen.append
                )
                assert all(one.outcome is not Outcome.OUTRUN for one in seen), "a write was hedged"
            assert routed.value == routed.region
        except OutcomeUnknown:
            failure = "unknown"
            assert not repeatable
            assert seen[-1].error_class is ErrorClass.UNKNOWN
        except NoRegionAnswered:
            failure = "unanswered"
        except RuntimeError:
            failure = "refused"
            assert any(place.fault is Fault.DENIED for place in world.places.values())
        self.seen[failure or "answered"] += 1
        self.seen["outrun"] += any(one.outcome is Outcome.OUTRUN for one in seen)
        assert clock.monotonic() - began <= world.config.deadline_s + 1e-6, "the deadline did not hold"
        if failure == "unanswered":
            assert not any(place.well for place in world.places.values()), f"a lost call: {seen}"
        asked = Counter(one.region for one in seen if one.outcome is not Outcome.SKIPPED)
        assert asked
        assert max(asked.values()) <= 2, "a region was asked again and again"


def _where(bound: Bound) -> str:
    return bound.region
