"""Votes that surface late: sent before a region freezes, carried out when it thaws, and changed in between."""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from failover.drills.entries import Receipt, Run, Sent
from failover.drills.ledger import Ledger
from failover.drills.plan import Intent
from tests.integration.demo import EAST, WEST, Demo, named
from tests.processes import stopped
from tests.waiting import wait_until


class Zombies:
    """Voters who vote in a burst, and each of whom changes the vote afterwards."""

    VOTERS = 240
    """Enough that a busy machine freezes a region before the burst is over."""

    _numbers = itertools.count()

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._prefix = f"zombie{next(self._numbers)}-"  # other voters if the test is run again
        self._lock = threading.Lock()
        self._sent: list[Sent] = []
        self._receipts: list[Receipt] = []
        self.first: dict[str, str] = {}
        self.last: dict[str, str] = {}
        self.voters = [f"{self._prefix}{number:03d}" for number in range(self.VOTERS)]

    def cast(self, voter: str) -> None:
        """Casts a vote or changes it; asserts that it is acknowledged."""
        vote_id = named(above=self.last.get(voter))
        intent = Intent.CHANGE if voter in self.last else Intent.FIRST
        answers = {"q1": "o2" if voter in self.last else "o1"}
        with self._lock:
            self.first.setdefault(voter, vote_id)
            self.last[voter] = vote_id
            now = time.time()
            self._sent.append(Sent(voter, vote_id, answers, intent, now, now))
        reply = self._demo.vote(voter, vote_id, answers)
        assert reply.is_success, reply.text
        receipt = reply.json()
        with self._lock:
            self._receipts.append(
                Receipt(
                    vote_id,
                    receipt["round"],
                    receipt["region"],
                    receipt["status"],
                    reply.status_code,
                    tuple(receipt["attempts"]),
                    1,
                    reply.elapsed.total_seconds() * 1000,
                    time.time(),
                )
            )

    def acknowledged(self) -> int:
        """How many votes have a receipt."""
        with self._lock:
            return len(self._receipts)

    def worst_ms(self) -> float:
        """The longest time that a vote took."""
        return max(receipt.ms for receipt in self._receipts)

    def change_everything(self) -> None:
        """Changes every voter's vote, while us-east-1 is frozen."""
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(self.cast, self.voters))

    def surfaced(self) -> list[str]:
        """Voters whose first vote us-west-2 recorded after a timeout, and us-east-1 now holds as well."""
        taken_by = {receipt.vote_id: receipt.region for receipt in self._receipts}
        elsewhere = {self.first[voter] for voter in self.voters if taken_by[self.first[voter]] == WEST}
        return [row.voter for row in self._demo.rows(EAST) if row.written_in == EAST and row.vote_id in elsewhere]

    def ledger(self) -> Ledger:
        """What was sent and acknowledged."""
        return Ledger.of([Run(self._demo.code, self._prefix, True, 0.0), *self._sent, *self._receipts])


@contextlib.contextmanager
def frozen_in_mid_burst(demo: Demo, book: Zombies) -> Iterator[None]:
    """Freezes us-east-1 while a burst of votes is under way. The block begins when every vote is acknowledged.

    Votes that wait for the frozen engine have sent their put, whether their attempt has the whole timeout or a
    shortened one. A region that is frozen before the burst gets no put: reading the survey fails there first, and
    opens the circuit.
    """
    engine = demo.engine_pid(EAST)
    with ThreadPoolExecutor(24) as pool:
        burst = [pool.submit(book.cast, voter) for voter in book.voters]
        wait_until(lambda: book.acknowledged() >= 8, within=15, what="the burst has begun", every=0.001)
        with stopped(engine):
            for vote in burst:
                vote.result()
            yield
