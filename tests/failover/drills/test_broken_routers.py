"""A report that finds nothing proves nothing: routers that are broken on purpose must be caught by it."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest

from failover.drills import verify
from failover.drills.entries import Act
from failover.drills.ledger import Ledger, LedgerFile
from failover.drills.plan import Load
from failover.drills.report import document
from failover.drills.students import Arm, Class
from tests.failover.drills.broken import EAST, WEST, BrokenRouter
from tests.failover.drills.reports import drill_of
from tests.failover.drills.server import served

LOAD = Load(rate=200, seconds=0.5, students=20, changes=0.4, doubles=0, tabs=0, think_s=0.05, tries=4)


def report_of(directory: Path, router: BrokenRouter, measure: str = "lost", **bounds: Any) -> dict[str, Any]:
    """Lets a class vote at the router, and writes the report of a drill with one expectation."""
    with served(router), LedgerFile(directory / "ledger.jsonl") as book:
        arm = Arm("router", (router.url,), "DEMO20", (EAST, WEST))
        asyncio.run(
            Class(
                [arm],
                book,
                random.Random(5),
                on_begin=lambda began: book.write(Act("fault", EAST, "dns-empty", "broken", began + 0.05)),
            ).vote(LOAD)
        )
        book.write(Act("clear", EAST, "dns-empty", "mended", time.time()))
        for final in router.final(Ledger.read(book.path)):
            book.write(final)
    report = document.write(drill_of(measure, **(bounds or {"most": 0})), directory, {})
    assert verify.main(directory)[0] == 0, "the ledger tells the truth, so the report agrees with it"
    return report


def test_a_right_router_passes(tmp_path: Path) -> None:
    report = report_of(tmp_path, BrokenRouter())
    assert document.has_held(report)
    assert report["votes"] | {"attempted": 0, "acknowledged": 0, "found": 0} == dict.fromkeys(report["votes"], 0)
    assert report["classes"]["stable"] == report["votes"]["attempted"] > 50
    assert report["rto_ms"] == 0.0


@pytest.mark.parametrize("wrong_at", [60, 75, 90])
def test_one_acknowledged_vote_that_is_dropped_is_caught(tmp_path: Path, wrong_at: int) -> None:
    """Unless its voter sent it again or replaced it, which mends what was dropped."""
    router = BrokenRouter(fault="drop", wrong_at=wrong_at)
    report = report_of(tmp_path, router)
    dropped = router.received[wrong_at]
    replaced = any(
        other["voter"] == dropped["voter"] and other["vote_id"] >= dropped["vote_id"]
        for other in router.received
        if other is not dropped
    )
    assert report["votes"]["lost"] == (0 if replaced else 1)
    assert document.has_held(report) is replaced


def test_one_vote_that_is_doubled_is_caught(tmp_path: Path) -> None:
    report = report_of(tmp_path, BrokenRouter(fault="double"), "duplicated")
    assert report["votes"]["duplicated"] == 1
    assert not document.has_held(report)


def test_one_change_that_is_reverted_is_caught(tmp_path: Path) -> None:
    report = report_of(tmp_path, BrokenRouter(fault="revert", wrong_at=98), "reverted")
    assert report["votes"]["reverted"] >= 1
    assert report["votes"]["lost"] >= 1
    assert not document.has_held(report)


def test_a_flip_that_comes_late_is_caught(tmp_path: Path) -> None:
    report = report_of(tmp_path, BrokenRouter(fault="late", outage_s=0.4), "rto_ms", most=300)
    assert report["rto_ms"] > 300
    assert not document.has_held(report)
