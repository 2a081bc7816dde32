"""Tallies in the live lab: they come to equal the ballots, whatever happens to signals and to the functions."""

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from failover import gateway
from failover.lab.control.client import LabClient
from failover.lab.functions.events import scheduled
from failover.lab.functions.function import Function, environment
from failover.lab.functions.triggers import TALLY
from polls.ballots import services
from polls.results.selectors import results
from polls.surveys import reader
from polls.surveys.services import survey_create
from polls.surveys.survey import Survey
from polls.tallies import audit, store
from polls.tallies.models import TallyRow
from tests.conftest import Lab
from tests.polls.conftest import QUESTIONS
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
STUDENTS = 300


@pytest.fixture
def survey(wired: object) -> Survey:
    return survey_create(definition=reader.parse({"title": "A class", "questions": QUESTIONS}))


def vote(survey: Survey, student: int, choice: int = 0) -> None:
    answers = {"q1": f"o{1 + (student + choice) % 2}", "q2": ["o1"], "q3": 1 + student % 5}
    voter, vote_id = f"student-{student:05}", services.name_vote()
    services.ballot_cast(survey=survey, voter=voter, vote_id=vote_id, answers=answers)


def function(lab: Lab, region: str) -> dict[str, object]:
    """The lab's state of a region's tally function."""
    return next(row for row in LabClient(lab.dir).state()["functions"] if row["region"] == region)


def kept(survey: Survey, region: str) -> tuple[int, dict[str, int]]:
    """The number of voters and the counts of the first question, by a region's tallies."""
    with gateway.at(region):
        tallies = store.read_round(survey.code, survey.round, consistent=True)
    shards = [stored.tally for stored in tallies.shards.values()]
    options = {option: sum(tally.chosen["q1"][option] for tally in shards) for option in ("o1", "o2")}
    return sum(tally.voters for tally in shards), options


@contextlib.contextmanager
def another(lab: Lab, region: str, scratch: Path) -> Iterator[Function]:
    """Starts a second tally function beside the lab's own. The lab does not know it."""
    port = int(LabClient(lab.dir).state()["regions"][gateway.regions().index(region)]["engine"]["port"])
    second = Function(TALLY.command, environment(region, port, scratch), scratch / "another.log")
    try:
        yield second
    finally:
        second.end()


def signals(survey: Survey) -> dict[str, object]:
    """AWS's event for every shard of a survey, as in a replay of the stream."""
    keys = [f"{survey.code}#{survey.round}#{number}" for number in range(survey.shards)]
    records = [
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"shard": {"S": key}}, "SequenceNumber": str(place)}}
        for place, key in enumerate(keys)
    ]
    return {"Records": records}


def agree(survey: Survey) -> bool:
    return all(finding.good for finding in audit.audit(survey).values())


def test_three_hundred_students_are_counted_once_in_both_regions(lab: Lab, wired: object, survey: Survey):
    before = {region: function(lab, region)["pid"] for region in gateway.regions()}
    with ThreadPoolExecutor(8) as pool:
        votes = [pool.submit(vote, survey, student) for student in range(STUDENTS)]
        wait_until(lambda: sum(done.done() for done in votes) > STUDENTS / 3, within=30, what="a third has voted")
        killed = int(str(function(lab, "us-east-1")["pid"]))
        os.kill(killed, signal.SIGKILL)  # in the region that the votes go to
        for done in votes:
            done.result()
    for student in range(0, 20, 2):
        vote(survey, student, choice=1)  # they change their minds
    expected = {"o1": STUDENTS // 2 - 10, "o2": STUDENTS // 2 + 10}
    for region in gateway.regions():
        wait_until(
            lambda region=region: kept(survey, region) == (STUDENTS, expected), within=20, what=f"{region} is level"
        )
    assert agree(survey)
    assert function(lab, "us-east-1")["pid"] != before["us-east-1"], "the lab started another one"
    assert results(survey).value.tally.voters == STUDENTS


def test_two_functions_at_once_and_a_replayed_stream_come_to_the_ballots(
    lab: Lab, wired: object, survey: Survey, tmp_path: Path
):
    with another(lab, "us-east-1", tmp_path) as second, ThreadPoolExecutor(8) as pool:
        votes = [pool.submit(vote, survey, student) for student in range(100)]
        while not all(done.done() for done in votes):
            assert second.invoke(signals(survey)).result(30) == {"batchItemFailures": []}
        for done in votes:
            done.result()
        wait_until(lambda: kept(survey, "us-east-1")[0] == 100, within=20, what="both have counted")
        second.invoke(signals(survey)).result(30)
        assert kept(survey, "us-east-1") == (100, {"o1": 50, "o2": 50})
        strange = {"Records": [{"dynamodb": {"Keys": {"shard": {"S": "NOSUCH#1#0"}}, "SequenceNumber": "7"}}]}
        assert second.invoke(strange).result(30) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
        assert second.invoke(scheduled("us-east-1")).result(60)["rounds"] >= 1
    assert agree(survey)


def test_the_commands_find_and_mend_a_tally_that_no_signal_has_mended(lab: Lab, wired: object, survey: Survey):
    for student in range(5):
        vote(survey, student)
    for region in gateway.regions():
        wait_until(lambda region=region: kept(survey, region)[0] == 5, within=20, what=f"{region} is level")
    out = io.StringIO()
    call_command("survey", "audit", survey.code, stdout=out)
    assert [line.split("\t")[1] for line in out.getvalue().splitlines()] == ["equal", "equal"]
    with gateway.at("us-west-2"):
        wrong = next(row for row in TallyRow.query(f"{survey.code}#1") if row.shard != store.COMPARED)
        wrong.counts = {**wrong.counts, "voters": 77}
        wrong.put()
    with pytest.raises(CommandError):
        call_command("survey", "audit", survey.code, stdout=(output := io.StringIO()))
    assert "us-west-2\tDIFFERS" in output.getvalue()
    assert "77 voters counted" in output.getvalue()
    call_command("survey", "rebuild", survey.code, stdout=io.StringIO())
    assert agree(survey)


def test_a_region_that_lost_its_data_counts_again_when_it_gets_the_data_back(lab: Lab, wired: object, survey: Survey):
    for student in range(20):
        vote(survey, student)
    wait_until(lambda: kept(survey, "us-west-2")[0] == 20, within=20, what="us-west-2 is level")
    before = function(lab, "us-west-2")
    os.kill(int(LabClient(lab.dir).state()["regions"][1]["engine"]["pid"]), signal.SIGKILL)

    def level_again() -> bool:
        now = function(lab, "us-west-2")
        return now["starts"] != before["starts"] and now["sweeps"] != before["sweeps"] and agree(survey)

    wait_until(level_again, within=40, what="the region has its ballots and their tallies again")
    assert kept(survey, "us-west-2") == (20, {"o1": 10, "o2": 10})
