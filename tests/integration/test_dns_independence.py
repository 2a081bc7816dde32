"""A whole demo that keeps its last good addresses: a DNS outage is no outage, until the bounded time is over."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.adapters.host_files import HostFiles
from tests.integration.demo import EAST, WEST, Demo, Students, assert_no_vote_failed, demo_in
from tests.processes import manage

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

STALE_S = 12.0
TTL_S = 1.0
"""The lab's."""


@pytest.fixture(scope="module")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo of this file."""
    lab_dir = tmp_path_factory.mktemp("demo")
    with demo_in(lab_dir, FAILOVER_HOLD_S="1", FAILOVER_DNS_STALE_S=f"{STALE_S:g}") as demo:
        yield demo


@pytest.fixture
def demo(running_demo: Demo) -> Iterator[Demo]:
    """The demo, which is whole again behind each test, also behind one that failed."""
    yield running_demo
    running_demo.mend()


def failed_attempts(demo: Demo) -> int:
    """Over all workers and regions, since they started."""
    reports = HostFiles(demo.lab_dir / "run").reports().values()
    assert reports
    return sum(one.failed for report in reports for one in report.regions.values())


def dns_of(status: dict[str, Any], region: str) -> dict[str, Any]:
    """The DNS layer of a region's latest canary."""
    found: dict[str, Any] = next(one for one in status["regions"] if one["name"] == region)["checks"]["dns"]
    return found


def kinds(status: dict[str, Any]) -> set[str]:
    return {one["kind"] for one in status["events"]}


def test_an_empty_record_flips_nothing_while_its_last_answer_serves_and_fails_over_when_that_is_over(
    demo: Demo,
) -> None:
    before = failed_attempts(demo)
    with Students(demo, "stale", rate=10) as students:
        students.await_votes(5)
        demo.fault(EAST, "dns-empty", "--for", "90")
        broken = time.monotonic()
        status = demo.await_status(
            lambda status: dns_of(status, EAST)["stale"], within=20, what="the status says that a stale answer serves"
        )
        layer = dns_of(status, EAST)
        assert layer["ok"] is True
        assert layer["detail"].startswith("DNS answers empty since ")
        assert f"{EAST}'s DNS answers empty since" in status["summary"]
        assert "the last good answer serves until" in status["summary"]
        alarms = [one["region"] for one in status["alarms"] if (one["name"], one["state"]) == ("stale-dns", "alarm")]
        assert alarms == [EAST]
        shown = demo.output_of("regions")
        assert "STALE" in shown
        assert layer["detail"].partition(" until")[0] in shown

        students.await_votes(15)
        # The fault cut the open connections, perhaps a canary's: then enough have to pass again.
        status = demo.await_status(
            lambda status: {(one["state"], one["circuit"]) for one in status["regions"]} == {("healthy", "closed")},
            within=STALE_S,
            what="both regions are healthy",
        )
        assert time.monotonic() - broken < STALE_S - TTL_S, "this machine is too slow to tell"
        assert dns_of(status, EAST)["stale"]
        assert status["routing"]["active"] == EAST
        assert kinds(status).isdisjoint({"failover", "circuit-opened"})
        assert failed_attempts(demo) == before

        status = demo.await_status(
            lambda status: status["routing"]["active"] == WEST, within=STALE_S + 10, what="us-west-2 is said to serve"
        )
        assert time.monotonic() - broken >= STALE_S - TTL_S
        assert dns_of(status, EAST) | {"ms": 0} == {
            "ok": False,
            "ms": 0,
            "detail": "DNS answers empty",
            "said": {"template": "DNS answers empty"},
            "stale": False,
        }
        students.await_votes(5)
        demo.fault("--clear")
        students.await_votes(5)
        ledger = students.stop()
    assert_no_vote_failed(ledger)
    verdict = demo.verdict(ledger)
    assert verdict.ok, verdict.summary()


def test_a_worker_that_starts_during_the_outage_serves_by_what_the_monitor_was_told(demo: Demo) -> None:
    book = demo.lab_dir / "run" / "addresses"
    known: list[Path] = sorted(book.glob("*.json"))
    assert [path.name for path in known] == [f"dynamodb.{region}.amazonaws.com.json" for region in (EAST, WEST)]
    demo.fault(EAST, "dns-empty", "--for", "60")
    demo.await_status(lambda status: dns_of(status, EAST)["stale"], within=20, what="a stale answer serves")
    # A command is a process of its own, and has resolved nothing before. This one reads in us-east-1 or nowhere.
    read_east = ("survey", "export", demo.code, "--raw", "--region", EAST)
    told = manage(*read_east, lab_dir=demo.lab_dir, FAILOVER_DNS_STALE_S=f"{STALE_S:g}")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["region"] == EAST
    without = manage(*read_east, lab_dir=demo.lab_dir)
    assert (without.returncode, "did not answer" in without.stderr) == (1, True), without.stderr
