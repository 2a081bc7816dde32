"""Hands one region's stream to one function, and calls the function on a schedule.

On AWS an event source mapping and an EventBridge schedule do this. Records are handed in in order.
From the first record that failed on they are handed in again, a few times, and are then given up,
as AWS gives them up: the schedule finds what was missed.

The same as on AWS: the event's JSON, the partial batch response, records that come again.
Different: one shard, no concurrency, a schedule twice as often, and a batching window that grows
with the load, since everything shares one machine here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from failover.lab.errors import CursorLost
from failover.lab.functions.events import Record, as_event, handled, scheduled
from failover.lab.functions.function import Function, FunctionFailed, environment
from failover.lab.replication.link import Cursor

BATCH = 5_000
"""Most records in an event, about 4 MB.

A function that was behind gets much at once. AWS: 10,000 or 6 MB.
"""
COLLECT_FACTOR, WINDOW_S = 4, 0.4
"""Records are collected for four times as long as the last batch took, at most for WINDOW_S.

A shard in which many vote is then counted once for all of them, and the votes come before the
counting.
"""
PATIENCE_S = 60.0
"""How long a function may take: Lambda's timeout as our notes recommend it."""
ATTEMPTS = 10
"""Most attempts at one batch without any progress."""
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pause before the next attempt, by the number of failed ones; the last also after a failed sweep.
"""


@dataclass(frozen=True)
class Trigger:
    """A function, the table whose stream feeds it, and how often (s) the schedule calls it."""

    name: str
    table: str
    command: tuple[str, ...]
    every_s: float = 30.0


class Streamed(Protocol):
    """One incarnation of one region's engine.

    Every method raises ReplicaDown when the engine does not answer.
    """

    @property
    def region(self) -> str: ...
    @property
    def incarnation(self) -> int: ...
    @property
    def port(self) -> int: ...
    def end_of_stream(self, table: str) -> Cursor:
        """A cursor behind the last record."""

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
    """One region's stream and one function.

    Call ``step`` again and again from one thread; read ``stats`` from any.
    """

    def __init__(self, trigger: Trigger, region: str, lab_dir: Path, *, monotonic: Callable[[], float]) -> None:
        self._trigger = trigger
        self._scratch = lab_dir / "functions" / f"{trigger.name}-{region}"
        self._log = lab_dir / "logs" / f"{trigger.name}-{region}.log"
        self._monotonic = monotonic
        self._function: Function | None = None
        self._incarnation: int | None = None
        self._cursor: Cursor | None = None
        self._waiting: list[Record] = []
        self._failed_attempts = 0
        self._not_before = 0.0
        self._sweep_at = 0.0
        self._sweep_everything = True
        self._sweep: Future[dict[str, Any]] | None = None
        self.stats = Stats()

    def step(self, replica: Streamed) -> bool:
        """Read new records and hand in those that wait. Returns whether there was anything to do.

        Raises ReplicaDown and FunctionFailed; nothing is lost then, the next step goes on.
        """
        if replica.incarnation != self._incarnation:
            # A stream iterator ends with its engine, and so does the port that the function has.
            self._start_over(replica)
        if self._cursor is None:
            self._cursor = replica.end_of_stream(self._trigger.table)
            # No record shows what was written before this cursor: sweep everything, and at once.
            self._sweep, self._sweep_at, self._sweep_everything = None, 0.0, True
        try:
            records, self._cursor = replica.records(self._cursor)
        except CursorLost:
            self._cursor = None
            return True
        self._waiting += records
        self.stats = replace(self.stats, waiting=len(self._waiting))
        if self._monotonic() < self._not_before:
            return True
        self._finish_sweep()
        self._begin_sweep_when_due(replica)
        if not self._waiting:
            return False
        self._hand_in(replica)
        return True

    def end(self) -> None:
        """End the function; the next step starts another."""
        if self._function is not None:
            self._function.end()
        self._function = None

    def _start_over(self, replica: Streamed) -> None:
        self.end()
        self._incarnation, self._cursor = replica.incarnation, None
        self._waiting, self._failed_attempts, self._not_before, self._sweep = [], 0, 0.0, None

    def _running_function(self, replica: Streamed) -> Function:
        if self._function is None or not self._function.alive:
            self.end()
            self._scratch.mkdir(parents=True, exist_ok=True)
            env = environment(replica.region, replica.port, self._scratch)
            self._function = Function(self._trigger.command, env, self._log)
            self.stats = replace(self.stats, pid=self._function.pid, starts=self.stats.starts + 1)
        return self._function

    def _hand_in(self, replica: Streamed) -> None:
        batch = self._waiting[:BATCH]
        function, started = self._running_function(replica), self._monotonic()
        self.stats = replace(self.stats, invocations=self.stats.invocations + 1)
        reply = function.invoke({"Records": [as_event(record, replica.region) for record in batch]})
        try:
            done = handled(batch, reply.result(PATIENCE_S))
        except TimeoutError as error:
            function.end()
            self._failed(batch, 0)
            raise FunctionFailed(f"no answer within {PATIENCE_S:.0f} s: killed") from error
        except FunctionFailed:
            self._failed(batch, 0)
            raise
        now = self._monotonic()
        self.stats = replace(self.stats, last_ms=(now - started) * 1000)
        if done < len(batch):
            self._failed(batch, done)
            return
        self._failed_attempts = 0
        self._drop(done)
        self._not_before = now + min(WINDOW_S, COLLECT_FACTOR * (now - started))

    def _failed(self, batch: list[Record], done: int) -> None:
        """Keep all but the first ``done`` records for another attempt. After ATTEMPTS give them up."""
        self.stats = replace(self.stats, failures=self.stats.failures + 1)
        self._drop(done)
        self._failed_attempts = 1 if done else self._failed_attempts + 1
        if self._failed_attempts >= ATTEMPTS:
            remaining = len(batch) - done
            self._drop(remaining)
            self._failed_attempts = 0
            self.stats = replace(self.stats, given_up=self.stats.given_up + remaining)
        self._not_before = self._monotonic() + PAUSES_S[min(self._failed_attempts, len(PAUSES_S) - 1)]

    def _drop(self, number: int) -> None:
        del self._waiting[:number]
        self.stats = replace(self.stats, waiting=len(self._waiting))

    def _finish_sweep(self) -> None:
        """Take the last sweep's answer, if it is there, and set the time of the next.

        Nothing waits for a sweep.
        """
        if self._sweep is None or not self._sweep.done():
            return
        sweep, self._sweep = self._sweep, None
        corrected = 0
        if sweep.exception() is None:
            corrected = int(sweep.result().get("corrected", 0))
            self._sweep_everything = False
            self._sweep_at = self._monotonic() + self._trigger.every_s
        else:
            self._sweep_at = self._monotonic() + PAUSES_S[-1]
        self.stats = replace(self.stats, sweeps=self.stats.sweeps + 1, corrected=self.stats.corrected + corrected)

    def _begin_sweep_when_due(self, replica: Streamed) -> None:
        if self._sweep is None and self._monotonic() >= self._sweep_at:
            event = scheduled(replica.region, everything=self._sweep_everything)
            self._sweep = self._running_function(replica).invoke(event)
