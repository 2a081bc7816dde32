"""Routers that are broken on purpose, behind the ballot API: two regions in memory, which copy at once."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from failover.drills.entries import FinalRead, Seen, answers_digest
from failover.drills.ledger import Ledger
from tests.failover.drills.server import Application, receipt

EAST, WEST = "us-east-1", "us-west-2"


@dataclass
class BrokenRouter(Application):
    """Keeps each voter's latest vote, and does one thing wrong at the vote `wrong_at` (counted from 0).

    `fault`: "drop" acknowledges a vote and forgets it, "double" keeps it under a second name too,
    "revert" puts the voter's vote before it back, "late" answers nobody for `outage_s` from then on.
    """

    fault: str = ""
    wrong_at: int = 10
    outage_s: float = 0.0
    rows: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    before: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    arrivals: dict[str, float] = field(default_factory=dict)
    wrong_since: float | None = None
    keeping: threading.Lock = field(default_factory=threading.Lock)

    def next_answer(self, body: dict[str, Any]) -> Any:
        """Keeps the vote and acknowledges it, or does what is wrong."""
        with self.keeping:
            number = len(self.received)
            self.received.append(body)
            voter, vote = body["voter"], (body["vote_id"], body["answers"])
            is_wrong = number == self.wrong_at
            if self.fault == "late" and number >= self.wrong_at:
                self.wrong_since = self.wrong_since or time.monotonic()
                if time.monotonic() - self.wrong_since < self.outage_s:
                    return 503, {"Retry-After": "0"}, {"detail": "No region answered in time."}
            self.arrivals.setdefault(vote[0], time.time())
            if not (is_wrong and self.fault == "drop") and vote[0] >= self.rows.get(voter, ("",))[0]:
                if voter in self.rows and self.rows[voter] != vote:
                    self.before[voter] = self.rows[voter]
                self.rows[voter] = vote
            if is_wrong and self.fault == "double":
                self.rows[f"{voter}-twice"] = vote
            if self.fault == "revert" and number >= self.wrong_at and self.before:
                changed, older = self.before.popitem()
                self.rows[changed], self.fault = older, ""
        return 201, {}, receipt(vote[0], self.survey["round"])

    def final(self, ledger: Ledger) -> list[FinalRead | Seen]:
        """What both regions hold, as a drill reads it at the end."""
        rows = tuple((voter, vote_id, answers_digest(answers)) for voter, (vote_id, answers) in self.rows.items())
        read: list[FinalRead | Seen] = []
        for region in (EAST, WEST):
            read += [Seen("router", region, (vote_id,), at) for vote_id, at in self.arrivals.items()]
            read.append(FinalRead("router", region, self.survey["round"], rows, time.time(), len(rows)))
        return read
