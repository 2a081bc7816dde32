"""What AWS does between a table's stream and a function: an event source mapping, and a schedule, in each region.

Records are handed in in order; those from the first that failed on are handed in again, a few times, and then given
up, as AWS gives them up: the schedule finds what was missed. What is the same as on AWS: the event's JSON, the partial
batch response, records that come again. What is not: one shard, no concurrency, a schedule twice as often, and a
batching window that grows with the load, as everything shares one machine here.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from failover.lab.config import PROJECT
from failover.lab.errors import CursorLost, LabError, ReplicaDown
from failover.lab.functions.function import Function, FunctionFailed, environment
from failover.lab.replication.link import Cursor

POLL_S, SELDOM_S = 0.1, 0.2  # the latter while nothing happens
BATCH = 5_000  # records an event, 4 MB: a function that was behind is told of much at once (AWS: 10,000 or 6 MB)
YIELDS = 4  # after a batch records are collected for so many times as long as it took, ...
WINDOW_S = 0.4  # ... and no longer: a shard that many vote in is counted once for all of them, and votes come first
PATIENCE_S = 60.0  # how long a function may take: Lambda's timeout as our notes recommend it
ATTEMPTS = 10  # at one batch without any progress
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # before the next attempt, and before the next start of a function that ended

log = logging.getLogger(__name__)
Record = dict[str, Any]


@dataclass(frozen=True)
class Trigger:
    """A function, the table whose stream feeds it, and how often (s) the schedule calls it."""

    name: str
    table: str
    command: tuple[str, ...]
    every_s: float = 30.0


TALLY = Trigger(
    "tally",
    "survey-votes",
    (sys.executable, str(PROJECT / "deploy" / "functions" / "tally" / "handler.py"), "--stdin"),
)


class Streamed(Protocol):
    """One incarnation of one region's engine. Every method raises ReplicaDown when the engine does not answer."""

    @property
    def region(self) -> str: ...
    @property
    def incarnation(self) -> int: ...
    @property
    def port(self) -> int: ...
    def end_of_stream(self, table: str) -> Cursor:
        """A mark behind the last record."""

    def records(self, cursor: Cursor) -> tuple[list[Record], Cursor]:
        """The next records, as DynamoDB's streams give them. Raises CursorLost."""


@dataclass(frozen=True)
class Stats:
    """What became of one region's events since the lab started."""

    pid: int | None = None
    starts: int = 0
    invocations: int = 0
    failures: int = 0
    given_up: int = 0
    waiting: int = 0
    last_ms: float | None = None
    sweeps: int = 0
    corrected: int = 0


class EventSourceMapping:
    """One region's stream and one function. Call ``step`` again and again from one thread; read ``stats`` from any."""

    def __init__(self, trigger: Trigger, region: str, lab_dir: Path, *, monotonic: Callable[[], float]) -> None:
        self._trigger = trigger
        self._scratch = lab_dir / "functions" / f"{trigger.name}-{region}"
        self._log = lab_dir / "logs" / f"{trigger.name}-{region}.log"
        self._monotonic = monotonic
        self._function: Function | None = None
        self._incarnation: int | None = None
        self._cursor: Cursor | None = None
        self._waiting: list[Record] = []
        self._attempts = 0
        self._not_before = 0.0
        self._sweep_at = 0.0
        self._everything = True
        self._sweep: Future[dict[str, Any]] | None = None
        self.stats = Stats()

    def step(self, replica: Streamed) -> bool:
        """Reads what is new and hands in what waits; whether there was anything. Raises ReplicaDown, FunctionFailed;
        nothing is lost then.
        """
        if replica.incarnation != self._incarnation:
            # An iterator does not outlive its engine, and neither does the address that the function was given.
            self._begin(replica)
        if self._cursor is None:
            self._cursor = replica.end_of_stream(self._trigger.table)
            # What happened before this mark, no record will tell.
            self._sweep, self._sweep_at, self._everything = None, 0.0, True
        try:
            read, self._cursor = replica.records(self._cursor)
        except CursorLost:
            self._cursor = None
            return True
        self._waiting += read
        self.stats = replace(self.stats, waiting=len(self._waiting))
        if self._monotonic() < self._not_before:
            return True
        self._schedule(replica)
        if not self._waiting:
            return False
        self._hand_in(replica)
        return True

    def end(self) -> None:
        """Ends the function; the next step starts another."""
        if self._function is not None:
            self._function.end()
        self._function = None

    def _begin(self, replica: Streamed) -> None:
        self.end()
        self._incarnation, self._cursor = replica.incarnation, None
        self._waiting, self._attempts, self._not_before, self._sweep = [], 0, 0.0, None

    def _started(self, replica: Streamed) -> Function:
        if self._function is None or not self._function.alive:
            self.end()
            self._scratch.mkdir(parents=True, exist_ok=True)
            env = environment(replica.region, replica.port, self._scratch)
            self._function = Function(self._trigger.command, env, self._log)
            self.stats = replace(self.stats, pid=self._function.pid, starts=self.stats.starts + 1)
        return self._function

    def _hand_in(self, replica: Streamed) -> None:
        batch = self._waiting[:BATCH]
        function, began = self._started(replica), self._monotonic()
        self.stats = replace(self.stats, invocations=self.stats.invocations + 1)
        try:
            reply = function.invoke({"Records": [as_event(record, replica.region) for record in batch]}).result(
                PATIENCE_S
            )
            done = _done(batch, reply)
        except TimeoutError as error:
            function.end()
            self._failed(batch, 0)
            raise FunctionFailed(f"no answer within {PATIENCE_S:.0f} s: killed") from error
        except FunctionFailed:
            self._failed(batch, 0)
            raise
        self.stats = replace(self.stats, last_ms=(self._monotonic() - began) * 1000)
        if done < len(batch):
            self._failed(batch, done)
        else:
            self._attempts = 0
            self._drop(done)
            now = self._monotonic()
            self._not_before = now + min(WINDOW_S, YIELDS * (now - began))

    def _failed(self, batch: list[Record], done: int) -> None:
        self.stats = replace(self.stats, failures=self.stats.failures + 1)
        self._drop(done)
        self._attempts = 1 if done else self._attempts + 1
        if self._attempts >= ATTEMPTS:
            self._drop(len(batch) - done)
            self._attempts = 0
            self.stats = replace(self.stats, given_up=self.stats.given_up + len(batch) - done)
        self._not_before = self._monotonic() + PAUSES_S[min(self._attempts, len(PAUSES_S) - 1)]

    def _drop(self, number: int) -> None:
        del self._waiting[:number]
        self.stats = replace(self.stats, waiting=len(self._waiting))

    def _schedule(self, replica: Streamed) -> None:
        """Looks for the last sweep's answer, and begins the next when it is due. Nobody waits for a sweep."""
        now = self._monotonic()
        if self._sweep is not None:
            if not self._sweep.done():
                return
            sweep, self._sweep = self._sweep, None
            self._sweep_at = now + (self._trigger.every_s if sweep.exception() is None else PAUSES_S[-1])
            corrected = 0
            if sweep.exception() is None:
                corrected, self._everything = int(sweep.result().get("corrected", 0)), False
            self.stats = replace(self.stats, sweeps=self.stats.sweeps + 1, corrected=self.stats.corrected + corrected)
        if now >= self._sweep_at:
            self._sweep = self._started(replica).invoke(scheduled(replica.region, everything=self._everything))


