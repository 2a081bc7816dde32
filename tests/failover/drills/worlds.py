"""Ledgers and the stores that go with them, small enough to be read in a test."""

from dataclasses import dataclass, field, replace
from typing import Any

from failover.drills.entries import Receipt, Refused, Run, Sent, Try
from failover.drills.ledger import Ledger
from failover.drills.plan import Intent
from failover.drills.verdict import Ballot, Store
from failover.drills.vote_names import name_vote

EAST, WEST = "us-east-1", "us-west-2"
START = 1_700_000_000.0  # epoch seconds


@dataclass
class World:
    """Builds a ledger vote by vote, and the store as it is when nothing went wrong.

    `held` is each voter's row a region of writing, the same in both replicas.
    """

    may_change: bool = True
    sent: list[Sent] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)
    held: dict[tuple[str, str], Ballot] = field(default_factory=dict)

    def vote(
        self, voter: str, *, acknowledged: bool = True, stored: bool = True, region: str = EAST, **answers: Any
    ) -> str:
        """A vote, one second after the one before; returns its name."""
        at = START + len(self.sent)
        vote_id = name_vote(int(at * 1000), lambda bits: 0)
        given = answers or {"q1": f"o{len(self.sent)}"}
        self.sent.append(Sent(f"student-{voter}", vote_id, given, Intent.FIRST, at, at))
        self.tries.append(Try(vote_id, 1, 201 if acknowledged else 0, "recorded", 10.0, at + 0.01))
        if acknowledged:
            self.receipts.append(Receipt(vote_id, 1, region, "recorded", 201, (), 1, 10.0 + len(self.sent), at + 0.01))
        if stored:
            self.held[f"student-{voter}", region] = Ballot(f"student-{voter}", vote_id, given, region)
        return vote_id

    def ledger(self) -> Ledger:
        """What was written down."""
        run = Run("DEMO20", "student-", self.may_change, START)
        return Ledger.of([run, *self.sent, *self.tries, *self.receipts, *self.refused])

    def store(self) -> Store:
        """Both replicas and what they come to."""
        rows = tuple(self.held.values())
        pick = max if self.may_change else min
        voters = dict.fromkeys(row.voter for row in rows)
        merged = [pick((row for row in rows if row.voter == voter), key=lambda row: row.vote_id) for voter in voters]
        return Store(1, tuple(replace(row, written_in="") for row in merged), {EAST: rows, WEST: rows})


def without(ballots: tuple[Ballot, ...], vote_id: str) -> tuple[Ballot, ...]:
    """Every ballot but one."""
    return tuple(ballot for ballot in ballots if ballot.vote_id != vote_id)


def edited(ballots: tuple[Ballot, ...], victim: str, /, **changes: Any) -> tuple[Ballot, ...]:
    """The ballots, one of them changed."""
    return tuple(replace(ballot, **changes) if ballot.vote_id == victim else ballot for ballot in ballots)


def everywhere(store: Store, change: Any, *arguments: Any, **changes: Any) -> Store:
    """The same done to the merged ballots and to every replica, as if the application agreed with
    itself.
    """
    raw = {region: change(rows, *arguments, **changes) for region, rows in store.raw.items()}
    return Store(store.round, change(store.merged, *arguments, **changes), raw)
