"""A small run of a drill as its ledger has it: votes, a fault, and what the regions hold at the end."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from failover.drills import verify
from failover.drills.entries import (
    NOTHING_BEFORE,
    Act,
    Entry,
    Event,
    FinalRead,
    GaveUp,
    Receipt,
    Refused,
    Run,
    Sample,
    Seen,
    Sent,
    Try,
    answers_digest,
    digest_of,
    to_line,
)
from failover.drills.ledger import LedgerFile
from failover.drills.plan import Intent
from failover.drills.vote_names import name_vote

EAST, WEST = "us-east-1", "us-west-2"
START = 1_700_000_000.0
ROUTER = "router"


@dataclass
class World:
    """Votes of one run, one each second, of which the regions hold what they should unless told
    otherwise. `broken` and `mended`: when a fault is set and cleared, in s after the start.
    """

    strategy: str = ROUTER
    regions: tuple[str, ...] = (EAST, WEST)
    may_change: bool = True
    broken: float = 3.5
    mended: float = 6.5
    cpu: float = 0.3
    entries: list[Entry] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    rows: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    counted: int | None = None
    number: int = 0

    def vote(
        self,
        voter: str,
        *,
        http: Iterable[int] = (201,),
        region: str = EAST,
        kept: bool | None = None,
        arrives_s: float | None = 0.2,
        ms: float = 20.0,
        above: str | None = None,
        skew_s: float = 0.0,
        attempts: tuple[dict[str, Any], ...] = ({"region": EAST, "outcome": "ok", "ms": 2.0},),
    ) -> str:
        """A vote that is due one second after the one before. `http` has each reply's status, 0 for
        none; it is kept when one of them was a success, unless `kept` says otherwise. `arrives_s`: how
        long after its reply every region has it; None: never seen.
        """
        due = START + self.number
        self.number += 1
        vote_id = name_vote(int(due * 1000), lambda _bits: self.number, above=above)
        answers = {"q1": f"o{self.number}"}
        self.entries.append(Sent(voter, vote_id, answers, Intent.FIRST, due, due))
        codes, at = list(http), due + ms / 1000
        for tries, code in enumerate(codes, 1):
            self.entries.append(Try(vote_id, tries, code, "", ms, at, self.strategy))
        if codes[-1] in (200, 201):
            receipt = Receipt(
                vote_id,
                1,
                region,
                "recorded",
                codes[-1],
                attempts,
                len(codes),
                ms,
                at,
                at - 0.005 + skew_s,
                self.strategy,
            )
            self.entries.append(receipt)
        elif codes[-1] in (409, 422):
            self.entries.append(Refused(vote_id, codes[-1], "closed", at, self.strategy))
        else:
            self.entries.append(GaveUp(vote_id, len(codes), ms, at, self.strategy))
        if codes[-1] in (200, 201) if kept is None else kept:
            self.keep(voter, vote_id, answers)
            if arrives_s is not None:
                self.seen += [Seen(self.strategy, place, (vote_id,), at + arrives_s) for place in self.regions]
        return vote_id

    def keep(self, voter: str, vote_id: str, answers: dict[str, str]) -> None:
        """Every region holds this vote as the voter's row."""
        for place in self.regions:
            held = [row for row in self.rows.setdefault(place, []) if row[0] != voter]
            self.rows[place] = [*held, (voter, vote_id, answers_digest(answers))]

    def switch(self, kind: str, at: float, region: str = WEST) -> None:
        """An event of the monitor's."""
        self.events.append(Event(kind, region, "", START + at))

    def all_entries(self) -> list[Entry]:
        """The whole ledger in order."""
        run = Run("DRILL20", "student-", self.may_change, START, "test", 4, 1.0, 7, {self.strategy: self.regions})
        acts = [
            Act("fault", EAST, "dns-empty", "broken", START + self.broken),
            Act("clear", EAST, "dns-empty", "mended", START + self.mended),
        ]
        finals = [
            FinalRead(self.strategy, place, 1, tuple(self.rows.get(place, [])), START + 60, self.counted)
            for place in self.regions
        ]
        sample = Sample(EAST, {f"{EAST}>{WEST}": 120}, self.cpu, 0.1, START + 1)
        return [run, *self.entries, *acts, *self.events, *self.seen, sample, *finals]

    def figures(self) -> dict[str, Any]:
        """What the report would say."""
        text = write(Path("/dev/null"), self.all_entries(), as_text=True)
        entries, _digest = verify.read(text)
        return verify.figures(entries, self.strategy)


def write(path: Path, entries: Iterable[Entry], *, as_text: bool = False) -> str:
    """A ledger with these entries, in a file or as text."""
    if not as_text:
        with LedgerFile(path) as book:
            for entry in entries:
                book.write(entry)
        return path.read_text()
    lines, last = [], NOTHING_BEFORE
    for entry in entries:
        lines.append(to_line(entry, previous=last))
        last = digest_of(lines[-1])
    return "".join(f"{line}\n" for line in lines)


def replaced(entries: Iterable[Entry], old: type[Entry], **members: Any) -> list[Entry]:
    """The entries, those of one kind with other members."""
    return [replace(entry, **members) if isinstance(entry, old) else entry for entry in entries]  # type: ignore[type-var]  # every entry is a dataclass
