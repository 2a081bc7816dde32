"""An event is offered to every region before it is given up, and to none twice at the same time."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from failover.adapters.clients import make_clients
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.monitor.outbox import Outbox
from failover.monitor.process import Monitor
from failover.monitor.region_thread import RegionThread
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST

DENIED = faulty.refusal("AccessDeniedException")
THROTTLED = faulty.refusal("ThrottlingException")


def event(number: int) -> Event:
    return Event(f"e{number}", 1e9 + number, EventKind.FAILOVER, EAST, WEST, AUTOMATIC, "why", WEST)


def lost(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        str(record.args["id"]) for record in caplog.records if isinstance(record.args, dict) and "id" in record.args
    ]


def test_a_region_that_refused_an_event_is_not_asked_again_and_gets_the_next() -> None:
    outbox = Outbox([EAST, WEST])
    outbox.put(event(1))
    outbox.put(event(2))

    first = outbox.take(EAST)
    assert first is not None
    outbox.refused(first, EAST, PermissionError())

    second = outbox.take(EAST)
    assert second is not None
    assert second.event == event(2)
    assert outbox.take(EAST) is None
    again = outbox.take(WEST)
    assert again is not None
    assert again.event == event(1)
    assert outbox.take(WEST) is None, "us-east-1 has the other one in hand"


def test_what_every_region_refused_is_lost_and_said(caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox([EAST, WEST])
    outbox.put(event(1))
    for region in (EAST, WEST):
        waiting = outbox.take(region)
        assert waiting is not None
        assert lost(caplog) == []
        outbox.refused(waiting, region, PermissionError("no"))

    assert lost(caplog) == ["e1"]
    assert outbox.take(EAST) is outbox.take(WEST) is None


def test_of_too_many_the_oldest_are_lost_and_said(caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox([EAST, WEST], most=3)
    for number in range(5):
        outbox.put(event(number))

    kept = [waiting.event.id for waiting in iter(lambda: outbox.take(EAST), None)]
    assert (kept, lost(caplog)) == (["e2", "e3", "e4"], ["e0", "e1"])


class Log:
    """A region whose rows can be read; what it says to a write may change. Keeps the events that it took."""

    def __init__(self, to_a_write: bytes) -> None:
        self.to_a_write = to_a_write
        self.taken: list[str] = []

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            request = json.loads(faulty.read_request(connection))
            if "Item" not in request:
                connection.sendall(faulty.reply(200, {"Items": [], "Count": 0, "ScannedCount": 0}))
                continue
            if self.to_a_write == TAKEN:
                self.taken.append(json.loads(request["Item"]["document"]["S"])["id"])
            connection.sendall(self.to_a_write)


TAKEN = faulty.reply(200, {})
Rounds = Callable[[str], object]


@contextmanager
def monitor_of(east: Log, west: Log, run_dir: Path) -> Iterator[tuple[Monitor, Rounds]]:
    """A monitor whose threads stand still, and what makes one of them write and read events once."""
    with faulty.server(east) as east_port, faulty.server(west) as west_port:
        config = faulty.make_config(run_dir, {EAST: east_port, WEST: west_port}, timeout=faulty.PATIENT_S)
        with faulty.models_wired(config):
            monitor = Monitor(config)
            rounds = {
                name: RegionThread(monitor.context, name, client) for name, client in make_clients(config).items()
            }
            yield monitor, lambda name: rounds[name]._events(0.0)


def test_what_a_region_without_permission_refuses_is_logged_in_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    east, west = Log(DENIED), Log(TAKEN)
    with monitor_of(east, west, tmp_path) as (monitor, round_in):
        for number in range(10):
            monitor.context.outbox.put(event(number))
            round_in(EAST if number % 2 else WEST)
            round_in(WEST)

    assert sorted(west.taken) == [f"e{number}" for number in range(10)]
    assert lost(caplog) == []


def test_what_a_region_refused_waits_for_one_that_cannot_take_it_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    east, west = Log(DENIED), Log(THROTTLED)
    with monitor_of(east, west, tmp_path) as (monitor, round_in):
        monitor.context.outbox.put(event(1))
        for name in (EAST, WEST, EAST, WEST):
            round_in(name)
        assert (west.taken, lost(caplog)) == ([], [])
        west.to_a_write = TAKEN
        round_in(WEST)

    assert west.taken == ["e1"]


def test_what_both_regions_refuse_is_lost_and_stands_in_nobodys_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    east, west = Log(DENIED), Log(DENIED)
    with monitor_of(east, west, tmp_path) as (monitor, round_in):
        monitor.context.outbox.put(event(1))
        round_in(EAST)
        round_in(WEST)
        assert lost(caplog) == ["e1"]
        east.to_a_write = TAKEN
        monitor.context.outbox.put(event(2))
        round_in(EAST)

    assert east.taken == ["e2"]
