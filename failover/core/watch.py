"""The monitor's brain: it gathers evidence about every region, and tells at each tick what changed. No I/O, no threads.

`now` is monotonic seconds, `wall` seconds since the epoch; the caller reads the clock. Not thread-safe: the monitor
calls it from one thread, or under a lock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from failover.core.config import RouterConfig
from failover.core.counters import RegionCounters
from failover.core.decisions import Decision, latest
from failover.core.events import AUTOMATIC, Event, EventKind, new_id
from failover.core.exchange.reports import HostView, RegionReport, WorkerReport
from failover.core.exchange.restart import Serving
from failover.core.phrases import phrase
from failover.core.regions import Region, by_priority
from failover.core.routing.plan import Plan, plan
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary
from failover.core.signals.lag import LagMeter
from failover.core.signals.latency import Rival
from failover.core.status.document import status_document
from failover.core.status.routing_log import routed, superseded
from failover.core.status.types import StatusDocument
from failover.core.watching.alarms import ConfigurationAlarm, LagAlarms, Lags
from failover.core.watching.evidence import Evidence
from failover.core.watching.facts import RegionFacts

_CIRCUIT_EVENTS = {
    CircuitState.OPEN: EventKind.CIRCUIT_OPENED,
    CircuitState.HALF_OPEN: EventKind.CIRCUIT_HALF_OPEN,
    CircuitState.CLOSED: EventKind.CIRCUIT_CLOSED,
}
FORGET_WORKERS_S = 3600.0
"""How long the last report of a worker that vanished is kept, should its file appear again."""
_NOTHING_MET = RegionReport()


class Watch:
    """One host's view of all regions. `ids` names events."""

    def __init__(
        self,
        regions: Sequence[Region],
        *,
        config: RouterConfig,
        ids: Callable[[], str] = new_id,
    ) -> None:
        self._regions = by_priority(regions)
        self._config = config
        self._ids = ids
        self._evidence = {region.name: Evidence(region, config) for region in self._regions}
        names = [region.name for region in self._regions]
        self._meters = {(origin, other): LagMeter(config) for origin in names for other in names if origin != other}
        self._lag_alarms = LagAlarms(config, ids)
        self._configuration = ConfigurationAlarm(self._evidence, config, ids)
        self._ailing: frozenset[str] = frozenset()
        self._reports: dict[str, tuple[WorkerReport, float]] = {}
        self._met_workers = False
        self._hosts: dict[str, Mapping[str, Mapping[str, int]]] = {}
        self._decision: Decision | None = None
        self._followed: Decision | None = None
        self._superseded: dict[str, Decision] = {}
        self._logged: set[str] = set()
        self._serving: Serving | None = None
        self._home = ""

    def restore(self, view: HostView, now: float, wall: float) -> None:
        """Go on where this host's last monitor ended: its decision holds, and the circuits are as they were."""
        self._decision = self._followed = view.decision
        for name, circuit in view.circuits.items():
            if name in self._evidence:
                self._evidence[name].restore(circuit, written_at=now - view.age_s, now=now)
        self._ailing = frozenset(name for name, circuit in view.circuits.items() if circuit.ailing)
        before, served = self._plan(), view.serving
        since = served.since if served is not None and served.region == before.active else wall
        self._serving, self._home = Serving(before.active, min(since, wall)), before.home

    def on_canary(self, region: str, canary: Canary, now: float) -> None:
        """A fresh-connection canary of this host came back."""
        self._evidence[region].canary(canary, now)

    def on_reports(self, reports: Mapping[str, WorkerReport], now: float) -> None:
        """Take all current reports, keyed by worker and start ("pid-start"). The growth of their counters is counted.

        The first call only notes the workers' counters, because this monitor may have restarted. One
        thing counts at once: a worker's open circuit that opened after the host's circuit for that region
        had closed. A worker that first appears in a later call is counted from its start.
        """
        for key, report in reports.items():
            known = self._reports.get(key)
            before = known[0] if known is not None else None
            if before is None and not self._met_workers:
                self._adopt(report, now)
            else:
                self._count(before, report, now)
            self._reports[key] = (report, now)
        self._met_workers = True
        self._reports = {
            key: (report, at) for key, (report, at) in self._reports.items() if now - at <= FORGET_WORKERS_S
        }
        for name, evidence in self._evidence.items():
            rows = [report.regions[name] for report in reports.values() if name in report.regions]
            evidence.worst_row(
                max((row.consecutive_failures for row in rows), default=0),
                max((row.refused_writes for row in rows), default=0),
            )

    def on_host_counters(self, host: str, counters: Mapping[str, Mapping[str, int]], now: float) -> None:
        """Take what another host's beat carries: its workers' cumulative `requests` and `failed` by region.

        They are added to the figures that people see, and judge nothing here: each host has circuits of its own, since
        a network can fail for one host alone.
        """
        known = self._hosts.get(host)
        self._hosts[host] = counters
        if known is None:
            return
        for name, evidence in self._evidence.items():
            was, became = known.get(name, {}), counters.get(name, {})
            requests, failed = (became.get(field, 0) - was.get(field, 0) for field in ("requests", "failed"))
            if 0 <= failed <= requests:  # fewer than before: its workers began again, the next beat counts
                evidence.elsewhere(RegionCounters(requests=requests, failed=failed), now)

    def on_beat_written(self, region: str, seq: int, at: float) -> None:
        """This host wrote its beat `seq` in a region at `at` (monotonic)."""
        for (origin, _), meter in self._meters.items():
            if origin == region:
                meter.wrote(seq, at)

    def on_beat_seen(self, origin: str, in_region: str, seq: int, at: float) -> None:
        """`seq` is the newest of this host's beats of `origin` that `in_region` shows at `at` (monotonic)."""
        self._meters[origin, in_region].saw(seq, at)

    def on_decisions(self, decisions: Iterable[Decision]) -> None:
        """The routing decisions that the control rows hold. A decision older than the last known one changes nothing,
        and neither does an empty list (no region could be read).
        """
        known = () if self._decision is None else (self._decision,)
        self._decision, losers = latest([*known, *decisions])
        self._superseded |= {loser.id: loser for loser in losers if loser.id not in self._logged}

    def tick(self, now: float, wall: float) -> list[Event]:
        """Weigh the evidence. Each circuit changes its state at most once; every change is one event, in order."""
        events = self._routing_events()
        lags = self._lags(now)
        for name, evidence in self._evidence.items():
            if not evidence.may_turn(now):
                continue
            before = evidence.circuit.state
            facts = self._facts_of(name, lags, now)
            if evidence.judge(facts):
                events.append(self._circuit_event(before, facts, wall))
        opened = [name for name, evidence in self._evidence.items() if evidence.circuit.state is CircuitState.OPEN]
        self._ailing = frozenset(name for name in opened if self._facts_of(name, lags, now).ailing)
        events.extend(self._lag_alarms.events(lags, wall))
        events.extend(self._configuration.events(now, wall))
        events.extend(self._switch_events(lags, now, wall))
        return events

    def view(self, now: float) -> HostView:
        """The view that the workers follow, and that this host's next monitor begins with."""
        circuits = {
            name: evidence.host_circuit(now, ailing=name in self._ailing) for name, evidence in self._evidence.items()
        }
        return HostView(self._decision, circuits, serving=self._serving)

    def facts(self, now: float) -> dict[str, RegionFacts]:
        """What is known about every region, by priority."""
        lags = self._lags(now)
        return {name: self._facts_of(name, lags, now) for name in self._evidence}

    def status(self, now: float, wall: float, events: Iterable[Event]) -> StatusDocument:
        """The status document, with the events that the caller has (those of all hosts)."""
        return status_document(
            self.facts(now),
            plan=self._plan(),
            refused=self._configuration.refused(now),
            decision=self._decision,
            since=wall if self._serving is None else self._serving.since,
            wall=wall,
            events=events,
        )

    def _plan(self) -> Plan:
        states = {name: evidence.circuit.state for name, evidence in self._evidence.items()}
        return plan(self._regions, states, self._decision, self._ailing)

    def _facts_of(self, name: str, lags: Lags, now: float) -> RegionFacts:
        into = {origin: lags[origin, name] for origin in self._evidence if origin != name}
        pinned = self._decision is not None and self._decision.region == name
        rival = self._rival(name, lags, now)
        return self._evidence[name].facts(into, self._needed(name, now), now, rival=rival, pinned=pinned)

    def _needed(self, name: str, now: float) -> frozenset[str]:
        """The regions whose writes must have arrived before traffic goes (back) to `name`: those that take traffic, or
        that took it after `name` had been left and can still be reached."""
        left_at = self._evidence[name].circuit.since
        others = ((other, evidence) for other, evidence in self._evidence.items() if other != name)
        return frozenset(other for other, evidence in others if evidence.wrote_after(left_at, now))

    def _rival(self, name: str, lags: Lags, now: float) -> Rival | None:
        """The quickest other region that is well and not behind."""
        rivals = (
            evidence.rival(now, up_to_date=lags[name, other].within(self._config.lag_limit_ms))
            for other, evidence in self._evidence.items()
            if other != name
        )
        return min((rival for rival in rivals if rival is not None), key=lambda rival: rival.canary_ms, default=None)

    def _lags(self, now: float) -> Lags:
        """The lag from each region to each other one. It is unknown while the other one cannot be read."""
        readable = {name: evidence.health.readable for name, evidence in self._evidence.items()}
        lags = ((pair, meter.lag(now)) for pair, meter in self._meters.items())
        return {pair: lag if readable[pair[1]] else lag.unknown for pair, lag in lags}

    def _adopt(self, report: WorkerReport, now: float) -> None:
        for name, region in report.regions.items():
            evidence = self._evidence.get(name)
            if evidence is None or region.circuit is not CircuitState.OPEN:
                continue
            if evidence.circuit.state is CircuitState.CLOSED and now - region.open_s >= evidence.circuit.since:
                evidence.worker_open(region)  # about any other circuit, or an earlier one, it says nothing new

    def _count(self, before: WorkerReport | None, report: WorkerReport, now: float) -> None:
        self._configuration.count(
            denied=report.denied > (before.denied if before is not None else 0),
            answered=report.answered > (before.answered if before is not None else 0),
            now=now,
        )
        for name, evidence in self._evidence.items():
            became = report.regions.get(name, _NOTHING_MET)
            was = before.regions.get(name, _NOTHING_MET) if before is not None else _NOTHING_MET
            if became.requests < was.requests:
                was = _NOTHING_MET  # the same name, but a worker that began again
            evidence.live(was, became, now)

    def _routing_events(self) -> list[Event]:
        events: list[Event] = []
        if self._decision is None:
            return events
        for loser in self._superseded.values():
            self._logged.add(loser.id)
            events.append(superseded(loser, self._decision))
        self._superseded.clear()
        if self._decision != self._followed:
            events.append(routed(self._decision, self._followed))
        return events

    def _circuit_event(self, before: CircuitState, facts: RegionFacts, wall: float) -> Event:
        after = self._evidence[facts.name].circuit
        match after.state:
            case CircuitState.OPEN:
                reason = phrase("{reason}; held for at least {wait:.0f} s", reason=after.reason, wait=after.wait_s)
            case CircuitState.HALF_OPEN:
                reason = phrase(
                    "{passes} canaries passed in a row, the hold is over and the lag is low",
                    passes=facts.health.passes,
                )
            case CircuitState.CLOSED if before is CircuitState.OPEN:
                reason = phrase("new connections are answered: those that failed were pooled ones")
            case CircuitState.CLOSED:
                reason = phrase(
                    "{trials} live trials and {canaries} canaries passed",
                    trials=facts.trials_passed,
                    canaries=facts.canaries_passed,
                )
        kind = _CIRCUIT_EVENTS[after.state]
        return Event(self._ids(), wall, kind, before.value, after.state.value, AUTOMATIC, reason, facts.name)

    def _switch_events(self, lags: Lags, now: float, wall: float) -> list[Event]:
        plan_now, served, home = self._plan(), self._serving, self._home
        decided, self._followed = self._decision != self._followed, self._decision
        self._home = plan_now.home
        if served is not None and plan_now.active == served.region:
            return []
        self._serving = Serving(plan_now.active, wall)
        if served is None:
            return []  # the first tick: what was active before is not known
        was = served.region
        actor = AUTOMATIC
        reason: str = self._facts_of(was, lags, now).why_down
        if decided and self._decision is not None and plan_now.home != home:
            kind, actor, reason = EventKind.SWITCHED, self._decision.actor, self._decision.reason
        elif plan_now.active == plan_now.home and self._evidence[plan_now.home].circuit.state is CircuitState.CLOSED:
            kind = EventKind.FAILBACK
            reason = phrase("{region} is back: its circuit is closed", region=plan_now.active)
        else:
            kind = EventKind.FAILOVER
        return [Event(self._ids(), wall, kind, was, plan_now.active, actor, reason, plan_now.active)]
