"""A survey as it stands: its definition, and what instructors have done with it since."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from . import definitions
from .definitions import Definition, Question
from .merge import Row

SHARDS = 64  # for a new survey; fixed for its whole life
KEPT_S = 180 * 24 * 3600  # how long the ballots of a round are kept


class State(StrEnum):
    """Whether votes are taken."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Survey:
    """A survey in its current round. `expires_at` is when this round's ballots may go, in seconds since the epoch."""

    code: str
    title: str
    questions: tuple[Question, ...]
    allow_change: bool
    state: State
    round: int
    shards: int
    expires_at: int

    @property
    def is_open(self) -> bool:
        """Whether votes are taken."""
        return self.state is State.OPEN

    @property
    def definition(self) -> Definition:
        """What its author wrote."""
        return Definition(self.title, self.questions, self.allow_change, self.code)

    @property
    def option_ids(self) -> dict[str, list[str]]:
        """What can be chosen in each question, as the tally wants it."""
        return {question.id: [option.id for option in question.choices] for question in self.questions}


def from_row(code: str, row: Row) -> Survey:
    """The survey that merged rows describe."""
    definition = definitions.parse({name: row.value(name) for name in ("title", "allow_change", "questions")})
    return Survey(
        code,
        definition.title,
        definition.questions,
        definition.allow_change,
        State(row.value("state")),
        row.round,
        int(row.value("shards")),
        int(row.value("expires_at")),
    )


def first_values(definition: Definition, *, now_s: float) -> Mapping[str, Any]:
    """The properties of a survey that is just made."""
    document = definitions.to_json(definition)
    return {
        "title": document["title"],
        "allow_change": document["allow_change"],
        "questions": document["questions"],
        "state": State.OPEN.value,
        "shards": SHARDS,
        "expires_at": int(now_s) + KEPT_S,
    }
