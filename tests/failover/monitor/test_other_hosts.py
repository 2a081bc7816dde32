"""What a monitor remembers of the other hosts whose beats it reads."""

from pathlib import Path

import pytest

from failover.adapters.control_store import Beat
from failover.core.fakes import FakeClock
from failover.monitor.process import FORGET_HOSTS_S, Monitor
from failover.monitor.region_thread import Seen
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    return Monitor(faulty.make_config(tmp_path, {EAST: 9, WEST: 9}))


def sees(monitor: Monitor, at: float, **hosts: int) -> None:
    """A round in us-west-2 finds a beat with this number of each host, which has served so many requests by then."""
    beats = (Beat(host, EAST, seq, 0.0, {EAST: {"requests": seq, "failed": 0}}) for host, seq in hosts.items())
    monitor._take(Seen(WEST, at, beats=tuple(beats)))


def added_up(monitor: Monitor, at: float) -> int:
    status = monitor._watch.status(at, FakeClock().wall(), [])
    return status["regions"][0]["requests_2m"]


def test_a_host_is_forgotten_an_hour_after_its_last_row_is_gone(monitor: Monitor) -> None:
    for number in range(500):
        sees(monitor, 100.0 + number, **{f"host-{number}": 1, "stays": 1 + number})
    assert len(monitor._hosts) == 501

    sees(monitor, 100.0 + FORGET_HOSTS_S, stays=501)
    assert len(monitor._hosts) == 501
    sees(monitor, 600.0 + FORGET_HOSTS_S, stays=502)
    assert set(monitor._hosts) == {"stays"}


def test_a_host_whose_row_stands_is_remembered_however_long_it_is_silent(monitor: Monitor) -> None:
    for at in (0.0, FORGET_HOSTS_S, 2 * FORGET_HOSTS_S, 3 * FORGET_HOSTS_S):
        sees(monitor, at, silent=7)

    assert set(monitor._hosts) == {"silent"}


def test_what_another_host_served_is_added_up_once_whichever_copies_of_its_beat_come(monitor: Monitor) -> None:
    for number in (10, 30, 20, 30, 10):
        sees(monitor, 100.0, other=number)

    assert added_up(monitor, 100.0) == 20
