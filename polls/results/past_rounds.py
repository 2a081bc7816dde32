"""Rounds that are over. Their ballots and tallies are kept until they expire.

The questions may have been changed since, and what they were is not kept. But the tallies name
every question and option of their time: what is no longer asked is shown by its id, and no vote is
left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from failover import gateway
from polls.results.selectors import voters
from polls.surveys.definitions import Kind, Option, Question
from polls.surveys.survey import State, Survey
from polls.tallies import store

MOST_READ = 100  # rounds; each costs a read
MOST_LISTED = 20  # the latest rounds; earlier ones are found by their number


def of(survey: Survey, number: int) -> Survey | None:
    """The survey as it was asked and counted in round `number`; None for a round that it never had.

    Raises NoRegionAnswered.
    """
    if number == survey.round:
        return survey
    if not survey.born <= number < survey.round:
        return None
    past = survey.in_round(number)
    tallies = gateway.read(lambda bound: store.read_round(survey.code, number, consistent=bound.strong)).value.shards
    counted = None if past.is_gone else max(tallies.values(), key=lambda stored: stored.counted_at, default=None)
    definition = survey.definition
    if counted is not None:
        questions = asked(definition.questions, counted.options)
        definition = replace(definition, allow_change=counted.may_change, questions=questions)
    return replace(past, switch=State.CLOSED, definition=definition)


def asked(now: Sequence[Question], then: Mapping[str, Sequence[str]]) -> tuple[Question, ...]:
    """The questions of a round; `then` holds the option ids of each question id.

    The words are those of `now`, where a question or an option is still there.
    """
    known = {question.id: question for question in now}
    return tuple(_asked(known.get(name), name, options) for name, options in then.items())


def _asked(now: Question | None, name: str, options: Sequence[str]) -> Question:
    if now is None:
        return Question(name, name, Kind.MULTIPLE if options else Kind.TEXT, options=_named(options))
    if [option.id for option in now.choices] == list(options):
        return now
    if now.kind in (Kind.SINGLE, Kind.MULTIPLE) and options:
        words = {option.id: option for option in now.options}
        return replace(now, options=tuple(words.get(option, Option(option, option)) for option in options))
    return Question(name, now.text, Kind.MULTIPLE if options else Kind.TEXT, options=_named(options))


def _named(options: Sequence[str]) -> tuple[Option, ...]:
    return tuple(Option(option, option) for option in options)


def with_votes(survey: Survey) -> list[tuple[int, int]]:
    """The number and the voters of each round before this one that has votes and has not expired.

    The latest is first; only the last MOST_READ rounds are looked at. Raises NoRegionAnswered.
    """
    rounds: list[tuple[int, int]] = []
    first = max(survey.born, survey.round - MOST_READ)
    for last in range(survey.round - 1, first - 1, -MOST_LISTED):
        past = [survey.in_round(number) for number in range(last, max(first, last - MOST_LISTED + 1) - 1, -1)]
        rounds += [(number, count) for (_code, number), count in voters(past).items() if count]
        if len(rounds) >= MOST_LISTED:
            break
    return rounds[:MOST_LISTED]
