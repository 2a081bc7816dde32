"""Counts ballots. One pure function serves the results page, a shard's tally and the audit.
Standard library only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from polls.ballots.merge import Cast, merge_ballots


@dataclass(frozen=True)
class Tally:
    """How many voters there are, how many answered each question, and how often each option was
    chosen.

    `latest` has the vote_id of the last vote with a text for each text question: a page that shows
    the newest texts need not look for them in every shard.
    """

    voters: int
    answered: Mapping[str, int]
    chosen: Mapping[str, Mapping[str, int]]
    latest: Mapping[str, str] = field(default_factory=dict)


def count(casts: Iterable[Cast], *, options: Mapping[str, Sequence[str]], may_change: bool) -> Tally:
    """Merge each voter's ballots, then count the answers.

    `options` holds the option ids of every question (a rating's are "1" to its scale; a free text
    has none and is only counted as answered).
    """
    ballots = merge_ballots(casts, may_change=may_change)
    answered = dict.fromkeys(options, 0)
    chosen = {question: dict.fromkeys(ids, 0) for question, ids in options.items()}
    latest: dict[str, str] = {}
    for ballot in ballots.values():
        for question, answer in ballot.answers.items():
            if question not in chosen:
                continue
            answered[question] += 1
            if not chosen[question]:
                latest[question] = max(latest.get(question, ""), ballot.vote_id)
            for option in {str(item) for item in (answer if isinstance(answer, list) else [answer])}:
                if option in chosen[question]:
                    chosen[question][option] += 1
    return Tally(len(ballots), answered, chosen, latest)


def total(tallies: Iterable[Tally], *, options: Mapping[str, Sequence[str]]) -> Tally:
    """The sum of the shards' tallies: exact, because all ballots of a voter lie in one shard.
    `latest` belongs to a shard and is left out.
    """
    voters, answered = 0, dict.fromkeys(options, 0)
    chosen = {question: dict.fromkeys(ids, 0) for question, ids in options.items()}
    for tally in tallies:
        voters += tally.voters
        for question in chosen:
            answered[question] += tally.answered.get(question, 0)
            for option, times in tally.chosen.get(question, {}).items():
                if option in chosen[question]:
                    chosen[question][option] += times
    return Tally(voters, answered, chosen)


def percent(part: int, whole: int) -> float:
    """The part in percent, rounded half up to one decimal; 0.0 where `whole` is 0. Computed from
    integers, so that it is rounded once.
    """
    return half_up(1000 * part, whole) / 10 if whole else 0.0


def half_up(part: int, whole: int) -> int:
    """`part / whole` as a whole number, a half rounded up, exactly. `whole` is above 0, `part` at
    least 0.
    """
    return (2 * part + whole) // (2 * whole)
