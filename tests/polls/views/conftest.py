"""Surveys with votes."""

import pytest

from polls.surveys.survey import Survey
from tests.polls.views.projector import SCRIPT, cast, counted


@pytest.fixture
def voted(survey: Survey) -> Survey:
    """Three voters: two for one option, the third left the rating out."""
    cast(survey, "voter-one", q1="o2", q3=5, q4=SCRIPT)
    cast(survey, "voter-two", q1="o2", q3=4, q4="=1+1")
    cast(survey, "voter-three", q1="o1")
    counted(survey, 3)
    return survey
