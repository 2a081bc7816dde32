"""Votes a second through the whole web tier, beside a bare PynamoDB loop on the same engine and table."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from tests.bench.engine import Demo
from tests.bench.measure import interleaved
from tests.bench.processes import parts, used
from tests.bench.report import Aim, Row, figure
from tests.bench.students import Student, in_threads

REGION = "us-east-1"
CONNECTIONS = 8
ROUNDS, VOTES_EACH, SAVES_EACH, WITHIN_S = 21, 12, 30, 30.0
AIM = Aim(0.6, at_least=True)


class Load:
    """Counts what each process used beside the votes, or beside the peer's loop."""

    def __init__(self, demo: Demo, what: str) -> None:
        self._demo = demo
        self._what = what
        self._wall = 0.0
        self._calls = 0
        self._cpu: dict[str, float] = {}

    def measured(self, jobs: Sequence[Callable[[], object]], *, times: int) -> float:
        """Calls a second of these jobs, each in a thread."""
        before, own, wall = parts(self._demo.folder), time.process_time(), time.perf_counter()
        speed = in_threads(jobs, times=times)
        spent = {"client": time.process_time() - own, **used(before, parts(self._demo.folder))}
        self._wall += time.perf_counter() - wall
        self._calls += len(jobs) * times
        for part, seconds in spent.items():
            self._cpu[part] = self._cpu.get(part, 0.0) + seconds
        return speed

    def split(self) -> str:
        """Milliseconds of CPU a call by process, while the calls ran: what follows them is not in it."""
        by_size = sorted(self._cpu.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{part} {figure(seconds / self._calls * 1000)}" for part, seconds in by_size if seconds)
        busy = sum(self._cpu.values()) / self._wall
        return f"{self._what} ({self._calls:,}): {shares}; together {busy:.1f} cores"


def _note(votes: Load, save: Load) -> str:
    return (
        f"Votes a second: JSON ballots of new voters over {CONNECTIONS} kept connections to two gunicorn workers "
        "of 8 threads; a vote is a conditional PutItem. The peer writes one item a vote from one process, "
        f"{CONNECTIONS} threads, stock settings, to the same table through the same front. Everything shares "
        "the machine's cores. CPU in ms while the calls ran "
        f"(replication and counting go on after them): {votes.split()}; {save.split()}. Each round begins when "
        "replication and counting have caught up with the one before."
    )


def rows(demo: Demo) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    votes, saves = Load(demo, "a vote"), Load(demo, "the peer's save")
    save = _bare(demo.front(REGION))

    def cast() -> float:
        demo.settle()
        with contextlib.ExitStack() as stack:
            students = [stack.enter_context(Student(demo.port)) for _ in range(CONNECTIONS)]
            return votes.measured([student.must_vote for student in students], times=VOTES_EACH)

    def loop() -> float:
        demo.settle()
        return saves.measured([save] * CONNECTIONS, times=SAVES_EACH)

    variants = {"votes": cast, "save": loop}
    for warm in variants.values():
        warm()
    measured = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)
    row = Row("votes through gunicorn", "PynamoDB save() loop", "1/s", measured["votes"], measured["save"], AIM)
    return [row], [_note(votes, saves)]


def _bare(url: str) -> Callable[[], object]:
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
            f"BARE-1-{number % 64}",  # no shard of a survey: nothing is to be counted
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

    save()  # makes the client: PynamoDB does that without a lock
    return save
