"""The ledger of what the students sent and of the replies they got: one JSON object per line,
append only.

A vote is written down before it is sent and its reply when it has come, so whatever dies in
between, the ledger never holds an acknowledgement that nobody received, and never misses a vote
that may have arrived.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
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


def to_line(entry: Entry) -> str:
    """One line, without its end."""
    return json.dumps({"line": _NAMES[type(entry)], **asdict(entry)}, separators=(",", ":"), ensure_ascii=False)


def from_line(text: str) -> Entry:
    """Raises ValueError, KeyError or TypeError for a line that `to_line` did not write."""
    members = json.loads(text)
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
        """Reads a file. Ignores a last line without its end. Raises LedgerDamaged."""
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        entries = []
        for number, line in enumerate(lines, 1):
            try:
                entries.append(from_line(line))
            except (ValueError, KeyError, TypeError) as error:
                raise LedgerDamaged(f"{path}, line {number}: {error}") from error
        return cls.of(entries)


class LedgerFile:
    """Appends entries to a new file; each is with the operating system when `write` returns. A
    context manager.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # A ledger is never continued: two runs in one file could not be told apart.
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def write(self, entry: Entry) -> None:
        """Append one line."""
        os.write(self._handle, f"{to_line(entry)}\n".encode())

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
