"""The monitor as a process of its own against the live lab."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from failover import gateway
from failover.adapters import control_store
from failover.adapters.binding import bind
from failover.adapters.host_files import HostFiles
from failover.core.decisions import Decision
from failover.core.exchange.reports import HostCircuit, HostView, RegionReport, WorkerReport, decision_to_json
from failover.core.exchange.restart import Past, Serving
from failover.core.signals.breaker import CircuitState
from failover.core.status.types import StatusDocument, iso
from failover.lab.control.client import LabClient
from failover.monitor.process import Monitor as WatchingMonitor
from tests.conftest import Lab
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.processes import free_port, manage, running, wait_while_running
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

Monitor = subprocess.Popen[str]
NOTHING: StatusDocument = {}  # type: ignore[typeddict-item]
"""A monitor reads its view only."""


@contextlib.contextmanager
def monitor(lab: Lab, run_dir: Path, **extra: str) -> Iterator[Monitor]:
    """A monitor on a run directory of its own; canaries twice a second."""
    told = {"FAILOVER_RUN_DIR": str(run_dir), "FAILOVER_HEARTBEAT_S": "0.3", "FAILOVER_HOLD_S": "1", **extra}
    # Nobody reads what it prints meanwhile: it must not fill the pipe.
    told["SURVEY_LOG_LEVEL"] = "ERROR"
    with running("monitor", lab_dir=lab.dir, **told) as process:
        yield process


def status(run_dir: Path) -> dict[str, Any]:
    try:
        document = json.loads((run_dir / "status.json").read_text())
    except FileNotFoundError:
        return {}
    return document["status"]  # type: ignore[no-any-return]


def region(run_dir: Path, name: str) -> dict[str, Any]:
    return next((one for one in status(run_dir).get("regions", ()) if one["name"] == name), {})


def until(process: Monitor, probe: Callable[[], object], what: str, within: float = 30) -> None:
    wait_while_running(process, probe, within=within, what=what)


def explained(run_dir: Path, rule: str) -> dict[str, Any]:
    """A rule for us-east-1."""
    return next(row for row in status(run_dir)["explain"] if (row["rule"], row["region"]) == (rule, EAST))


def without_east(lab: Lab, url: str) -> str:
    """The lab's endpoints with another in the place of us-east-1's."""
    return f"{EAST}={url},{lab.environment()['FAILOVER_ENDPOINTS'].split(',')[1]}"


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
        healthy = all((one["state"], one["circuit"]) == ("healthy", "closed") for one in now["regions"])
        return healthy and all(one["state"] == "ok" for one in now["replication"])

    until(process, well, "everything is well")
    now = status(run_dir)
    assert [one["name"] for one in now["regions"]] == [EAST, WEST]
    assert now["routing"]["mode"] == "auto"
    assert now["routing"]["active"] == EAST
    assert {(one["from"], one["to"]) for one in now["replication"]} == {(EAST, WEST), (WEST, EAST)}
    for one in now["regions"]:
        assert {name: check["ok"] for name, check in one["checks"].items()} == {
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
    counted_before = files.totals().gone.regions.get(WEST, RegionReport()).requests
    before = region(run_dir, WEST)["requests_2m"]
    now = time.time()
    files.write_report(
        f"{process.pid}-0", WorkerReport(now, now, {WEST: RegionReport(requests=11, ok=11)}, calls=11, answered=11)
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
    files.write_report(name, WorkerReport(now, now, {EAST: RegionReport(requests=1, ok=1)}, calls=1, answered=1))
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
        lambda: any(one["kind"] == "routing-pinned" for one in status(run_dir)["events"]),
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
        late = [one for one in status(tmp_path)["events"] if one["region"] == EAST and one["at"] > began]
        assert not [one for one in late if one["kind"].startswith("circuit")]


def test_a_restart_with_no_region_reachable_keeps_the_last_routing_and_stops_quickly(lab: Lab, tmp_path: Path) -> None:
    pin = Decision(mode="pinned", region=WEST, epoch=5, id="x", actor="inés", reason="a drill", at=time.time())
    past = Past(since_s=42.0, wait_s=20.0, openings=3, relapses_s=(60.0, 42.0))
    open_east = {
        EAST: HostCircuit(CircuitState.OPEN, "3 canaries failed", past),
        WEST: HostCircuit(CircuitState.CLOSED),
    }
    began = time.time() - 42
    HostFiles(tmp_path).publish(HostView(pin, open_east, serving=Serving(WEST, began)), NOTHING, at=time.time())
    # Two regions that accept and never answer: the worst case for stopping, too.
    with faulty.server(faulty.hangs) as port:
        nowhere = ",".join(f"{name}=http://127.0.0.1:{port}" for name in (EAST, WEST))
        with monitor(lab, tmp_path, FAILOVER_ENDPOINTS=nowhere) as process:
            until(process, lambda: status(tmp_path), "a status appears")
            now = status(tmp_path)
            assert (now["routing"]["mode"], now["routing"]["active"]) == ("pinned", WEST)
            assert (now["routing"]["actor"], now["routing"]["epoch"]) == ("inés", 5)
            assert region(tmp_path, EAST)["circuit"] == "open"
            assert now["routing"]["since"] == iso(began)
            hold, flapping = (explained(tmp_path, rule) for rule in ("failback-hold", "flapping"))
            assert (42 <= hold["value"] < 42 + 30, hold["threshold"], flapping["value"]) == (True, 20.0, 2)

            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0  # neither region answers anything for as long as the monitor runs


def test_a_monitor_that_is_killed_in_an_outage_leaves_its_length_and_its_hold_to_the_next_one(
    lab: Lab, tmp_path: Path
) -> None:
    away = without_east(lab, f"http://127.0.0.1:{free_port()}")
    with monitor(lab, tmp_path, FAILOVER_ENDPOINTS=away) as process:
        until(process, lambda: status(tmp_path).get("routing", {}).get("active") == WEST, "it fails over")
        until(process, lambda: explained(tmp_path, "failback-hold")["value"] > 2, "it is open for two seconds")
        process.kill()
        process.wait(10)
    before, hold = status(tmp_path), explained(tmp_path, "failback-hold")
    with monitor(lab, tmp_path, FAILOVER_ENDPOINTS=away) as process:
        until(process, lambda: status(tmp_path)["generated_at"] > before["generated_at"], "the next one publishes")
        again = explained(tmp_path, "failback-hold")

        assert status(tmp_path)["routing"] == before["routing"]
        assert (again["value"] > hold["value"], again["threshold"], again["met"]) == (True, hold["threshold"], True)
        assert explained(tmp_path, "flapping")["value"] == 1


def test_what_was_not_closed_long_ago_is_forgotten_and_what_was_has_its_past(lab: Lab, tmp_path: Path) -> None:
    past = Past(since_s=5.0, wait_s=2.0, openings=2, relapses_s=(900.0, 10.0))
    circuits = {EAST: HostCircuit(CircuitState.OPEN, "why", past), WEST: HostCircuit(CircuitState.CLOSED, "", past)}
    view = HostView(None, circuits, serving=Serving(WEST, 1_760_943_600.0))
    HostFiles(tmp_path).publish(view, NOTHING, at=time.time() - 3600)

    made = WatchingMonitor(lab.config(tmp_path))
    again = made._watch.view(made.clock.monotonic())

    assert again.circuits[EAST] == HostCircuit(CircuitState.CLOSED, "", Past())
    assert again.circuits[WEST].past is not None
    assert again.circuits[WEST].past.since_s == pytest.approx(3605, abs=30)
    assert again.serving is not None
    assert (again.serving.region, again.serving.since) == (EAST, pytest.approx(time.time(), abs=30))


@pytest.mark.parametrize("left", ["", "{", "[]", '{"at": 1, "view": {}, "status": {}}'])
def test_what_a_killed_monitor_or_another_version_left_does_not_keep_it_from_starting(
    left: str, lab: Lab, tmp_path: Path
) -> None:
    (tmp_path / "status.json").write_text(left)
    WatchingMonitor(lab.config(tmp_path))


@pytest.mark.usefixtures("wired")
def test_its_beats_are_in_both_regions(running_one: tuple[Monitor, Path]) -> None:
    process, _ = running_one

    def origins(name: str) -> set[str]:
        with bind(name):
            return {beat.origin for beat in control_store.read_beats()}

    until(process, lambda: origins(EAST) == origins(WEST) == {EAST, WEST}, "beats of both regions in both")


@pytest.mark.usefixtures("wired")
def test_beats_go_on_above_those_of_a_clock_that_was_ahead(lab: Lab, tmp_path: Path) -> None:
    """Numbers that stood still or began again below would be taken for beats that have arrived: a pause of replication
    would have no lag."""
    host, ahead = WatchingMonitor(lab.config(tmp_path)).host, int((time.time() + 600) * 1_000_000)
    with bind(EAST):
        control_store.write_beat(host, ahead, time.time() + 600, {})
    numbers: set[int] = set()

    def arrived_in_the_west() -> int:
        with bind(WEST):
            numbers.update(one.seq for one in control_store.read_beats() if (one.host, one.origin) == (host, EAST))
        return len([number for number in numbers if number > ahead])

    wait_until(lambda: arrived_in_the_west() == 0 and ahead in numbers, within=30, what="the beat is in both regions")
    with monitor(lab, tmp_path) as process:
        until(process, lambda: arrived_in_the_west() >= 3, "three beats above the one that was there")
