"""Votes a second through the whole web tier, beside a bare PynamoDB loop on the same engine and table."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from tests.bench.engine import Demo
from tests.bench.measure import interleaved
from tests.bench.report import Aim, Row
from tests.bench.students import Student, in_threads

REGION = "us-east-1"
CONNECTIONS = 8
ROUNDS, VOTES_EACH, SAVES_EACH, WITHIN_S = 21, 12, 30, 30.0
AIM = Aim(0.6, at_least=True)


class Load:
    """Counts the load client's own CPU beside the votes."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._cpu = self._wall = 0.0

    def votes(self) -> float:
        """A round: eight new connections, kept; votes a second."""
        self._demo.settle()
        with contextlib.ExitStack() as stack:
            students = [stack.enter_context(Student(self._demo.port)) for _ in range(CONNECTIONS)]
            cpu, wall = time.process_time(), time.perf_counter()
            speed = in_threads([student.must_vote for student in students], times=VOTES_EACH)
            self._cpu += time.process_time() - cpu
            self._wall += time.perf_counter() - wall
        return speed

    def note(self) -> str:
        """What a reader must know of the load."""
        return (
            f"Votes a second: JSON ballots of new voters over {CONNECTIONS} kept connections to two gunicorn workers "
            f"of 8 threads; a vote is a BatchGetItem and a conditional PutItem. The load client shares the machine "
            f"with workers, monitor, lab and engines and used {self._cpu / self._wall:.0%} of a core. The peer writes "
            f"one item a vote from one process, {CONNECTIONS} threads, stock settings, to the same table through the "
            "same front; the second peer makes the same two calls as a vote. Each round begins when replication has "
            "caught up with the one before."
        )


def rows(demo: Demo) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    load = Load(demo)
    save, read_and_save = _bare(demo.front(REGION))

    def loop(job: Callable[[], object], times: int) -> Callable[[], float]:
        def measured() -> float:
            demo.settle()
            return in_threads([job] * CONNECTIONS, times=times)

        return measured

    variants = {
        "votes": load.votes,
        "save": loop(save, SAVES_EACH),
        "both": loop(read_and_save, SAVES_EACH // 2),
    }
    for warm in variants.values():
        warm()
    found = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)
    return [
        Row("votes through gunicorn", "PynamoDB save() loop", "1/s", found["votes"], found["save"], AIM),
        Row("votes through gunicorn", "PynamoDB batch_get() and save() loop", "1/s", found["votes"], found["both"]),
    ], [load.note()]


def _bare(url: str) -> tuple[Callable[[], object], Callable[[], object]]:
    numbers = itertools.count()

    class BareBallot(Model):
        """A ballot as the application writes it, without the application."""

        class Meta:
            table_name = "survey-votes"
            host = url
            region = REGION

        shard = UnicodeAttribute(hash_key=True)
        voter_region = UnicodeAttribute(range_key=True)
        vote_id = UnicodeAttribute()
        digest = UnicodeAttribute()
        answers = JSONAttribute()
        expires_at = NumberAttribute()
        updated_at = NumberAttribute()
        updated_in = UnicodeAttribute()

    def ballot() -> Any:
        number = next(numbers)
        return BareBallot(
            f"BARE#1#{number % 64}",
            f"bare-{number:08d}#{REGION}",
            vote_id=f"01890a5d-ac96-774b-bcce-{number:012x}",
            digest=f"{number:032x}",
            answers={"q1": "o2", "q2": ["o1", "o3"], "q3": 4},
            expires_at=int(time.time()) + 86_400,
            updated_at=int(time.time() * 1e6),
            updated_in=REGION,
        )

    def save() -> object:
        return ballot().save()

    def read_and_save() -> object:
        item = ballot()
        voter = str(item.voter_region).partition("#")[0]
        keys = [(item.shard, f"{voter}#{region}") for region in (REGION, "us-west-2")]
        assert not list(BareBallot.batch_get(keys))
        return item.save(BareBallot.vote_id.does_not_exist())

    save()  # makes the client: PynamoDB does that without a lock
    return save, read_and_save
