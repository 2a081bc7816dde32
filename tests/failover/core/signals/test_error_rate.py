"""The window of the error rate."""

from __future__ import annotations

from failover.core.counters import RegionCounters
from failover.core.signals.error_rate import Window


def test_a_window_forgets_by_the_bucket_and_can_be_asked_from_a_moment_on() -> None:
    window = Window(120.0)
    for now in range(0, 120, 5):
        window.add(RegionCounters(requests=1), now)
    assert window.total(119).requests == 24
    assert window.total(119, since=60).requests == 12
    assert window.total(125).requests == 22
    assert window.total(1000).requests == 0


def test_a_window_adds_up_within_a_bucket_and_ends_before_the_moment_that_it_is_asked_until() -> None:
    window = Window(120.0)
    for now in range(0, 120, 5):
        window.add(RegionCounters(requests=1, failed=1), now)
        window.add(RegionCounters(requests=2), now + 1)
    assert window.total(119, until=60).requests == 36
    assert window.total(119, since=60, until=65).requests == 3
    assert window.total(119, since=60).failed == 12
    assert window.total(124, since=5, until=10) == RegionCounters(requests=3, failed=1)
    assert window.total(119, since=200) == RegionCounters()
