"""The ledger of a run: what the students sent, the replies they got, what was broken meanwhile, and what
each region held at the end. One JSON object per line, append only.

A vote is written down before it is sent and its reply when it has come, so whatever dies in
between, the ledger never holds an acknowledgement that nobody received, and never misses a vote
that may have arrived. Every figure of a report can be computed from it again (`verify.py`).

Each line holds the SHA-256 digest of the line before it, so a line that is altered, dropped or moved
is found. A cut tail and a chain that was computed again are found by the last digest, which is
printed at the end of a run.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from failover.drills.entries import (
    KINDS,
    NOTHING_BEFORE,
    REPLIES,
    Act,
    Entry,
    Event,
    FinalRead,
    Receipt,
    Refused,
    Run,
    Sample,
    Seen,
    Sent,
    Try,
    digest_of,
    entry_of,
    to_line,
)


class LedgerDamaged(ValueError):
    """A ledger that contradicts itself or cannot be read; the message names the line."""


@dataclass(frozen=True)
class Ledger:
    """A whole ledger in order. `votes` has each vote once, by its vote_id; a deliberate repeat is in
    `sent` only.
    """

    run: Run
    sent: tuple[Sent, ...] = ()
    tries: tuple[Try, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    refused: tuple[Refused, ...] = ()
    acts: tuple[Act, ...] = ()
    events: tuple[Event, ...] = ()
    samples: tuple[Sample, ...] = ()
    seen: tuple[Seen, ...] = ()
    finals: tuple[FinalRead, ...] = ()
    votes: Mapping[str, Sent] = field(default_factory=dict)
    digest: str = field(default=NOTHING_BEFORE, compare=False)
    """The digest of the last line of the file that it was read from."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Ledger:
        """Sorts the entries out. Raises LedgerDamaged when one contradicts another."""
        parts: dict[type[Entry], list[Any]] = {kind: [] for kind in KINDS.values()}
        votes: dict[str, Sent] = {}
        for number, entry in enumerate(entries, 1):
            if isinstance(entry, Sent):
                first = votes.setdefault(entry.vote_id, entry)
                if (first.voter, first.answers) != (entry.voter, entry.answers):
                    raise LedgerDamaged(f"line {number}: {entry.vote_id} was sent before with another content")
            elif isinstance(entry, REPLIES) and entry.vote_id not in votes:
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
            acts=tuple(parts[Act]),
            events=tuple(parts[Event]),
            samples=tuple(parts[Sample]),
            seen=tuple(parts[Seen]),
            finals=tuple(parts[FinalRead]),
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
                entries.append(entry_of(members))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise LedgerDamaged(f"{path}, line {number}: {error}") from error
            if not follows:
                raise LedgerDamaged(f"{path}, line {number}: it does not follow from the line before it")
            digest = digest_of(line)
        return replace(cls.of(entries), digest=digest)

    def of_strategy(self, strategy: str) -> Ledger:
        """What concerns one strategy, and what concerns all of them."""
        parts: dict[str, Any] = {
            part.name: tuple(entry for entry in getattr(self, part.name) if entry.strategy == strategy)
            for part in fields(self)
            if part.name in ("tries", "receipts", "refused", "seen", "finals")
        }
        return replace(self, **parts)


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
        self._writing = threading.Lock()

    def write(self, entry: Entry) -> None:
        """Append one line, from any thread."""
        with self._writing:
            line = to_line(entry, previous=self._digest)
            os.write(self._handle, f"{line}\n".encode())
            self._digest = digest_of(line)

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
