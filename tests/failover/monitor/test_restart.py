"""What a monitor leaves to the next one on its run directory."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from failover.adapters import control_store
from failover.adapters.binding import bind
from failover.adapters.host_files import HostFiles
from failover.core.decisions import Decision
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.exchange.restart import Past, Serving
from failover.core.signals.breaker import CircuitState
from failover.core.status.types import iso
from failover.monitor.process import Monitor as WatchingMonitor
from tests.conftest import Lab
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.failover.monitor.monitors import NOTHING, explained, monitor, region, status, until, without_east
from tests.processes import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


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

    watching = WatchingMonitor(lab.config(tmp_path))
    again = watching._watch.view(watching.context.clock.monotonic())

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
def test_beats_go_on_above_those_of_a_clock_that_was_ahead(lab: Lab, tmp_path: Path) -> None:
    """Numbers that stood still or began again below would be taken for beats that have arrived: a pause of replication
    would have no lag."""
    host, ahead = WatchingMonitor(lab.config(tmp_path)).context.host, int((time.time() + 600) * 1_000_000)
    with bind(EAST):
        control_store.write_beat(host, ahead, time.time() + 600, {})
    numbers: set[int] = set()

    def arrived_in_the_west() -> int:
        with bind(WEST):
            numbers.update(beat.seq for beat in control_store.read_beats() if (beat.host, beat.origin) == (host, EAST))
        return len([number for number in numbers if number > ahead])

    wait_until(lambda: arrived_in_the_west() == 0 and ahead in numbers, within=30, what="the beat is in both regions")
    with monitor(lab, tmp_path) as process:
        until(process, lambda: arrived_in_the_west() >= 3, "three beats above the one that was there")
