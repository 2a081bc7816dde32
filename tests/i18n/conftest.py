"""The pseudo language, and the fixtures of other folders for the pages that are tested in it."""

import pytest

from tests.failover.conftest import credentials
from tests.failover.dashboard.conftest import monitor, run_dir, staff
from tests.i18n import pseudo
from tests.polls.conftest import browser, instructor, make_survey, survey

__all__ = ["browser", "credentials", "instructor", "make_survey", "monitor", "run_dir", "staff", "survey"]


@pytest.fixture
def pseudo_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks every text that goes through the catalogue, until the end of the test."""
    pseudo.speak(monkeypatch)
