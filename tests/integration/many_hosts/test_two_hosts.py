"""Two hosts on the same tables, each with a monitor and web workers: one survey, one routing, one sum of requests."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter

import pytest

from failover import gateway
from failover.adapters import control_store
from tests.integration.demo import EAST, WEST
from tests.integration.many_hosts.conftest import Hosts
from tests.integration.many_hosts.hosts import HEARTBEAT_S, WORKERS, Class
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

COUNTERS = re.compile(r"_(total|count|bucket)$")


def test_each_dashboard_adds_up_both_hosts(hosts: Hosts, students: Class) -> None:
    first, second, _ = hosts
    before = [host.requests() for host in (first, second)]
    tried = first.attempts() + second.attempts()

    students.vote(first, 40)
    students.vote(second, 30)

    def both_show_all() -> bool:
        more = first.attempts() + second.attempts() - tried
        shown = [host.requests() - was for host, was in zip((first, second), before, strict=True)]
        return more >= 70 and shown == [more, more]

    wait_until(both_show_all, within=15, what="both dashboards show what the workers of both have tried")


@pytest.mark.usefixtures("wired")
def test_each_monitor_sends_heartbeats_and_no_worker_does(hosts: Hosts) -> None:
    def beats() -> set[tuple[str, str, int]]:
        with gateway.at(EAST):
            return {(beat.host, beat.origin, beat.seq) for beat in control_store.read_beats()}

    known, seen = beats(), set[tuple[str, str, int]]()
    began = time.monotonic()

    def over() -> bool:
        seen.update(beats())
        return time.monotonic() - began >= 4

    wait_until(over, within=20, what="four seconds of beats", every=0.02)
    span = time.monotonic() - began
    written = Counter((host, origin) for host, origin, _ in seen - known)

    assert len(written) == 4, written  # two hosts, each in two regions
    for pair, count in written.items():
        assert 3 <= count <= span / HEARTBEAT_S + 2, (pair, count)


def test_a_pin_on_one_host_moves_every_vote_on_both_that_begins_a_second_later(hosts: Hosts, students: Class) -> None:
    first, second, _ = hosts

    def everybody_votes_in(region: str) -> bool:
        return all(set(students.vote_until_every_worker_took_some(host)) == {region} for host in (first, second))

    def moved_within_a_second() -> bool:
        wait_until(lambda: everybody_votes_in(EAST), within=20, what="every worker follows the rules")
        first.manage("routing", "pin", WEST, "--reason", "a drill")
        pinned = time.monotonic()
        wait_until(lambda: time.monotonic() - pinned >= 1, within=20, what="a second is over", every=0.02)
        try:
            return everybody_votes_in(WEST)
        finally:
            first.manage("routing", "auto", "--reason", "over")

    wait_until(moved_within_a_second, within=120, what="a pin that every vote follows which begins a second later")


def test_a_worker_that_is_killed_is_replaced_and_no_counter_goes_back(hosts: Hosts, students: Class) -> None:
    first, second, _ = hosts
    before, last = first.workers(), first.metrics()
    victim = max(before, key=lambda name: before[name])
    tried, shown = first.attempts(), second.requests()

    os.kill(int(victim.partition("-")[0]), signal.SIGKILL)

    def replaced() -> bool:
        nonlocal last
        students.vote(first, 4)
        now = first.metrics()
        back = {key: (was, now.get(key)) for key, was in last.items() if COUNTERS.search(key[0]) and now[key] < was}
        assert not back
        last = now
        workers = first.workers()
        return (
            victim not in first.files.reports() and len(workers) == WORKERS and len(workers.keys() - before.keys()) == 1
        )

    wait_until(replaced, within=30, what="another worker runs")
    wait_until(lambda: first.metric("failover_workers") == WORKERS, within=20, what="as many as before")
    files = {path.name for path in (first.run_dir / "workers").iterdir()}
    assert not [name for name in files if name.startswith(victim)]
    wait_until(
        lambda: second.requests() - shown == first.attempts() - tried >= 8,
        within=15,
        what="the other host's dashboard has counted on with them",
    )


def test_a_monitor_that_is_killed_is_seen_to_be_silent_costs_no_vote_and_comes_back(
    hosts: Hosts, students: Class
) -> None:
    first, second, parts = hosts
    before = first.metrics()
    shown = first.requests()
    parts["monitor"].kill()
    parts["monitor"].wait(10)

    wait_until(lambda: first.metric("failover_monitor_up") == 0, within=15, what="its silence is seen")
    names = {name for name, _ in first.metrics()}
    assert not names & {"failover_circuit_state", "failover_region_active", "failover_replication_lag_seconds"}
    assert second.metric("failover_monitor_up") == 1
    students.vote_until_every_worker_took_some(first)

    parts["monitor"] = parts["stack"].enter_context(first.monitor())
    wait_until(lambda: first.metric("failover_monitor_up") == 1, within=30, what="another publishes")
    after = first.metrics()
    back = {key: (was, after.get(key)) for key, was in before.items() if COUNTERS.search(key[0]) and after[key] < was}
    assert not back
    # What its workers did while the monitor was down reaches the other host with the next heartbeat.
    wait_until(lambda: second.requests() > shown, within=15, what="the other host hears of the votes")