class Triggers:
    """Every trigger in every region, a thread each. ``replica_of`` gives an engine's present incarnation, or None."""

    def __init__(
        self,
        triggers: Sequence[Trigger],
        regions: Sequence[str],
        lab_dir: Path,
        replica_of: Callable[[str], Streamed | None],
    ) -> None:
        self._replica_of = replica_of
        self._closing = threading.Event()
        self._mappings = {
            (trigger.name, region): EventSourceMapping(trigger, region, lab_dir, monotonic=time.monotonic)
            for trigger in triggers
            for region in regions
        }
        self._threads = [
            threading.Thread(target=self._follow, args=place, name=f"{place[0]}-{place[1]}", daemon=True)
            for place in self._mappings
        ]

    def start(self) -> None:
        """Begin to hand in."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Hand in no more, and end the functions: what waits is found by the next lab's first sweep."""
        self._closing.set()
        for mapping in self._mappings.values():
            mapping.end()

    def join(self) -> None:
        """Wait for the threads, which may be in a call to an engine: its end ends the call."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(6)

    def state(self) -> list[dict[str, Any]]:
        """One row for each function and region, for the state document."""
        return [
            {"name": name, "region": region, **asdict(mapping.stats)}
            for (name, region), mapping in self._mappings.items()
        ]

    def _follow(self, name: str, region: str) -> None:
        mapping, trouble, busy = self._mappings[name, region], "", True
        while not self._closing.wait(POLL_S if busy else SELDOM_S):
            replica = self._replica_of(region)
            if replica is None:
                continue
            try:
                busy = mapping.step(replica)
                trouble = ""
            except (ReplicaDown, ClientError, LabError) as error:
                if str(error) != trouble and not self._closing.is_set():
                    log.warning("the function %s in %s waits: %s", name, region, error)
                trouble = str(error)
        mapping.end()


def as_event(record: Record, region: str) -> Record:
    """A record of the stream as a function on AWS gets it: the time as epoch seconds, and where it comes from."""
    told = dict(record["dynamodb"])
    at = told.get("ApproximateCreationDateTime")
    if isinstance(at, datetime):
        told["ApproximateCreationDateTime"] = at.timestamp()
    return {
        "eventID": record.get("eventID", ""),
        "eventName": record["eventName"],
        "eventVersion": record.get("eventVersion", "1.1"),
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": told,
    }


def scheduled(region: str, *, everything: bool = False) -> dict[str, Any]:
    """What EventBridge sends on a schedule, or a person who knows that records were lost."""
    return {
        "version": "0",
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "region": region,
        "resources": [],
        "detail": {"everything": True} if everything else {},
    }


def _done(batch: list[Record], reply: dict[str, Any]) -> int:
    """How many records from the first on need not be handed in again, by the partial batch response."""
    failed = {failure["itemIdentifier"] for failure in reply.get("batchItemFailures", [])}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
    return next((place for place, number in enumerate(numbers) if number in failed), len(batch))
