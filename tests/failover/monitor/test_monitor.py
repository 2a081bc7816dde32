"""The monitor as a process of its own against the live lab."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover import gateway
from failover.adapters import control_store
from failover.adapters.binding import bind
from failover.adapters.host_files import HostFiles
from failover.core.counters import RegionCounters
from failover.core.decisions import Decision
from failover.core.exchange.reports import RegionReport, WorkerReport, decision_to_json
from failover.core.status.types import iso
from failover.lab.control.client import LabClient
from tests.conftest import Lab
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.failover.monitor.monitors import Monitor, monitor, region, status, until, without_east
from tests.processes import free_port, manage

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def running_one(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Monitor, Path]]:
    """One monitor for the tests that need a healthy one."""
    run_dir = tmp_path_factory.mktemp("monitor")
    with monitor(lab, run_dir) as process:
        until(process, lambda: status(run_dir), "a status appears")
        yield process, run_dir


def test_a_status_of_healthy_regions_and_small_lags_appears(running_one: tuple[Monitor, Path]) -> None:
    process, run_dir = running_one

    def well() -> bool:
        now = status(run_dir)
        healthy = all((row["state"], row["circuit"]) == ("healthy", "closed") for row in now["regions"])
        return healthy and all(row["state"] == "ok" for row in now["replication"])

    until(process, well, "everything is well")
    now = status(run_dir)
    assert [row["name"] for row in now["regions"]] == [EAST, WEST]
    assert now["routing"]["mode"] == "auto"
    assert now["routing"]["active"] == EAST
    assert {(row["from"], row["to"]) for row in now["replication"]} == {(EAST, WEST), (WEST, EAST)}
    for row in now["regions"]:
        assert {name: check["ok"] for name, check in row["checks"].items()} == {
            "dns": True,
            "connect": True,
            "write": True,
            "read": True,
        }


def test_the_status_is_published_ever_anew(running_one: tuple[Monitor, Path]) -> None:
    process, run_dir = running_one
    files = HostFiles(run_dir)
    before = files.changed_at()

    until(process, lambda: files.changed_at() != before, "another status", within=5)


def test_a_second_monitor_on_the_same_directory_is_refused_in_one_line(
    running_one: tuple[Monitor, Path], lab: Lab
) -> None:
    process, run_dir = running_one

    second = manage("monitor", lab_dir=lab.dir, FAILOVER_RUN_DIR=str(run_dir))

    assert second.returncode == 1
    assert [line for line in second.stderr.splitlines() if line] == [
        f"CommandError: another monitor works in {run_dir}"
    ]
    assert process.poll() is None


def test_the_report_of_a_worker_that_is_gone_is_counted_and_removed(running_one: tuple[Monitor, Path]) -> None:
    """Also when its process id is another's by now."""
    process, run_dir = running_one
    files = HostFiles(run_dir)
    counted_before = files.totals().gone.regions.get(WEST, RegionCounters()).requests
    before = region(run_dir, WEST)["requests_2m"]
    now = time.time()
    files.write_report(
        f"{process.pid}-0", WorkerReport(now, now, {WEST: RegionReport(requests=11, ok=11)}, answered=11)
    )

    until(process, lambda: not files.reports(), "the report is removed")
    assert files.totals().gone.regions[WEST].requests == counted_before + 11
    until(process, lambda: region(run_dir, WEST)["requests_2m"] == before + 11, "its calls are counted")


def test_the_report_of_a_living_worker_stays(running_one: tuple[Monitor, Path]) -> None:
    process, run_dir = running_one
    files = HostFiles(run_dir)
    name = "1-1"
    files.hold(name)
    now = time.time()
    files.write_report(name, WorkerReport(now, now, {EAST: RegionReport(requests=1, ok=1)}, answered=1))
    before = files.changed_at()

    until(process, lambda: files.changed_at() > before + 500_000_000, "half a second of rounds has passed")
    assert name in files.reports()
    files.release(name)
    until(process, lambda: name not in files.reports(), "it is removed once its worker is gone")


def test_a_decision_reaches_the_status_within_a_second(running_one: tuple[Monitor, Path], lab: Lab) -> None:
    process, run_dir = running_one
    done = manage("routing", "pin", WEST, "--reason", "a drill", lab_dir=lab.dir, FAILOVER_RUN_DIR=str(run_dir))
    assert done.returncode == 0, done.stderr

    until(process, lambda: status(run_dir)["routing"]["active"] == WEST, "us-west-2 is active", within=2)
    assert status(run_dir)["routing"]["reason"] == "a drill"
    until(
        process,
        lambda: any(event["kind"] == "routing-pinned" for event in status(run_dir)["events"]),
        "the decision is an event",
        within=3,
    )
    assert manage("routing", "auto", "--reason", "over", lab_dir=lab.dir, FAILOVER_RUN_DIR=str(run_dir)).returncode == 0
    until(process, lambda: status(run_dir)["routing"]["active"] == EAST, "us-east-1 is active again", within=2)


