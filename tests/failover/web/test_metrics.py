"""`/metrics`: documented names, truthful figures, counters that never go back, and nothing old that looks new."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from failover import wiring
from failover.adapters.host_files import HostFiles
from failover.conf import FailoverConfig
from failover.core.errors import ErrorClass
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.exchange.reports import WorkerReport
from failover.core.exchange.totals import Totals, folded, with_canary, with_event
from failover.core.fakes import answers, fails
from failover.core.signals.health import Canary, Layer
from failover.web.metrics import HostCollector
from tests.deploy_check import ROOT
from tests.failover.dashboard.documents import EAST, WEST, east_down, healthy, pinned, publish
from tests.simulation.support import Bench, where

Figures = dict[str, dict[frozenset[tuple[str, str]], float]]
DOCUMENTED = re.compile(r"^\| `(failover_\w+)` \| (counter|gauge|histogram) \| ((?:`\w+`(?:, )?)*) ?\|", re.MULTILINE)


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[wiring.Wired]:
    """This process wired to regions whose ports are closed."""
    raw = {
        "REGIONS": f"{EAST},{WEST}",
        "ENDPOINTS": f"{EAST}=http://127.0.0.1:9,{WEST}=http://127.0.0.1:9",
        "RUN_DIR": str(tmp_path / "run"),
    }
    with wiring.using(FailoverConfig.parse(raw)) as wired:
        yield wired


def scrape(client: Client) -> Figures:
    """Every sample by name and labels, as Prometheus's own parser reads them."""
    reply = client.get("/metrics")
    assert reply.status_code == 200, reply.content
    figures: Figures = {}
    for family in text_string_to_metric_families(reply.content.decode()):
        for sample in family.samples:
            series = figures.setdefault(sample.name, {})
            labels = frozenset(sample.labels.items())
            assert labels not in series, f"{sample.name} {dict(labels)} twice"
            series[labels] = sample.value
    return figures


def figure(figures: Figures, name: str, /, **labels: str) -> float | None:
    """One sample, None where there is none. `from` is spelt `from_`."""
    return figures.get(name, {}).get(frozenset((key.rstrip("_"), value) for key, value in labels.items()))


def worked(calls: int) -> WorkerReport:
    """A real worker's report: the first call fails over, each answer takes half a second."""
    bench = Bench()
    bench.runner.plays(EAST, fails(ErrorClass.NOT_SENT), *[answers(seconds=0.5)] * (calls - 1))
    bench.runner.plays(WEST, answers(seconds=0.5))
    for _ in range(calls):
        bench.router.call(where, idempotent=True)
    return bench.router.report()


def living(files: HostFiles, name: str, report: WorkerReport) -> None:
    files.hold(name)
    files.write_report(name, report)


def eventful() -> Totals:
    """What a monitor has counted over an outage."""
    opened = Event("1", 1.0, EventKind.CIRCUIT_OPENED, "closed", "open", AUTOMATIC, "3 failed", EAST)
    left = Event("2", 1.0, EventKind.FAILOVER, EAST, WEST, AUTOMATIC, "why", WEST)
    broken = Canary(dns=Layer(True, 1.0), connect=Layer(False, 2.0, "refused", ErrorClass.NOT_SENT))
    return with_event(with_event(with_canary(Totals(), EAST, broken), opened, "connect"), left, "connect")


