"""A survey as it stands: its definition, and what instructors did with it since."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from failover import gateway
from polls.surveys import definitions, stored
from polls.surveys.definitions import Definition, Visibility
from polls.surveys.merge import FIRST_BORN, Row, rivals
from polls.surveys.retention import EXPIRES, LEAST_S, WARNING_S, begun

MOST_SHARDS = 4_096  # a stored number beyond this is none
LATEST_S = 250_000_000_000  # in the year 9892: what is later is no date in every time zone
SHARDS = 64  # for a new survey; fixed for its whole life
TOMBSTONE = "deleted:"  # begins the name of the property that says that a survey is deleted
HIDDEN_TEXT = "hidden-text:"  # begins the name of a property that says in which round a free text is hidden
THIS_ROUND = "results-now"  # the property that says what an instructor revealed or hid, and in which round
SWITCHES = frozenset({"state", "archived", "born", "shards", THIS_ROUND})
DEFINED = ("title", "allow_change", "questions", "help", "results", "access", "opens_at", "closes_at")


class State(StrEnum):
    """Whether votes are taken."""

    OPEN = "open"
    CLOSED = "closed"


class Shut(StrEnum):
    """Why votes are not taken: the API's words."""

    CLOSED = "closed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Survey:
    """A survey in its current round: what its author wrote, and what instructors did with it since.

    `switch` is what an instructor's hand last set; with the definition's times it gives `state`.
    `revealed` is what an instructor did with this round's results: shown, hidden, or nothing
    (None); then the definition's `results` hold.

    `expires_at` is when this round's ballots expire, in seconds since the epoch, 0 where that is
    not known; `expiries` has the same for every round that is known. `born` is the round in which a
    survey under this code began (again): a survey that was deleted before is another one. `deleted`
    leaves only the code and the round.

    `hidden_texts` are the marks (moderation.py) of this round's free texts that the projector does
    not show. `split` names the properties that were written on two sides of a split, each without
    knowledge of the other: somebody has to choose (partitions.py). `unread` names the properties
    that hold what this version does not understand; `votable` is false where no ballot can be taken
    for that reason (stored.py). `document` is the survey JSON as it is stored.
    """

    code: str
    definition: Definition
    switch: State
    round: int
    shards: int
    expires_at: int
    archived: bool = False
    deleted: bool = False
    born: int = field(default=FIRST_BORN, compare=False)
    hidden_texts: frozenset[str] = frozenset()
    split: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    votable: bool = True
    revealed: Visibility | None = None
    expiries: Mapping[int, int] = field(default_factory=dict, compare=False)
    document: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __hash__(self) -> int:
        """Cheap, since surveys are keys of caches. Two different surveys seldom have the same code
        and round.
        """
        return hash((self.code, self.round))

    @property
    def state(self) -> State:
        """Whether votes are taken now. No scheduler opens or closes a survey: every reader compares
        with the clock.
        """
        return self.state_at(gateway.clock.wall())

    def state_at(self, now_s: float) -> State:
        """Whether votes are taken at a time, in seconds since the epoch."""
        return State.OPEN if self.shut_at(now_s) is None else State.CLOSED

    def shut_at(self, now_s: float) -> Shut | None:
        """Why votes are not taken at a time, in seconds since the epoch; None while they are."""
        if now_s >= self.expires_at - LEAST_S:
            return Shut.EXPIRED
        opens_at, closes_at = self.definition.opens_at, self.definition.closes_at
        early = opens_at is not None and now_s < opens_at.timestamp()
        late = closes_at is not None and now_s >= closes_at.timestamp()
        closed = self.switch is State.CLOSED or self.deleted or not self.votable or early or late
        return Shut.CLOSED if closed else None

    @property
    def is_open(self) -> bool:
        """Whether votes are taken now."""
        return self.state is State.OPEN

    @property
    def is_expired(self) -> bool:
        """Whether this round takes no more votes because it began 185 days ago. A new round takes
        votes again.
        """
        return self.shut_at(gateway.clock.wall()) is Shut.EXPIRED

    @property
    def expires_soon(self) -> bool:
        """Whether this round's time for votes ends within 30 days."""
        return not self.is_expired and gateway.clock.wall() >= self.expires_at - LEAST_S - WARNING_S

    @property
    def is_gone(self) -> bool:
        """Whether this round's ballots have expired, even if the database has not removed them yet."""
        return gateway.clock.wall() >= self.expires_at

    @property
    def is_hidden(self) -> bool:
        """Whether only instructors may see this round's results now."""
        return (self.revealed or self.definition.results) is Visibility.HIDDEN

    @property
    def votes_until(self) -> datetime:
        """When this round's time for votes ends."""
        return datetime.fromtimestamp(max(0, self.expires_at - LEAST_S), UTC)

    @property
    def kept_until(self) -> datetime:
        """When this round's ballots expire."""
        return datetime.fromtimestamp(self.expires_at, UTC)

    def in_round(self, number: int) -> "Survey":
        """The survey with another round's number and expiry."""
        return replace(self, round=number, expires_at=self.expiries.get(number, 0))

    @property
    def waits(self) -> bool:
        """Whether it is closed only until its time of opening. False where it would close before it
        opens.
        """
        opens_at, closes_at = self.definition.opens_at, self.definition.closes_at
        if self.switch is State.CLOSED or not self.votable or opens_at is None or self.is_expired:
            return False
        comes = closes_at is None or opens_at < closes_at
        return comes and gateway.clock.wall() < opens_at.timestamp()

    def as_json(self) -> dict[str, Any]:
        """The survey JSON, or the stored JSON where this version does not understand all of it."""
        if self.unread & self.document.keys():
            return {**self.document, "code": self.code}
        return definitions.to_json(self.definition)

    @property
    def option_ids(self) -> dict[str, list[str]]:
        """The option ids of each question, for the tally."""
        return {question.id: [option.id for option in question.choices] for question in self.definition.questions}