@pytest.mark.usefixtures("wired")
def test_an_unusable_event_does_not_keep_decisions_from_being_read(running_one: tuple[Monitor, Path], lab: Lab) -> None:
    process, run_dir = running_one
    done = manage("routing", "auto", "--reason", "short", lab_dir=lab.dir, FAILOVER_RUN_DIR=str(run_dir))
    assert done.returncode == 0, done.stderr
    epoch = status(run_dir)["routing"]["epoch"] + 10
    # DynamoDB takes no item above 400 KB: this decision fits as it is written here, its event (escaped) does not.
    decision = Decision(
        mode="auto", region=None, epoch=epoch, id=f"long-{epoch}", actor="a", reason="é" * 80_000, at=time.time()
    )
    document = json.dumps(decision_to_json(decision), ensure_ascii=False)
    rank = f"{epoch:012d}|{decision.at:017.6f}|{decision.id}"
    with gateway.at(EAST):
        row = control_store.ControlRow(control_store.ROUTING, f"decision#{EAST}", document=document, rank=rank)
        row.put(updated_at=control_store._order(decision))
    until(process, lambda: status(run_dir)["routing"]["epoch"] == epoch, "the long one is followed")
    with gateway.at(EAST):
        control_store.write_decision(
            Decision(mode="auto", region=None, epoch=epoch + 1, id=f"next-{epoch}", actor="a", reason="r", at=1.0)
        )

    until(process, lambda: status(run_dir)["routing"]["epoch"] == epoch + 1, "the next one is followed too")


def test_an_empty_dns_record_fails_over_and_recovery_fails_back(running_one: tuple[Monitor, Path], lab: Lab) -> None:
    process, run_dir = running_one
    client = LabClient(lab.dir)
    client.set_fault(EAST, "dns-empty", seconds=60)
    try:
        until(process, lambda: region(run_dir, EAST)["circuit"] == "open", "the circuit opens")
        now = status(run_dir)
        assert region(run_dir, EAST)["state"] == "unreachable"
        assert region(run_dir, EAST)["checks"]["dns"] == {
            "ok": False,
            "ms": region(run_dir, EAST)["checks"]["dns"]["ms"],
            "detail": "DNS answers empty",
            "said": {"template": "DNS answers empty"},
            "stale": False,
        }
        assert region(run_dir, EAST)["checks"]["write"]["ok"] is None
        assert now["routing"]["active"] == WEST
    finally:
        client.clear()

    until(process, lambda: region(run_dir, EAST)["circuit"] == "closed", "the circuit closes")
    until(process, lambda: status(run_dir)["routing"]["active"] == EAST, "us-east-1 is active again")


def test_a_region_that_drips_fails_its_canaries_though_no_read_ever_times_out(lab: Lab, tmp_path: Path) -> None:
    with (
        faulty.server(faulty.drips) as port,
        monitor(lab, tmp_path, FAILOVER_ENDPOINTS=without_east(lab, f"http://127.0.0.1:{port}")) as process,
    ):
        until(process, lambda: region(tmp_path, EAST).get("circuit") == "open", "the circuit opens")

        assert region(tmp_path, EAST)["state"] == "unreachable"
        assert region(tmp_path, EAST)["checks"]["connect"]["ok"] is True
        assert region(tmp_path, EAST)["checks"]["write"]["ok"] is False
        assert region(tmp_path, WEST)["state"] == "healthy"


def test_a_region_that_is_away_at_the_start_is_seen_as_such(lab: Lab, tmp_path: Path) -> None:
    away = without_east(lab, f"http://127.0.0.1:{free_port()}")
    with monitor(lab, tmp_path, FAILOVER_ENDPOINTS=away) as process:
        until(process, lambda: region(tmp_path, EAST).get("state") == "unreachable", "it is unreachable")
        until(process, lambda: region(tmp_path, WEST).get("state") == "healthy", "the other is healthy")

        assert status(tmp_path)["routing"]["active"] == WEST


def test_a_region_without_tables_is_unknown_and_opens_nothing(lab: Lab, tmp_path: Path) -> None:
    began = iso(time.time())
    no_table = faulty.says(faulty.refusal("ResourceNotFoundException"))
    with (
        faulty.server(no_table) as port,
        monitor(lab, tmp_path, FAILOVER_ENDPOINTS=without_east(lab, f"http://127.0.0.1:{port}")) as process,
    ):
        until(process, lambda: region(tmp_path, EAST).get("checks", {}).get("write", {}).get("ok") is False, "a canary")
        seen = region(tmp_path, EAST)["checks"]["write"]
        assert seen["detail"] == "ResourceNotFoundException"
        until(process, lambda: region(tmp_path, WEST).get("state") == "healthy", "the other is healthy")
        # Many canaries later nothing has changed.
        first = HostFiles(tmp_path).changed_at()
        until(process, lambda: HostFiles(tmp_path).changed_at() > first + 2_000_000_000, "two seconds of canaries")

        assert (region(tmp_path, EAST)["state"], region(tmp_path, EAST)["circuit"]) == ("unknown", "closed")
        assert status(tmp_path)["routing"]["active"] == EAST
        # The log is that of all hosts, and older than this test.
        late = [event for event in status(tmp_path)["events"] if event["region"] == EAST and event["at"] > began]
        assert not [event for event in late if event["kind"].startswith("circuit")]


@pytest.mark.usefixtures("wired")
def test_its_beats_are_in_both_regions(running_one: tuple[Monitor, Path]) -> None:
    process, _ = running_one

    def origins(name: str) -> set[str]:
        with bind(name):
            return {beat.origin for beat in control_store.read_beats()}

    until(process, lambda: origins(EAST) == origins(WEST) == {EAST, WEST}, "beats of both regions in both")
