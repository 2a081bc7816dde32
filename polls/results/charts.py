"""Counts as they are drawn: a bar for each option, with the round before beside it where two rounds
are compared.
"""

from dataclasses import dataclass

from django.utils.formats import number_format

from polls.surveys.definitions import Kind, Question
from polls.surveys.survey import Survey
from polls.tallies.tally import Tally, half_up, percent

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"  # as many as a question may have options


@dataclass(frozen=True)
class Part:
    """A part of a whole, as drawn, in words and as a number. Each form is rounded once, from the
    integers.
    """

    count: int = 0
    whole: int = 0

    @property
    def percent(self) -> float:
        """In percent, to one decimal; 0 where the whole is 0."""
        return percent(self.count, self.whole)

    @property
    def rounded(self) -> int:
        """In whole percent; 0 where the whole is 0."""
        return half_up(100 * self.count, self.whole) if self.whole else 0

    @property
    def text(self) -> str:
        """In whole percent, as a text. "0 %" and "100 %" mean none and all, exactly."""
        return self._in_words(100, str(self.rounded), "1", "99")

    @property
    def fine(self) -> str:
        """The same, to one decimal."""
        return self._in_words(1000, number_format(self.percent, 1), number_format(0.1, 1), number_format(99.9, 1))

    def _in_words(self, steps: int, number: str, least: str, most: str) -> str:
        rounded = half_up(steps * self.count, self.whole) if self.whole else 0
        if rounded == 0 and self.count:
            return f"< {least} %"
        if rounded == steps and self.count < self.whole:
            return f"> {most} %"
        return f"{number} %"


@dataclass(frozen=True)
class Share:
    """How many chose an option: of the voters who answered the question, and of all voters."""

    answers: Part = Part()
    voters: Part = Part()

    @property
    def count(self) -> int:
        """How many chose it."""
        return self.voters.count


@dataclass(frozen=True)
class Bar:
    """One option as it is drawn; `before` is its share in the round before, None without a
    comparison.
    """

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
        """The share of the voters who answered the question, in percent."""
        return self.now.answers.percent


@dataclass(frozen=True)
class Average:
    """The mean of `given` ratings whose sum is `total`; each form is rounded once, half up."""

    total: int
    given: int

    @property
    def exact(self) -> float:
        """To two decimals."""
        return half_up(100 * self.total, self.given) / 100

    @property
    def short(self) -> float:
        """To one decimal."""
        return half_up(10 * self.total, self.given) / 10


@dataclass(frozen=True)
class Chart:
    """One question as it is drawn.

    `average` is the mean of a rating, None while nobody has answered; `before` is that of the round
    before.
    """

    question: Question
    answered: int
    voters: int
    bars: tuple[Bar, ...]
    average: Average | None
    before: Average | None = None

    @property
    def odd_sum(self) -> int | None:
        """The sum of the whole percentages of those who answered, where it is not 100 although each
        gave one answer; else None.

        "> 99 %" beside "1 %" needs no explanation: nobody adds them up to more than 100 %.
        """
        one_answer_each = self.question.kind in (Kind.SINGLE, Kind.RATING) and self.answered
        nearly_all = any(bar.now.answers.rounded == 100 and bar.count < self.answered for bar in self.bars)
        total = sum(bar.now.answers.rounded for bar in self.bars)
        return total if one_answer_each and not nearly_all and total != 100 else None

    @property
    def everybody_answered(self) -> bool:
        """Whether every voter answered, so that a share of the answers is a share of the voters."""
        return self.answered == self.voters


def charts(survey: Survey, tally: Tally) -> list[Chart]:
    """A chart for each question, in the survey's order."""
    return [chart(question, tally) for question in survey.definition.questions]


def chart(question: Question, tally: Tally, before: Tally | None = None) -> Chart:
    """The chart of one question, compared with the tally of the round before where `before` is
    given.
    """
    bars = tuple(
        Bar(
            option.id,
            option.text,
            LETTERS[place : place + 1],  # empty for more options than a question may have today
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
    return Share(Part(count, tally.answered.get(question.id, 0)), Part(count, tally.voters))


def _average(question: Question, tally: Tally) -> Average | None:
    if question.kind is not Kind.RATING:
        return None
    counts = {int(option.id): tally.chosen.get(question.id, {}).get(option.id, 0) for option in question.choices}
    given = sum(counts.values())
    return Average(sum(number * count for number, count in counts.items()), given) if given else None
