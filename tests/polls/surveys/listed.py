"""What the tests of the list share: a large survey, and a survey as a list has it."""

from dataclasses import replace
from typing import Any

from polls.surveys.survey import Survey


def without_words(survey: Survey, **changes: Any) -> Survey:
    """The survey as a list has it: without what its author wrote below the title."""
    return replace(survey, definition=replace(survey.definition, questions=(), help="", **changes))


def large() -> list[dict[str, Any]]:
    options = [f"{place} {'x' * 190}" for place in range(30)]
    return [{"text": f"Q{place}", "kind": "single", "options": options} for place in range(28)]