def test_the_documented_names_types_and_labels_are_those_that_are_given(wired: wiring.Wired, client: Client) -> None:
    living(wired.files, "1-1", worked(2))
    wired.files.write_totals(eventful())
    publish(wired.config.run_dir, east_down(wired.clock.wall()), wired.clock.wall())
    documented = {
        name: (kind, frozenset(re.findall(r"\w+", labels)))
        for name, kind, labels in DOCUMENTED.findall((ROOT / "docs" / "metrics.md").read_text())
    }

    given: dict[str, tuple[str, frozenset[str]]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        labels = frozenset().union(*(sample.labels for sample in family.samples))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        given[name] = (family.type, labels)

    assert documented == given
    assert len(given) >= 20


def test_it_is_the_text_that_prometheus_expects_and_never_cached(wired: wiring.Wired, client: Client) -> None:
    reply = client.get("/metrics")

    assert reply["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "no-store" in reply["Cache-Control"]
    assert client.post("/metrics").status_code == 405
    assert "X-Served-Region" not in reply


def test_all_workers_of_the_host_are_added_up_whoever_answers(wired: wiring.Wired, client: Client) -> None:
    living(wired.files, "1-1", worked(3))
    living(wired.files, "2-1", worked(5))

    figures = scrape(client)

    assert figure(figures, "failover_attempts_total", region=EAST, outcome="ok") == 6
    assert figure(figures, "failover_attempts_total", region=EAST, outcome="dns") == 2
    assert figure(figures, "failover_attempts_total", region=WEST, outcome="ok") == 2
    assert figure(figures, "failover_calls_total", result="answered") == 8
    assert figure(figures, "failover_calls_failed_over_total") == 2
    assert figure(figures, "failover_attempt_duration_seconds_count", region=EAST) == 6
    assert figure(figures, "failover_attempt_duration_seconds_sum", region=EAST) == pytest.approx(3.0)
    assert figure(figures, "failover_attempt_duration_seconds_bucket", region=EAST, le="0.3") == 0
    assert figure(figures, "failover_attempt_duration_seconds_bucket", region=EAST, le="0.5") == 6
    assert figure(figures, "failover_attempt_duration_seconds_bucket", region=EAST, le="+Inf") == 6


def test_the_first_failure_is_an_increase_because_its_series_was_there_at_zero(
    wired: wiring.Wired, client: Client
) -> None:
    figures = scrape(client)

    for outcome in ("ok", "dns", "connect", "tls", "timeout", "server-error", "throttled", "denied"):
        for region in (EAST, WEST):
            assert figure(figures, "failover_attempts_total", region=region, outcome=outcome) == 0
    assert figure(figures, "failover_events_total", kind="failover") == 0
    assert figure(figures, "failover_calls_total", result="unanswered") == 0


def test_no_counter_goes_back_and_no_dead_worker_counts_as_running_at_any_step_of_a_workers_death(
    wired: wiring.Wired, client: Client
) -> None:
    files = wired.files

    def seen() -> tuple[float | None, float | None]:
        figures = scrape(client)
        return figure(figures, "failover_calls_total", result="answered"), figure(figures, "failover_workers")

    living(files, "1-1", worked(3))
    living(files, "2-1", worked(5))
    own = 1  # this process counts calls too
    assert seen() == (8, 2 + own)
    files.release("1-1")  # it is killed
    assert seen() == (8, 1 + own)
    files.write_totals(folded(files.totals(), {"1-1": files.reports()["1-1"]}))
    assert seen() == (8, 1 + own)
    files.forget("1-1")
    assert seen() == (8, 1 + own)
    living(files, "3-1", worked(2))  # gunicorn brings another
    assert seen() == (10, 2 + own)


class Meddled(HostFiles):
    """The files, while the monitor folds and removes a worker right after one of the looks at them."""

    def __init__(self, run_dir: Path, *, after: str) -> None:
        super().__init__(run_dir)
        self._after = after

    def __getattribute__(self, name: str) -> Any:
        look = super().__getattribute__(name)
        if name not in ("gone", "reports", "totals") or name != super().__getattribute__("_after"):
            return look

        def looked() -> Any:
            seen = look()
            monitor = HostFiles(super(Meddled, self).__getattribute__("_workers").parent)
            gone = {worker: report for worker, report in monitor.reports().items() if worker in monitor.gone()}
            monitor.write_totals(folded(monitor.totals(), gone))
            for worker in gone:
                monitor.forget(worker)
            return seen

        return looked


@pytest.mark.parametrize("after", ["gone", "reports", "totals"])
def test_a_scrape_in_the_middle_of_a_folding_counts_the_worker_once(
    after: str, wired: wiring.Wired, client: Client
) -> None:
    run_dir = wired.config.run_dir
    wired.files.write_report("1-1", worked(3))  # of a worker that is gone
    registry = CollectorRegistry()
    registry.register(HostCollector(replace(wired, files=Meddled(run_dir, after=after))))

    assert registry.get_sample_value("failover_calls_total", {"result": "answered"}) == 3
    assert "1-1" not in wired.files.reports()
    assert figure(scrape(client), "failover_calls_total", result="answered") == 3


def test_the_monitors_counts_are_given(wired: wiring.Wired, client: Client) -> None:
    wired.files.write_totals(eventful())

    figures = scrape(client)

    assert figure(figures, "failover_canaries_total", region=EAST, layer="dns", result="passed") == 1
    assert figure(figures, "failover_canaries_total", region=EAST, layer="connect", result="failed") == 1
    assert figure(figures, "failover_canaries_total", region=EAST, layer="write", result="failed") is None
    switch = {"kind": "failover", "from_": EAST, "to": WEST, "reason": "connect"}
    assert figure(figures, "failover_switches_total", **switch) == 1
    assert figure(figures, "failover_circuit_openings_total", region=EAST, reason="connect") == 1
    assert figure(figures, "failover_events_total", kind="failover") == 1
    assert figure(figures, "failover_events_total", kind="circuit-opened") == 1


def test_the_monitors_view_is_given_and_what_it_does_not_know_is_left_out(wired: wiring.Wired, client: Client) -> None:
    publish(wired.config.run_dir, east_down(wired.clock.wall()), wired.clock.wall())

    figures = scrape(client)

    assert figure(figures, "failover_monitor_up") == 1
    assert figure(figures, "failover_circuit_state", region=EAST, state="open") == 1
    assert figure(figures, "failover_circuit_state", region=EAST, state="closed") == 0
    assert figure(figures, "failover_region_state", region=EAST, state="unreachable") == 1
    assert figure(figures, "failover_region_active", region=EAST) == 0
    assert figure(figures, "failover_region_active", region=WEST) == 1
    assert figure(figures, "failover_canary_ok", region=EAST, layer="dns") == 0
    assert figure(figures, "failover_canary_duration_seconds", region=EAST, layer="dns") == pytest.approx(0.0026)
    assert figure(figures, "failover_canary_ok", region=EAST, layer="write") is None
    assert figure(figures, "failover_replication_lag_seconds", from_=EAST, to=WEST) is None
    assert figure(figures, "failover_replication_lag_seconds", from_=WEST, to=EAST) == pytest.approx(12.4)
    assert figure(figures, "failover_alarm", name="circuit", region=EAST) == 1
    assert figure(figures, "failover_routing_pinned", region=WEST) == 0


def test_a_pin_is_given(wired: wiring.Wired, client: Client) -> None:
    publish(wired.config.run_dir, pinned(wired.clock.wall()), wired.clock.wall())

    figures = scrape(client)

    assert figure(figures, "failover_routing_pinned", region=WEST) == 1
    assert figure(figures, "failover_routing_pinned", region=EAST) == 0
    assert figure(figures, "failover_routing_epoch") == 3


def test_once_the_monitor_is_silent_its_view_is_left_out_and_its_age_said(wired: wiring.Wired, client: Client) -> None:
    wired.files.write_totals(eventful())
    publish(wired.config.run_dir, healthy(wired.clock.wall() - 60), wired.clock.wall() - 60)

    figures = scrape(client)

    assert figure(figures, "failover_monitor_up") == 0
    age_s = figure(figures, "failover_monitor_age_seconds")
    assert age_s is not None
    assert age_s >= 60
    for name in ("circuit_state", "region_state", "region_active", "canary_ok", "replication_lag_seconds", "alarm"):
        assert f"failover_{name}" not in figures
    assert figure(figures, "failover_events_total", kind="failover") == 1  # what is counted stays counted


def test_where_no_monitor_ever_ran_there_is_nothing_but_the_counters(wired: wiring.Wired, client: Client) -> None:
    figures = scrape(client)

    assert figure(figures, "failover_monitor_up") == 0
    assert "failover_monitor_age_seconds" not in figures


def test_the_lab_is_open_and_elsewhere_a_token_opens_it(
    wired: wiring.Wired, client: Client, settings: pytest.FixtureRequest
) -> None:
    assert client.get("/metrics").status_code == 200

    settings.METRICS_OPEN = False  # type: ignore[attr-defined]  # pytest-django's settings
    closed = client.get("/metrics")
    assert (closed.status_code, closed["WWW-Authenticate"]) == (401, "Bearer")
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401

    settings.METRICS_TOKEN = "correct-horse"
    for wrong in ("Bearer", "Bearer correct-hors", "correct-horse", "Basic correct-horse", "Bearer ü"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 401, wrong
    assert client.get("/metrics", headers={"Authorization": "Bearer correct-horse"}).status_code == 200

    settings.METRICS_OPEN = True
    assert client.get("/metrics").status_code == 401  # who sets a token means it, in the lab too
