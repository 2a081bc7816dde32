"""The pseudo language, and the fixtures of the pages that are looked at in it."""

import pytest

from tests.failover.dashboard.conftest import monitor, run_dir, staff
from tests.i18n import pseudo
from tests.polls.conftest import browser, instructor, make_survey, survey

__all__ = ["browser", "instructor", "make_survey", "monitor", "run_dir", "staff", "survey"]


@pytest.fixture
def pseudo_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every text that goes through the catalogue is marked."""
    pseudo.speak(monkeypatch)
