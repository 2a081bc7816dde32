"""A worker takes its monitor's verdict and hands in its counters, through files that may be half there."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from failover.adapters.host_files import HostFiles
from failover.core.config import RouterConfig
from failover.core.decisions import Decision
from failover.core.errors import ErrorClass, NoRegionAnswered
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.fakes import FakeClock, ScriptedRunner, fails
from failover.core.ports import Bound
from failover.core.regions import Region
from failover.core.router import Router
from failover.core.signals.breaker import CircuitState
from failover.worker.follower import Follower
from tests.disks import fill, make_room, small_disk
from tests.failover.adapters.faulty import EAST, WEST
from tests.failover.clocks import SteppedClock
from tests.waiting import wait_until

PIN = Decision(mode="pinned", region=WEST, epoch=1, id="x", actor="a", reason="r", at=1.0)
STATUS: dict[str, object] = {"regions": []}


class Worker:
    """A router with scripted regions, and its follower."""

    def __init__(self, run_dir: Path, name: str = "1-1") -> None:
        self.clock = FakeClock()
        self.runner = ScriptedRunner(self.clock)
        self.router = Router(
            (Region(EAST, 0), Region(WEST, 1)),
            config=RouterConfig(),
            clock=self.clock,
            runner=self.runner,
            jitter=lambda: 0.5,
        )
        self.files = HostFiles(run_dir)
        self.name = name
        self.follower = Follower(self.router, self.files, self.clock, worker=name)

    def call(self) -> None:
        self.router.call(lambda bound: bound.region, idempotent=True)

    def publish(self, view: HostView) -> None:
        self.files.publish(view, STATUS, at=self.clock.wall())  # type: ignore[arg-type]  # the status is not read here

    def reported(self) -> dict[str, int]:
        report = self.files.reports().get(self.name)
        return {} if report is None else {name: region.requests for name, region in report.regions.items()}


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


def view(*, east: CircuitState = CircuitState.CLOSED, decision: Decision | None = None) -> HostView:
    return HostView(decision, {EAST: HostCircuit(east, "why"), WEST: HostCircuit(CircuitState.CLOSED)})


def test_the_monitors_verdict_reaches_the_router(worker: Worker) -> None:
    worker.publish(view(east=CircuitState.OPEN))
    worker.follower.step()

    assert worker.router.order() == (WEST,)


def test_the_verdict_of_a_monitor_that_is_gone_wears_off_but_its_routing_holds(worker: Worker) -> None:
    worker.publish(view(east=CircuitState.OPEN, decision=PIN))
    worker.clock.wait(3600)
    worker.follower.step()

    assert worker.router.order() == (WEST, EAST)  # both, the pinned one first


def test_a_verdict_that_is_published_again_replaces_the_last(worker: Worker) -> None:
    worker.publish(view(east=CircuitState.OPEN))
    worker.follower.step()
    before = worker.files.changed_at()
    worker.publish(view())
    assert worker.files.changed_at() != before
    worker.follower.step()

    assert worker.router.order() == (EAST, WEST)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"at": 1}', '{"at": "x", "view": 3, "status": 4}'])
def test_a_status_that_makes_no_sense_changes_nothing(worker: Worker, text: str, tmp_path: Path) -> None:
    worker.publish(view(decision=PIN))
    worker.follower.step()
    (tmp_path / "status.json").write_text(text)
    worker.follower.step()

    assert worker.files.published(now=0.0) is None
    assert worker.router.order() == (WEST, EAST)


def test_every_outcome_is_reported_also_that_of_a_call_which_was_under_way_at_the_last_report(worker: Worker) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    def slow(bound: Bound) -> str:
        under_way.set()
        go_on.wait(30)
        return bound.region

    thread = threading.Thread(target=lambda: worker.router.call(slow, idempotent=True))
    thread.start()
    assert under_way.wait(30)
    worker.follower.step()
    assert worker.reported()[EAST] == 0
    go_on.set()
    thread.join(30)

    worker.follower.step()

    assert worker.reported() == {EAST: 1, WEST: 0}


def test_a_report_is_written_only_when_there_is_something_new(worker: Worker, tmp_path: Path) -> None:
    worker.call()
    worker.follower.step()
    path = tmp_path / "workers" / "1-1.json"
    path.unlink()

    worker.clock.wait(1)
    worker.follower.step()
    assert not path.exists()

    worker.call()
    worker.follower.step()
    assert worker.reported()[EAST] == 2


def test_an_opened_circuit_and_its_reason_are_reported(worker: Worker) -> None:
    for region in (EAST, WEST):
        worker.runner.always(region, fails(ErrorClass.NOT_SENT))
    for _ in range(3):
        with pytest.raises(NoRegionAnswered):
            worker.call()
    worker.follower.step()

    reported = worker.files.reports()["1-1"].regions[EAST]
    assert (reported.circuit, reported.openings) == (CircuitState.OPEN, 1)
    assert "dns" in reported.last_reason


def test_stopping_hands_in_what_was_counted_last_and_nothing_after_it(worker: Worker) -> None:
    worker.files.hold(worker.name)
    worker.call()
    worker.follower.step()
    worker.call()
    worker.follower.stop()
    worker.call()
    worker.follower.step()

    assert worker.reported()[EAST] == 2
    assert worker.files.gone() == {worker.name}  # for the monitor to count and to remove


def test_stopping_is_no_error_when_the_directory_is_gone(worker: Worker, tmp_path: Path) -> None:
    worker.call()
    shutil.rmtree(tmp_path / "workers")

    worker.follower.stop()


def test_the_thread_follows_survives_a_lost_directory_and_ends(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "run")
    clock = SteppedClock()
    follower = Follower(worker.router, worker.files, clock, worker="1-1")
    others = set(threading.enumerate())  # the session's own wiring has a follower too
    follower.start()
    clock.someone_waits()
    kept = set(threading.enumerate()) - others
    assert kept

    assert worker.files.gone() == frozenset()  # held from the start
    (tmp_path / "run" / "workers").rename(tmp_path / "away")
    worker.call()
    clock.step(0.3)  # the report cannot be written
    (tmp_path / "away").rename(tmp_path / "run" / "workers")
    worker.publish(view(east=CircuitState.OPEN))
    clock.step(0.3)
    assert worker.reported()[EAST] == 1
    assert worker.router.order() == (WEST,)

    follower.stop()
    with clock._changed:
        clock._now += 1
        clock._changed.notify_all()
    wait_until(lambda: not any(thread.is_alive() for thread in kept), within=10, what="the follower's thread ends")


def test_files_of_another_version_or_a_half_written_report_are_left_out(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.call()
    worker.follower.step()
    for name, text in {"2-1": "{", "3-1": "[]", "4-1": json.dumps({"regions": {EAST: {"requests": "many"}}})}.items():
        (tmp_path / "workers" / f"{name}.json").write_text(text)

    assert set(worker.files.reports()) == {"1-1"}


def test_a_worker_that_begins_on_a_full_disk_hands_in_all_its_counts_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        worker = Worker(disk)
        worker.publish(view(east=CircuitState.OPEN))
        fill(disk)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                worker.follower.step()
        assert worker.router.order() == (WEST,)
        worker.call()
        assert (worker.reported(), worker.files.gone()) == ({}, frozenset())
        make_room(disk)
        worker.follower.step()
        assert worker.reported()[WEST] == 1
        assert worker.files.gone() == frozenset()  # it is held: nobody counts it as a last one
        worker.follower.stop()
