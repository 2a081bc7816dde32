"""Tallies against the live lab: whatever happens to signals, and to whoever hears them, they come to the ballots."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from failover import gateway
from failover.lab.client import LabClient
from polls import audit, definitions, selectors, services, tallies
from polls.surveys import Survey
from tests.conftest import Lab
from tests.polls.conftest import QUESTIONS
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
STUDENTS = 300


@pytest.fixture
def survey(wired: object) -> Survey:
    return services.survey_create(definition=definitions.parse({"title": "A class", "questions": QUESTIONS}))


def vote(survey: Survey, student: int, choice: int = 0) -> None:
    answers = {"q1": f"o{1 + (student + choice) % 2}", "q2": ["o1"], "q3": 1 + student % 5}
    voter, vote_id = f"student-{student:05}", services.name_vote()
    services.ballot_cast(survey=survey, voter=voter, vote_id=vote_id, answers=answers)


def function(lab: Lab, region: str) -> dict[str, object]:
    """What the lab says about a region's tally function."""
    return next(one for one in LabClient(lab.dir).state()["functions"] if one["region"] == region)


def kept(survey: Survey, region: str) -> tuple[int, dict[str, int]]:
    """Voters, and the first question's counts, by a region's tallies."""
    with gateway.at(region):
        found = tallies.read_round(survey.code, survey.round, consistent=True)
    shards = [stored.tally for stored in found.shards.values()]
    options = {option: sum(tally.chosen["q1"][option] for tally in shards) for option in ("o1", "o2")}
    return sum(tally.voters for tally in shards), options


def agree(survey: Survey) -> bool:
    return all(finding.good for finding in audit.audit(survey).values())


def test_three_hundred_students_are_counted_once_in_both_regions(lab: Lab, wired: object, survey: Survey):
    before = {region: function(lab, region)["pid"] for region in gateway.regions()}
    with ThreadPoolExecutor(8) as pool:
        votes = [pool.submit(vote, survey, student) for student in range(STUDENTS)]
        wait_until(lambda: sum(done.done() for done in votes) > STUDENTS / 3, within=30, what="a third has voted")
        killed = int(str(function(lab, "us-east-1")["pid"]))
        os.kill(killed, signal.SIGKILL)  # half way, and it is the region that the votes go to
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
    assert selectors.results(survey).value.tally.voters == STUDENTS
