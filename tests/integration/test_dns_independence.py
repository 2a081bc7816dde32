"""A whole demo that keeps its last good addresses: for a bounded time a DNS outage does not matter."""

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
"""The time to live of the lab's DNS records."""


@pytest.fixture(scope="module")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo of this module."""
    lab_dir = tmp_path_factory.mktemp("demo")
    with demo_in(lab_dir, FAILOVER_HOLD_S="1", FAILOVER_DNS_STALE_S=f"{STALE_S:g}") as demo:
        yield demo


@pytest.fixture
def demo(running_demo: Demo) -> Iterator[Demo]:
    """The demo; mends it after each test."""
    yield running_demo
    running_demo.mend()


def failed_attempts(demo: Demo) -> int:
    """Failed attempts of all workers in all regions, since they started."""
    reports = HostFiles(demo.lab_dir / "run").reports().values()
    assert reports
    return sum(region.failed for report in reports for region in report.regions.values())


def dns_of(status: dict[str, Any], region: str) -> dict[str, Any]:
    """The DNS layer of a region's latest canary."""
    layer: dict[str, Any] = next(row for row in status["regions"] if row["name"] == region)["checks"]["dns"]
    return layer


def kinds(status: dict[str, Any]) -> set[str]:
    return {event["kind"] for event in status["events"]}


def test_an_empty_record_changes_nothing_while_the_last_answer_serves_and_fails_over_afterwards(
    demo: Demo,
) -> None:
    before = failed_attempts(demo)
    with Students(demo, "stale", rate=10) as students:
        students.await_votes(5)
        broken = time.monotonic()  # before the command, which takes a while to check that the fault took hold
        demo.fault(EAST, "dns-empty", "--for", "600")
        status = demo.await_status(
            lambda status: dns_of(status, EAST)["stale"], within=20, what="the status says that a stale answer serves"
        )
        layer = dns_of(status, EAST)
        assert layer["ok"] is True
        assert layer["detail"].startswith("DNS answers empty since ")
        assert f"{EAST}'s DNS answers empty since" in status["summary"]
        assert "the last good answer serves until" in status["summary"]
        alarms = [row["region"] for row in status["alarms"] if (row["name"], row["state"]) == ("stale-dns", "alarm")]
        assert alarms == [EAST]
        shown = demo.output_of("regions")
        assert "STALE" in shown
        assert layer["detail"].partition(" until")[0] in shown

        students.await_votes(15)
        # The fault cut the open connections. If a canary's was among them, several canaries must pass again first.
        status = demo.await_status(
            lambda status: (
                {(row["state"], row["circuit"]) for row in status["regions"]} == {("healthy", "closed")}
                and dns_of(status, EAST)["stale"]
            ),
            within=STALE_S,
            what="both regions are healthy while the stale answer serves",
        )
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


def test_a_worker_that_starts_during_the_outage_uses_the_addresses_that_the_monitor_has_seen(demo: Demo) -> None:
    book = demo.lab_dir / "run" / "addresses"
    known: list[Path] = sorted(book.glob("*.json"))
    assert [path.name for path in known] == [f"dynamodb.{region}.amazonaws.com.json" for region in (EAST, WEST)]
    demo.fault(EAST, "dns-empty", "--for", "600")
    demo.await_status(lambda status: dns_of(status, EAST)["stale"], within=20, what="a stale answer serves")
    # A command is a new process, which has resolved nothing before. This one reads in us-east-1 only.
    read_east = ("survey", "export", demo.code, "--raw", "--region", EAST)
    done = manage(*read_east, lab_dir=demo.lab_dir, FAILOVER_DNS_STALE_S=f"{STALE_S:g}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["region"] == EAST
    without = manage(*read_east, lab_dir=demo.lab_dir)
    assert (without.returncode, "did not answer" in without.stderr) == (1, True), without.stderr
