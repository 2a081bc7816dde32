"""The status document, put together from what is known. A view reads it and never computes one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

from failover.core.decisions import Decision
from failover.core.events import AUTOMATIC, Event
from failover.core.phrases import counted, phrase, to_json
from failover.core.routing.plan import Plan
from failover.core.signals.breaker import CircuitState
from failover.core.signals.error_rate import over_threshold
from failover.core.signals.health import Canary
from failover.core.signals.lag import LagState
from failover.core.status.rule_texts import state_text
from failover.core.status.rules import explain
from failover.core.status.sentence import summary
from failover.core.status.types import (
    AlarmDocument,
    EventDocument,
    RegionDocument,
    ReplicationDocument,
    RoutingDocument,
    StatusDocument,
    iso,
)
from failover.core.watching.facts import Misconfiguration, RegionFacts


def status_document(
    facts: Mapping[str, RegionFacts],
    *,
    plan: Plan,
    refused: Misconfiguration | None,
    decision: Decision | None,
    since: float,
    wall: float,
    events: Iterable[Event],
) -> StatusDocument:
    """Everything people are shown. `since` (when the active region became active) and `wall` are epoch seconds."""
    sentence = summary(facts, plan=plan, refused=refused, decision=decision, since=since)
    return {
        "generated_at": iso(wall),
        "routing": _routing(plan, decision, since),
        "summary": sentence,
        "summary_said": to_json(sentence),
        "regions": [_region(region) for region in facts.values()],
        "replication": [line for region in facts.values() for line in _replication(region)],
        "alarms": [*(alarm for region in facts.values() for alarm in _alarms(region)), _configuration(refused)],
        "explain": [row for region in facts.values() for row in explain(region)],
        "events": [event_document(event) for event in sorted(events, key=lambda event: event.at, reverse=True)],
    }


def event_document(event: Event) -> EventDocument:
    """An event as people see it."""
    return {
        "id": event.id,
        "at": iso(event.at),
        "kind": event.kind.value,
        "region": event.region,
        "from": event.from_,
        "to": event.to,
        "actor": event.actor,
        "reason": event.reason,
        "said": to_json(event.reason),
    }


def _routing(plan: Plan, decision: Decision | None, since: float) -> RoutingDocument:
    return {
        "mode": "auto" if decision is None else decision.mode,
        "region": None if decision is None else decision.region,
        "active": plan.active,
        "epoch": 0 if decision is None else decision.epoch,
        "actor": AUTOMATIC if decision is None else decision.actor,
        "reason": "never changed by hand" if decision is None else decision.reason,
        "since": iso(since),
    }


def _region(facts: RegionFacts) -> RegionDocument:
    latest = facts.health.latest
    layers = (latest or Canary()).layers
    return {
        "name": facts.name,
        "priority": facts.priority,
        "state": facts.state.value,
        "circuit": facts.circuit.state.value,
        "checks": {
            name: {
                "ok": layer.ok,
                "ms": layer.ms,
                "detail": layer.detail,
                "said": to_json(layer.detail),
                "stale": layer.stale,
            }
            for name, layer in layers.items()
        },
        "requests_2m": facts.traffic.requests,
        "error_rate_2m": round(facts.traffic.unserved_rate, 4),
        "p50_ms": _rounded(facts.traffic.percentile(0.5)),
        "p99_ms": _rounded(facts.traffic.percentile(0.99)),
        "age_ms": None if latest is None else round((facts.now - facts.health.at) * 1000),
    }


def _replication(facts: RegionFacts) -> Iterator[ReplicationDocument]:
    for origin, lag in facts.lags.items():
        yield {
            "from": origin,
            "to": facts.name,
            "lag_ms": None if lag.ms is None else round(lag.ms),
            "state": lag.state.value,
            "age_ms": None if lag.age_s is None else round(lag.age_s * 1000),
        }


def _alarms(facts: RegionFacts) -> Iterator[AlarmDocument]:
    is_open = facts.circuit.state is not CircuitState.CLOSED
    state = state_text(facts.circuit.state)
    detail = phrase("{state}: {reason}", state=state, reason=facts.circuit.reason) if is_open else state
    yield _alarm("circuit", facts, is_open, detail)
    judged = facts.judged
    detail = phrase("{percent:.1f}% of {requests} requests", percent=judged.error_rate * 100, requests=judged.weighed)
    yield _alarm("error-rate", facts, over_threshold(judged, facts.config), detail)
    failing = facts.health.failures >= facts.config.canary_failures_to_open
    yield _alarm("canary", facts, failing, phrase("{failures} failed in a row", failures=facts.health.failures))
    name = (facts.health.latest or Canary()).dns
    yield _alarm("stale-dns", facts, name.stale, name.detail if name.stale else phrase("no stale answer serves"))
    slow = facts.slowness
    was_slow = facts.quick_ms is not None
    pace = phrase("it was left for being slow") if was_slow else phrase("no traffic")
    if slow.pace.p99_ms is not None:
        pace = phrase("p99 {ms:.0f} ms", ms=slow.pace.p99_ms)
    yield _alarm("slow", facts, slow.met or was_slow, pace)
    flaps = facts.circuit.flaps(facts.now, facts.config)
    flapping = flaps >= facts.config.flap_openings
    window = facts.config.flap_window_s
    times = counted("{count} time", "{count} times", flaps)
    detail = phrase("opened {times} within {window:.0f} s", times=times, window=window)
    yield _alarm("flapping", facts, flapping, detail)
    late = {origin: lag for origin, lag in facts.lags.items() if lag.state in (LagState.SLOW, LagState.STALLED)}
    behind = [
        phrase("{seconds:.1f} s behind {region}", seconds=(lag.ms or 0.0) / 1000, region=origin)
        for origin, lag in late.items()
    ]
    none = phrase("below its limit, or unknown")
    detail = reduce(lambda some, more: phrase("{some}, {more}", some=some, more=more), behind) if behind else none
    yield _alarm("replication-lag", facts, bool(late), detail)


def _configuration(refused: Misconfiguration | None) -> AlarmDocument:
    """The one alarm that is no region's: all of them refuse, so the mistake is on this side."""
    detail = phrase("no call is refused by every region")
    if refused is not None:
        detail = phrase("every region refuses calls: {refusal}", refusal=refused.detail)
    return _alarm("configuration", None, refused is not None, detail)


def _alarm(name: str, facts: RegionFacts | None, raised: bool, detail: str) -> AlarmDocument:
    return {
        "name": name,
        "region": "" if facts is None else facts.name,
        "state": "alarm" if raised else "ok",
        "detail": detail,
        "said": to_json(detail),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
