"""The entries of a ledger, and how each is one line of JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from failover.drills.plan import Intent

ROUTER = "router"
"""The strategy that votes through our application; the only one of `manage.py students`."""
ROUTER_STALE = "router+serve-stale"
"""Our application with DNS answers that serve on when the name stops resolving."""
OURS = (ROUTER, ROUTER_STALE)


@dataclass(frozen=True)
class Run:
    """Whose ledger it is. Every voter of a run starts with `voters`, so that other people may vote
    meanwhile. `strategies` has the regions in which each strategy keeps votes. `at`: epoch seconds,
    here and below.
    """

    code: str
    voters: str
    may_change: bool
    at: float
    drill: str = ""
    students: int | None = None
    rate: float = 0.0
    seed: int | None = None
    strategies: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {ROUTER: ()})


@dataclass(frozen=True)
class Sent:
    """A vote that is about to be sent for the first time, or to be repeated on purpose, to every
    strategy. `due`: when the plan had it; every latency counts from then.
    """

    voter: str
    vote_id: str
    answers: Mapping[str, Any]
    intent: Intent
    at: float
    due: float


@dataclass(frozen=True)
class Try:
    """One request that ended. `http` is 0 when no reply came; `said` is the reply's own word or the
    error. `ms` is the time of this request alone.
    """

    vote_id: str
    number: int
    http: int
    said: str
    ms: float
    at: float
    strategy: str = ROUTER

    @property
    def failed(self) -> bool:
        """No reply, or one that asks for a repeat. A refusal (409, 422) is an answer."""
        return self.http == 0 or self.http == 429 or self.http >= 500


@dataclass(frozen=True)
class Receipt:
    """A vote was acknowledged. `ms` counts from when the vote was due; `attempts`: which regions the
    application asked; `recorded_at`: by the application's clock, None where it does not say.
    """

    vote_id: str
    round: int
    region: str
    status: str
    http: int
    attempts: tuple[Mapping[str, Any], ...]
    tries: int
    ms: float
    at: float
    recorded_at: float | None = None
    strategy: str = ROUTER


@dataclass(frozen=True)
class Refused:
    """A vote that the application will not take, however often it is sent: the survey is closed,
    the form is wrong.
    """

    vote_id: str
    http: int
    reason: str
    at: float
    strategy: str = ROUTER


@dataclass(frozen=True)
class GaveUp:
    """The student stopped repeating; whether the vote is recorded, nobody told them."""

    vote_id: str
    tries: int
    ms: float
    at: float
    strategy: str = ROUTER


@dataclass(frozen=True)
class Act:
    """Something that was done to the application on purpose: `what` is "fault" or "clear" with the
    fault's kind, "prepare" for a fault that is not yet the outage, or another action of the timeline.
    `text` says what was seen from outside.
    """

    what: str
    region: str
    kind: str
    text: str
    at: float


@dataclass(frozen=True)
class Event:
    """An event of the monitor's log, in the words of its status document."""

    kind: str
    region: str
    text: str
    at: float


@dataclass(frozen=True)
class Sample:
    """Where traffic goes, the replication lag in ms by direction ("A>B"), and the load of this
    machine: `cpu` of all its processors and `client` of one, both as shares (0 to 1).
    """

    active: str
    lag: Mapping[str, int | None]
    cpu: float
    client: float
    at: float


@dataclass(frozen=True)
class Seen:
    """Votes that had arrived in a region's replica of a strategy's table by then."""

    strategy: str
    region: str
    votes: tuple[str, ...]
    at: float


@dataclass(frozen=True)
class FinalRead:
    """What a region's replica held at the end: `rows` of voter, vote_id and the digest of the answers.
    `rows` is None when the region could not be read. `counted`: what the application counts, where it
    keeps no rows.
    """

    strategy: str
    region: str
    round: int
    rows: tuple[tuple[str, str, str], ...] | None
    at: float
    counted: int | None = None


Entry = Run | Sent | Try | Receipt | Refused | GaveUp | Act | Event | Sample | Seen | FinalRead
KINDS: dict[str, type[Entry]] = {
    "run": Run,
    "sent": Sent,
    "try": Try,
    "acknowledged": Receipt,
    "refused": Refused,
    "gave-up": GaveUp,
    "act": Act,
    "event": Event,
    "sample": Sample,
    "seen": Seen,
    "final": FinalRead,
}
_NAMES = {kind: name for name, kind in KINDS.items()}
REPLIES = (Try, Receipt, Refused, GaveUp)


def digest_of(line: str) -> str:
    """The SHA-256 digest of a line without its end, in hexadecimal."""
    return hashlib.sha256(line.encode()).hexdigest()


def answers_digest(answers: Mapping[str, Any]) -> str:
    """A short digest of a vote's answers: equal for equal answers."""
    text = json.dumps(answers, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_of(text)[:16]


NOTHING_BEFORE = digest_of("")
"""What the first line holds as the digest of the line before it."""


def to_line(entry: Entry, *, previous: str = NOTHING_BEFORE) -> str:
    """One line, without its end. `previous` is the digest of the line before it."""
    members = {"line": _NAMES[type(entry)], **asdict(entry), "previous": previous}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)


def entry_of(members: dict[str, Any]) -> Entry:
    """Raises ValueError, KeyError or TypeError for members that `to_line` did not write."""
    kind = KINDS[members.pop("line")]
    if kind is Run:
        members["strategies"] = {name: tuple(regions) for name, regions in members["strategies"].items()}
    if kind is Sent:
        members["intent"] = Intent(members["intent"])
    if kind is FinalRead and members["rows"] is not None:
        members["rows"] = tuple((voter, vote_id, answers) for voter, vote_id, answers in members["rows"])
    for name in ("attempts", "votes"):
        if name in members:
            members[name] = tuple(members[name])
    return kind(**members)