def is_whole(row: Row) -> bool:
    """Whether a merged row describes a survey. A region that took a change before the survey was
    replicated to it has only the change; while the other regions are away, that is no survey.
    """
    gone = bool(row.value(tombstone(row.born)))
    return row.round > 0 and (gone or row.value("questions") is not None)


def from_row(code: str, row: Row) -> Survey:
    """The survey that a merged row describes; `is_whole` must be true. Never fails, whatever the
    row holds.
    """
    shards = _within(row.value("shards"), 1, MOST_SHARDS, SHARDS)
    expiries = _expiries(row)
    expires_at = expiries.get(row.round, 0)
    if row.value(tombstone(row.born)):
        nothing = Definition("", (), code=code)
        return Survey(code, nothing, State.CLOSED, row.round, shards, expires_at, deleted=True, born=row.born)
    document = {name: row.value(name) for name in DEFINED if row.value(name) is not None}
    read, switch = stored.read(document, code), row.value("state")
    unread = read.unread | {name for name in row.fields if not is_known(name)}
    if switch not in list(State):
        switch, unread = State.CLOSED, unread | {"state"}
    return Survey(
        code,
        read.definition,
        State(switch),
        row.round,
        shards,
        expires_at,
        archived=row.value("archived") is True,
        born=min(row.born, row.round),
        hidden_texts=frozenset(
            name.removeprefix(HIDDEN_TEXT)
            for name, entry in row.fields.items()
            if name.startswith(HIDDEN_TEXT) and entry.value == row.round
        ),
        split=frozenset(name for name in row.versions if rivals(row, name)),
        unread=unread,
        votable=read.votable,
        revealed=_revealed(row),
        expiries=expiries,
        document=document,
    )


def _within(value: Any, least: int, most: int, default: int) -> int:
    """A stored whole number; `default` for any other value, or one out of bounds."""
    return value if type(value) is int and least <= value <= most else default


def shown_now(number: int, results: Visibility) -> dict[str, Any]:
    """The property that says that an instructor revealed or hid the results of this one round."""
    return {THIS_ROUND: f"{number}:{results.value}"}


def _revealed(row: Row) -> Visibility | None:
    words = {f"{row.round}:{word.value}": word for word in Visibility}
    value = row.value(THIS_ROUND)
    return words.get(value) if isinstance(value, str) else None


def _expiries(row: Row) -> dict[int, int]:
    """The expiry of each round for which it is known."""
    expiries: dict[int, int] = {}
    for name in row.fields:
        if name.startswith(EXPIRES):
            number, at = gateway.text.whole_number(name.removeprefix(EXPIRES)), row.value(name)
            if number is not None and type(at) is int and 0 <= at <= LATEST_S:
                expiries[number] = at
    return expiries


def is_known(name: str) -> bool:
    """Whether this version has a property of this name."""
    return name in DEFINED or name in SWITCHES or name.startswith((HIDDEN_TEXT, TOMBSTONE, EXPIRES))


def tombstone(born: int) -> str:
    """The property that says that the survey which began in round `born` is deleted.

    Each survey under a code has a tombstone with a name of its own, and nothing removes it. So a
    change or a reset that was made where the deletion was not yet known cannot bring the survey
    back.
    """
    return f"{TOMBSTONE}{born}"


def is_tombstone(name: str) -> bool:
    """Whether a property says that a survey is deleted."""
    return name.startswith(TOMBSTONE)


def defined_values(definition: Definition) -> dict[str, Any]:
    """A definition as properties of a row. Each is merged by itself; None is a default that is not
    written.
    """
    document = definitions.to_json(definition)
    return {name: document.get(name) for name in DEFINED}


def first_values(
    definition: Definition, *, now_s: float, born: int = 1, switch: State = State.OPEN
) -> Mapping[str, Any]:
    """The properties of a new survey."""
    return {
        **defined_values(definition),
        "state": switch.value,
        "archived": False,
        "born": born,
        "shards": SHARDS,
        **begun(born, now_s),
    }
