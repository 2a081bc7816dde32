"""Results and ballots as rows of a spreadsheet. No cell can run as a formula, and nothing tells who
voted.
"""

import csv
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from polls.ballots import vote_ids
from polls.ballots.merge import Cast
from polls.results.charts import charts
from polls.surveys.definitions import Kind, Question
from polls.surveys.survey import Survey
from polls.tallies.tally import Tally

BOM = "\ufeff"  # without it, Excel takes UTF-8 for the system's old encoding
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # what spreadsheets take for a formula's start

OURS = ("ballot", "minute_utc")  # columns that belong to no question

Row = Sequence[object]


@dataclass(frozen=True)
class AnonymousBallot:
    """A ballot under a number that is valid in one export only, and the minute of its vote (ISO
    8601, UTC).
    """

    number: int
    minute: str
    answers: dict[str, Any]


class _Line:
    """A file for csv.writer that returns each line instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def safe(cell: object) -> object:
    """A cell that a spreadsheet shows as it is: a text that would be a formula gets an apostrophe
    in front.

    Blanks before a formula do not stop every program from running it, so such a text gets one too.
    """
    if isinstance(cell, str) and (cell.startswith(FORMULA) or cell.lstrip().startswith(FORMULA)):
        return f"'{cell}"
    return cell


def lines(rows: Iterable[Row], *, bom: bool = False, separator: str = ",") -> Iterator[str]:
    """CSV (RFC 4180), a line at a time, so that a large export is never in memory as a whole.

    With semicolons, numbers have a decimal comma: a spreadsheet that expects semicolons takes 12.5
    for the 12th of May.
    """
    writer = csv.writer(_Line(), delimiter=separator)
    if bom:
        yield BOM
    for row in rows:
        yield str(writer.writerow([_number(cell) if separator == ";" else safe(cell) for cell in row]))


def _number(cell: object) -> object:
    return str(cell).replace(".", ",") if isinstance(cell, float) else safe(cell)


def result_rows(survey: Survey, tally: Tally) -> Iterator[Row]:
    """A row for each option; a text question has one row, which says how many answered."""
    yield [
        "question_id", "question", "kind", "option_id", "option", "count", "percent_of_answers", "percent_of_voters",
        "answered", "voters", "average",
    ]  # fmt: skip
    for chart in charts(survey, tally):
        question = chart.question
        average = "" if chart.average is None else chart.average.exact
        end = [chart.answered, chart.voters, average]
        if not chart.bars:
            yield [question.id, question.text, question.kind.value, "", "", "", "", "", *end]
        for bar in chart.bars:
            shares = [bar.now.count, bar.now.answers.percent, bar.now.voters.percent]
            yield [question.id, question.text, question.kind.value, bar.id, bar.text, *shares, *end]


def ballot_rows(survey: Survey, ballots: Iterable[AnonymousBallot]) -> Iterator[Row]:
    """A row for each voter.

    Columns are named by the ids of questions and options, which never change. `q1` is the option
    that was chosen, as its id, and `q1.text` its words; `q2.o1` is 1 or 0 where several could be
    chosen. A question whose id is one of OURS gets a dot after it. A question that a voter left out
    is empty.
    """
    questions = survey.definition.questions
    yield [*OURS, *(name for question in questions for name in _columns(question))]
    for ballot in ballots:
        cells = (cell for question in questions for cell in _cells(question, ballot.answers.get(question.id)))
        yield [ballot.number, ballot.minute, *cells]


def anonymous(casts: Iterable[Cast]) -> Iterator[AnonymousBallot]:
    """Ballots without their voters.

    They are numbered by their minute; within a minute the order is random in each export, so that
    neither two exports nor two rounds can be laid side by side.
    """
    key = secrets.token_bytes(16)

    def place(cast: Cast) -> tuple[Any, bytes]:
        return minute_of(cast.vote_id), hashlib.blake2b(cast.voter.encode(), key=key).digest()

    for number, cast in enumerate(sorted(casts, key=place), 1):
        minute = minute_of(cast.vote_id).strftime("%Y-%m-%dT%H:%MZ")
        yield AnonymousBallot(number, minute, dict(cast.answers))


def minute_of(vote_id: str) -> datetime:
    """The minute of a vote (UTC): no closer, so that nobody is found by when they voted.

    The epoch for a vote_id that is none, or whose time is no date.
    """
    try:
        return datetime.fromtimestamp(vote_ids.time_ms(vote_id) // 60_000 * 60, UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


def _columns(question: Question) -> list[str]:
    name = f"{question.id}." if question.id in OURS else question.id  # no id has a dot
    match question.kind:
        case Kind.SINGLE:
            return [name, f"{question.id}.text"]
        case Kind.MULTIPLE:
            return [f"{question.id}.{option.id}" for option in question.options]
        case Kind.RATING | Kind.TEXT:
            return [name]


def _cells(question: Question, answer: Any) -> list[object]:
    if answer is None:
        return [""] * len(_columns(question))
    match question.kind:
        case Kind.SINGLE:
            return [answer, next((option.text for option in question.options if option.id == answer), "")]
        case Kind.MULTIPLE:
            chosen = answer if isinstance(answer, list) else [answer]
            return [int(option.id in chosen) for option in question.options]
        case Kind.RATING | Kind.TEXT:
            return [answer]
