"""`/metrics`: this host's counters and its monitor's view, as Prometheus reads them.
`docs/metrics.md` names each.

Nothing is counted here. The web workers write their counters for the monitor anyway, and a scrape
adds them up, so any worker may answer it and a vote costs nothing more. The monitor's view is left
out once the monitor is silent: an old circuit must not look current.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from failover import wiring
from failover.core.counters import LATENCY_BOUNDS_MS, NOTHING
from failover.core.errors import Outcome
from failover.core.events import EventKind
from failover.core.exchange.totals import HostCounters, Totals, counted
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import HealthState
from failover.core.status.types import StatusDocument

Labels = TypeVar("Labels", bound=tuple[str, ...])

SWITCHES = (EventKind.FAILOVER, EventKind.FAILBACK, EventKind.SWITCHED)
BOUNDS = (*(f"{bound / 1000:g}" for bound in LATENCY_BOUNDS_MS), "+Inf")
OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.SKIPPED)  # a region passed over is no attempt


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures. Readable without a token in the lab, elsewhere only with the token."""
    if not _allowed(request):
        reply = HttpResponse("a token is needed: see SURVEY_METRICS_TOKEN\n", status=401, content_type="text/plain")
        reply["WWW-Authenticate"] = "Bearer"
        return reply
    registry = CollectorRegistry()
    registry.register(HostCollector(wiring.current()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _allowed(request: HttpRequest) -> bool:
    token: str = settings.METRICS_TOKEN
    if not token:
        return bool(settings.METRICS_OPEN)
    given = request.headers.get("Authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


class HostCollector(Collector):
    """Collects the metrics from the files that the processes of this host share."""

    def __init__(self, wired: wiring.Wired) -> None:
        self._wired = wired

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are known only when the metrics are read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        files, now = self._wired.files, self._wired.clock.wall()
        gone, reports = files.gone(), files.reports()
        totals = files.totals()  # after the reports: see `counted`
        regions = self._wired.config.regions
        yield from traffic(counted(totals, reports), regions)
        yield from decisions(totals)
        yield _gauge("workers", "Processes of this host that count calls", [], {(): len(reports.keys() - gone)})
        published = files.published(now=now)
        age_s = None if published is None else max(0.0, now - published.at)
        up = age_s is not None and age_s <= wiring.router_config(self._wired.config).stale_after_s
        yield _gauge("monitor_up", "1 while this host's monitor publishes", [], {(): float(up)})
        if age_s is not None:
            yield _gauge("monitor_age_seconds", "Since the monitor last published", [], {(): age_s})
        if published is not None and up:
            yield from view(published.status)


def traffic(report: HostCounters, regions: Iterable[str]) -> Iterator[Metric]:
    """What the workers counted. Every series exists from the start, so that a first failure is an
    increase.
    """
    attempts = _counter("attempts", "Attempts whose end is known", ["region", "outcome"])
    crowded = _counter("crowded", "Calls that went on sooner because others waited for the region", ["region"])
    duration = HistogramMetricFamily(
        "failover_attempt_duration_seconds", "Time that successful attempts took", labels=["region"]
    )
    for region in regions:
        counters = report.regions.get(region, NOTHING)
        for outcome in OUTCOMES:
            attempts.add_metric([region, outcome.value], counters.by_outcome(outcome))
        crowded.add_metric([region], counters.congested)
        buckets = list(zip(BOUNDS, map(float, accumulate(counters.latency)), strict=True))
        duration.add_metric([region], buckets, sum_value=counters.latency_ms / 1000)
    yield from (attempts, duration, crowded)
    calls = _counter("calls", "Calls of the router by how they ended", ["result"])
    for result in ("answered", "refused", "unanswered"):
        calls.add_metric([result], getattr(report, result))
    yield calls
    over = _counter("calls_failed_over", "Calls that another region than the first choice answered", [])
    over.add_metric([], report.failed_over)
    yield over
    denied = _counter("calls_denied", "Unanswered calls that every region refused: the configuration", [])
    denied.add_metric([], report.denied)
    yield denied


def decisions(totals: Totals) -> Iterator[Metric]:
    """What this host's monitor counted."""
    canaries = _counter("canaries", "Canaries by layer", ["region", "layer", "result"])
    for labels, count in totals.canaries.items():
        canaries.add_metric(labels, count)
    kinds = dict.fromkeys((kind.value for kind in EventKind), 0)
    openings: dict[tuple[str, ...], int] = {}
    switches = _counter("switches", "Changes of the active region", ["kind", "from", "to", "reason"])
    for (kind, region, from_, to, cause), count in totals.events.items():
        kinds[kind] = kinds.get(kind, 0) + count
        if kind == EventKind.CIRCUIT_OPENED:
            openings[region, cause] = openings.get((region, cause), 0) + count
        if kind in SWITCHES:
            switches.add_metric([kind, from_, to, cause], count)
    yield from (canaries, switches)
    opened = _counter("circuit_openings", "How often a circuit was opened", ["region", "reason"])
    for labels, count in openings.items():
        opened.add_metric(labels, count)
    yield opened
    events = _counter("events", "Decisions by kind, as in the event log", ["kind"])
    for kind, count in kinds.items():
        events.add_metric([kind], count)
    yield events


def view(status: StatusDocument) -> Iterator[Metric]:
    """The monitor's current view. What it does not know is left out."""
    regions, routing = status["regions"], status["routing"]
    names = [region["name"] for region in regions]
    circuits = {
        (region["name"], state): float(region["circuit"] == state) for region in regions for state in CircuitState
    }
    yield _gauge("circuit_state", "1 for the state that the circuit is in", ["region", "state"], circuits)
    states = {(region["name"], state): float(region["state"] == state) for region in regions for state in HealthState}
    yield _gauge("region_state", "1 for the state that the region is in", ["region", "state"], states)
    active = {(name,): float(name == routing["active"]) for name in names}
    yield _gauge("region_active", "1 for the region that traffic goes to", ["region"], active)
    pinned = {(name,): float(name == routing["region"]) for name in names}
    yield _gauge("routing_pinned", "1 for the region that a person pinned", ["region"], pinned)
    yield _gauge("routing_epoch", "Number of the routing decision that holds", [], {(): routing["epoch"]})
    layers = {(region["name"], name): check for region in regions for name, check in region["checks"].items()}
    ok = {labels: check["ok"] for labels, check in layers.items()}
    yield _gauge("canary_ok", "Whether a layer of the latest canary worked", ["region", "layer"], ok)
    taken = {labels: _seconds(check["ms"]) for labels, check in layers.items()}
    yield _gauge("canary_duration_seconds", "Time of a layer of the latest canary", ["region", "layer"], taken)
    ages = {(region["name"],): _seconds(region["age_ms"]) for region in regions}
    yield _gauge("canary_age_seconds", "Since the latest canary", ["region"], ages)
    lags = {(link["from"], link["to"]): _seconds(link["lag_ms"]) for link in status["replication"]}
    yield _gauge("replication_lag_seconds", "How far replication is behind", ["from", "to"], lags)
    alarms = {(alarm["name"], alarm["region"]): float(alarm["state"] == "alarm") for alarm in status["alarms"]}
    yield _gauge("alarm", "1 while the alarm is raised", ["name", "region"], alarms)


def _counter(name: str, text: str, labels: list[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"failover_{name}", text, labels=labels)


def _gauge(name: str, text: str, labels: list[str], values: Mapping[Labels, float | None]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"failover_{name}", text, labels=labels)
    for key, value in values.items():
        if value is not None:
            gauge.add_metric(key, float(value))
    return gauge


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000
