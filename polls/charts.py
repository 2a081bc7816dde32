"""Counts as they are drawn: one bar an option, with the round before beside it where two rounds are compared."""

from dataclasses import dataclass

from .definitions import Kind, Question
from .surveys import Survey
from .tally import Tally, percent

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"  # as many as a question may have options


@dataclass(frozen=True)
class Share:
    """How many chose an option, and what part that is: of the voters who answered, and of all voters (percent)."""

    count: int = 0
    of_answers: float = 0.0
    of_voters: float = 0.0


@dataclass(frozen=True)
class Bar:
    """One option as it is drawn; `before` is its share in the round before, None where none is compared."""

    id: str
    text: str
    letter: str
    now: Share
    before: Share | None = None

    @property
    def count(self) -> int:
        """How many chose it."""
        return self.now.count

    @property
    def percent(self) -> float:
        """Of the voters who answered the question."""
        return self.now.of_answers


@dataclass(frozen=True)
class Chart:
    """One question as it is drawn. `average` is a rating's, None while nobody has answered; `before` is the average of
    the round before.
    """

    question: Question
    answered: int
    voters: int
    bars: tuple[Bar, ...]
    average: float | None
    before: float | None = None


def charts(survey: Survey, tally: Tally) -> list[Chart]:
    """The questions in the survey's order, with what was chosen."""
    return [chart(question, tally) for question in survey.questions]


def chart(question: Question, tally: Tally, before: Tally | None = None) -> Chart:
    """One question, compared with the tally of the round before where one is given."""
    bars = tuple(
        Bar(
            option.id,
            option.text,
            LETTERS[place : place + 1],  # none beyond what a question may have today
            _share(question, option.id, tally),
            _share(question, option.id, before) if before else None,
        )
        for place, option in enumerate(question.choices)
    )
    return Chart(
        question,
        tally.answered.get(question.id, 0),
        tally.voters,
        bars,
        _average(question, tally),
        _average(question, before) if before else None,
    )


def _share(question: Question, option: str, tally: Tally) -> Share:
    count = tally.chosen.get(question.id, {}).get(option, 0)
    return Share(count, percent(count, tally.answered.get(question.id, 0)), percent(count, tally.voters))


def _average(question: Question, tally: Tally) -> float | None:
    if question.kind is not Kind.RATING:
        return None
    counts = {int(option.id): tally.chosen.get(question.id, {}).get(option.id, 0) for option in question.choices}
    given = sum(counts.values())
    return round(sum(number * count for number, count in counts.items()) / given, 2) if given else None
