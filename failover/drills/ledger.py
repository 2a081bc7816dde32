"""The ledger of what the students sent and of the replies they got: one JSON object per line,
append only.

A vote is written down before it is sent and its reply when it has come, so whatever dies in
between, the ledger never holds an acknowledgement that nobody received, and never misses a vote
that may have arrived.

Each line holds the SHA-256 digest of the line before it, so a line that is altered, dropped or moved
is found. A cut tail and a chain that was computed again are found by the last digest, which is
printed at the end of a run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any


class Intent(StrEnum):
    """Why a vote is sent."""

    FIRST = "first"
    CHANGE = "change"
    REPEAT = "repeat"
    """The student's last vote once more, on purpose: the same name, the same answers."""


class LedgerDamaged(ValueError):
    """A ledger that contradicts itself or cannot be read; the message names the line."""


@dataclass(frozen=True)
class Run:
    """Whose ledger it is. Every voter of a run starts with `voters`, so that other people may vote
    meanwhile.
    """

    code: str
    voters: str
    may_change: bool
    at: float


@dataclass(frozen=True)
class Sent:
    """A vote that is about to be sent for the first time, or to be repeated on purpose. `at`: epoch
    seconds.
    """

    voter: str
    vote_id: str
    answers: Mapping[str, Any]
    intent: Intent
    at: float


@dataclass(frozen=True)
class Try:
    """One request that ended. `http` is 0 when no reply came; `said` is the reply's own word or the
    error.
    """

    vote_id: str
    number: int
    http: int
    said: str
    ms: float
    at: float

    @property
    def failed(self) -> bool:
        """No reply, or one that asks for a repeat. A refusal (409, 422) is an answer."""
        return self.http == 0 or self.http == 429 or self.http >= 500


@dataclass(frozen=True)
class Receipt:
    """A vote was acknowledged. `ms` counts from the first try; `attempts`: which regions the
    application asked.
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


@dataclass(frozen=True)
class Refused:
    """A vote that the application will not take, however often it is sent: the survey is closed,
    the form is wrong.
    """

    vote_id: str
    http: int
    reason: str
    at: float


@dataclass(frozen=True)
class GaveUp:
    """The student stopped repeating; whether the vote is recorded, nobody told them."""

    vote_id: str
    tries: int
    ms: float
    at: float


Entry = Run | Sent | Try | Receipt | Refused | GaveUp
_KINDS: dict[str, type[Entry]] = {
    "run": Run,
    "sent": Sent,
    "try": Try,
    "acknowledged": Receipt,
    "refused": Refused,
    "gave-up": GaveUp,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def digest_of(line: str) -> str:
    """The SHA-256 digest of a line without its end, in hexadecimal."""
    return hashlib.sha256(line.encode()).hexdigest()


NOTHING_BEFORE = digest_of("")
"""What the first line holds as the digest of the line before it."""


def to_line(entry: Entry, *, previous: str = NOTHING_BEFORE) -> str:
    """One line, without its end. `previous` is the digest of the line before it."""
    members = {"line": _NAMES[type(entry)], **asdict(entry), "previous": previous}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)


def _entry(members: dict[str, Any]) -> Entry:
    """Raises ValueError, KeyError or TypeError for members that `to_line` did not write."""
    kind = _KINDS[members.pop("line")]
    if kind is Sent:
        members["intent"] = Intent(members["intent"])
    if kind is Receipt:
        members["attempts"] = tuple(members["attempts"])
    return kind(**members)


@dataclass(frozen=True)
class Ledger:
    """A whole ledger in order. `votes` has each vote once, by its name; a deliberate repeat is in
    `sent` only.
    """

    run: Run
    sent: tuple[Sent, ...] = ()
    tries: tuple[Try, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    refused: tuple[Refused, ...] = ()
    votes: Mapping[str, Sent] = field(default_factory=dict)
    digest: str = field(default=NOTHING_BEFORE, compare=False)
    """The digest of the last line of the file that it was read from."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Ledger:
        """Sorts the entries out. Raises LedgerDamaged when one contradicts another."""
        parts: dict[type[Entry], list[Any]] = {kind: [] for kind in _KINDS.values()}
        votes: dict[str, Sent] = {}
        for number, entry in enumerate(entries, 1):
            if isinstance(entry, Sent):
                first = votes.setdefault(entry.vote_id, entry)
                if (first.voter, first.answers) != (entry.voter, entry.answers):
                    raise LedgerDamaged(f"line {number}: {entry.vote_id} was sent before with another content")
            elif not isinstance(entry, Run) and entry.vote_id not in votes:
                raise LedgerDamaged(f"line {number}: a reply about {entry.vote_id}, which was not sent")
            parts[type(entry)].append(entry)
        if len(parts[Run]) != 1:
            raise LedgerDamaged(f"a ledger is of one run, not of {len(parts[Run])}")
        return cls(
            run=parts[Run][0],
            sent=tuple(parts[Sent]),
            tries=tuple(parts[Try]),
            receipts=tuple(parts[Receipt]),
            refused=tuple(parts[Refused]),
            votes=votes,
        )

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Raises LedgerDamaged, also when a line does not follow from the one before it.

        A last line without its end was never finished, and says nothing.
        """
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        entries, digest = [], NOTHING_BEFORE
        for number, line in enumerate(lines, 1):
            try:
                members = json.loads(line)
                follows = members.pop("previous") == digest
                entries.append(_entry(members))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise LedgerDamaged(f"{path}, line {number}: {error}") from error
            if not follows:
                raise LedgerDamaged(f"{path}, line {number}: it does not follow from the line before it")
            digest = digest_of(line)
        return replace(cls.of(entries), digest=digest)


class LedgerFile:
    """Appends entries to a new file; each is with the operating system when `write` returns. A
    context manager.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # A ledger is never continued: two runs in one file could not be told apart.
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._digest = NOTHING_BEFORE

    def write(self, entry: Entry) -> None:
        """Append one line."""
        line = to_line(entry, previous=self._digest)
        os.write(self._handle, f"{line}\n".encode())
        self._digest = digest_of(line)

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
