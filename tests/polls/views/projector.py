"""The projector's view in tests: its address, and votes that it shows."""

from typing import Any

from polls.ballots import services
from polls.results import selectors as result_selectors
from polls.surveys import selectors
from polls.surveys.survey import Survey
from tests.waiting import wait_until

SCRIPT = "<script>alert(1)</script>"


def screen(survey: Survey, query: str = "") -> str:
    return f"/s/{survey.code}/present/{query}"


def cast(survey: Survey, voter: str, **answers: Any) -> None:
    services.ballot_cast(survey=survey, voter=voter, vote_id=services.name_vote(), answers=answers)


def counted(survey: Survey, voters: int) -> None:
    def all_are() -> bool:
        return result_selectors.results(survey).value.tally.voters == voters

    wait_until(all_are, within=15, what=f"{voters} votes are counted")


def current(survey: Survey) -> Survey:
    return selectors.survey_get(survey.code).value
