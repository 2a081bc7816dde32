"""The strategies of a drill against the live lab: stock clients, tables of their own, real faults."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover.drills.entries import Run
from failover.drills.ledger import Ledger
from failover.drills.management.commands.drill import OWN_SURVEY
from failover.drills.play import arms, finals
from failover.drills.strategies.catalogue import STRATEGIES
from failover.drills.students import Arm
from failover.lab.control.client import LabClient
from tests.conftest import Lab
from tests.failover.drills.server import application
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
REGIONS = ("us-east-1", "us-west-2")
EAST, WEST = REGIONS
STUDENT = httpx.Client(trust_env=False, timeout=30)
NAMES = ("single-region", "global-tables-only", "external-flag", "one-document", "shared-counter")


@dataclass
class Stage:
    """The arms that run, and what a student does at one."""

    lab: LabClient
    arms: dict[str, Arm]
    numbers: Iterator[int]

    def vote(self, strategy: str, voter: str, vote_id: str | None = None) -> tuple[int, dict[str, Any]]:
        """One vote, and its reply."""
        vote_id = vote_id or f"{time.time_ns():020d}-{next(self.numbers)}"
        body = {"voter": voter, "vote_id": vote_id, "answers": {"q1": "o1"}}
        reply = STUDENT.post(self.arms[strategy].ballots_url(0), json=body)
        return reply.status_code, reply.json()

    def held(self, strategy: str) -> list[set[str]]:
        """The voters that each region holds, once the regions are equal."""
        ledger = Ledger(Run("DEMO20", "", True, 0.0))
        reads = finals.read(ledger, self.arms[strategy], lab=self.lab, within_s=20)
        return [{voter for voter, _, _ in final.rows or ()} for final in reads]


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    client = LabClient(lab.dir)
    with (
        application(allow_change=True) as survey,
        arms.running(NAMES, REGIONS, lab=client, url=survey.url, code="DEMO20", survey_file=OWN_SURVEY) as running,
    ):
        yield Stage(client, {arm.strategy: arm for arm in running}, iter(range(10**6)))
    assert client.state()["drill_tables"] == []


@pytest.fixture(autouse=True)
def _mended(lab: Lab) -> Iterator[None]:
    yield
    LabClient(lab.dir).clear()


@pytest.mark.parametrize("strategy", NAMES)
def test_a_vote_is_taken_with_a_receipt_of_the_same_form_as_ours(stage: Stage, strategy: str) -> None:
    status, receipt = stage.vote(strategy, "ann")
    assert status == 201
    assert {"vote_id", "code", "round", "region", "status", "attempts", "recorded_at"} == receipt.keys()
    assert receipt["region"] in stage.arms[strategy].regions


def test_a_single_region_has_no_replica_and_the_others_have(stage: Stage) -> None:
    for strategy in ("single-region", "global-tables-only", "one-document"):
        for voter in ("bob", "cem", "dan"):
            assert stage.vote(strategy, voter)[0] == 201
    assert stage.arms["single-region"].regions == (EAST,)
    assert [{"bob", "cem", "dan"} <= held for held in stage.held("single-region")] == [True]
    for strategy in ("global-tables-only", "one-document"):
        assert [{"bob", "cem", "dan"} <= held for held in stage.held(strategy)] == [True, True]


def test_an_older_vote_does_not_replace_a_later_one(stage: Stage) -> None:
    assert stage.vote("single-region", "eve", "b")[1]["status"] == "recorded"
    assert stage.vote("single-region", "eve", "a")[1]["status"] == "superseded"


def test_a_counter_counts_each_vote_once_while_all_is_well(stage: Stage) -> None:
    ledger = Ledger(Run("DEMO20", "", True, 0.0))
    arm = stage.arms["shared-counter"]

    def counted() -> int:
        return min(final.counted or 0 for final in finals.read(ledger, arm, lab=stage.lab))

    before = counted()
    assert stage.vote("shared-counter", "ann")[0] == 201
    wait_until(lambda: counted() == before + 1, within=20, what="the counter counts one more")


def test_an_empty_dns_record_stops_whoever_looks_at_one_region_only(stage: Stage) -> None:
    stage.lab.set_fault(EAST, "dns-empty", seconds=60)
    for strategy in ("single-region", "global-tables-only", "external-flag"):
        status, problem = stage.vote(strategy, "fay")
        assert status == 503, strategy
        assert EAST in problem["detail"]
    served = {stage.vote("one-document", f"student-{number}")[0] for number in range(12)}
    assert served == {201, 503}, "half of the voters live near the other region"


def test_a_flag_that_lies_in_the_failed_region_changes_nothing(stage: Stage) -> None:
    stage.lab.set_fault(EAST, "dns-empty", seconds=60)
    for _ in range(6):
        assert stage.vote("external-flag", "gus")[0] == 503
    stage.lab.clear()
    assert stage.vote("external-flag", "gus")[1]["region"] == EAST


def test_two_sides_of_a_split_throw_away_each_others_ballots_where_they_share_an_item(stage: Stage) -> None:
    stage.lab.set_fault(EAST, "replication-pause", seconds=60)
    voters = {f"split-{number}" for number in range(24)}
    for strategy in ("one-document", "global-tables-only"):
        for voter in sorted(voters):
            assert stage.vote(strategy, voter)[0] == 201
    stage.lab.clear()
    assert all(voters <= held for held in stage.held("global-tables-only"))
    lost = [voters - held for held in stage.held("one-document")]
    assert lost[0] == lost[1] != set()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"voter": 1}', b"\xff"])
def test_what_is_no_ballot_is_a_400(stage: Stage, body: bytes) -> None:
    assert STUDENT.post(stage.arms["single-region"].ballots_url(0), content=body).status_code == 400


def test_a_strategy_that_cannot_start_is_one_line_and_leaves_nothing(
    lab: Lab, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arms, "COMMAND", (*arms.COMMAND[:1], "-c", "raise SystemExit('no such thing')"))
    with (
        application() as survey,
        pytest.raises(arms.ExportFailed, match="cold did not start: no such thing"),
        arms.running(["cold"], REGIONS, lab=_NoTables(lab.dir), url=survey.url, code="DEMO20", survey_file=OWN_SURVEY),
    ):
        pass
    assert set(stage.lab.state()["drill_tables"]) == {STRATEGIES[name].table for name in NAMES}


class _NoTables(LabClient):
    """The lab without its tables, which belong to the other arms of this module."""

    def clear_tables(self) -> list[str]:
        return []

    def add_table(self, name: str) -> None:
        assert name == "drill-cold", Path(name)
