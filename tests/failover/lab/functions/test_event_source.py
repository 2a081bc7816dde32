"""How a stream reaches a function: a real child process, and a stream and a clock of the test's."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.lab.functions.event_source import WINDOW_S, EventSourceMapping, Trigger
from failover.lab.replication.link import Cursor

FUNCTION = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    with open(sys.argv[1], "a") as log:
        log.write(json.dumps(len(message["event"].get("Records", []))) + "\\n")
    print(json.dumps({"id": message["id"], "reply": {"batchItemFailures": []}}), flush=True)
"""


class Clock:
    """A clock that goes on by `tick` seconds at each reading."""

    def __init__(self) -> None:
        self.now = 100.0
        self.tick = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


class Stream:
    """A region whose stream the test writes."""

    region, incarnation, port = "us-east-1", 1, 1

    def __init__(self) -> None:
        self.new: list[dict[str, Any]] = []
        self._numbers = iter(range(1_000))

    def end_of_stream(self, table: str) -> Cursor:
        return Cursor(())

    def records(self, cursor: Cursor) -> tuple[list[dict[str, Any]], Cursor]:
        records, self.new = self.new, []
        return records, cursor

    def votes(self, number: int) -> None:
        self.new += [
            {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(next(self._numbers))}} for _ in range(number)
        ]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "batches"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mapping(tmp_path: Path, log: Path, clock: Clock) -> Iterator[EventSourceMapping]:
    trigger = Trigger("counts", "votes", (sys.executable, "-c", FUNCTION, str(log)), every_s=3_600)
    mapping = EventSourceMapping(trigger, "us-east-1", tmp_path, monotonic=clock)
    yield mapping
    mapping.end()


def batches(log: Path) -> list[int]:
    """How many records each event held; the schedule's first has none."""
    return [number for line in log.read_text().splitlines() if (number := json.loads(line))]


def test_after_a_batch_records_are_collected_for_a_while_and_handed_in_together(
    mapping: EventSourceMapping, clock: Clock, log: Path
) -> None:
    stream = Stream()
    stream.votes(3)
    clock.tick = 0.1  # so the batch takes its time
    mapping.step(stream)
    clock.tick = 0.0
    for _ in range(3):
        stream.votes(2)
        mapping.step(stream)
    assert mapping.stats.waiting == 6
    clock.now += WINDOW_S
    mapping.step(stream)
    assert (batches(log), mapping.stats.waiting) == ([3, 6], 0)


def test_no_vote_waits_longer_than_the_window_however_long_the_batch_before_took(
    mapping: EventSourceMapping, clock: Clock, log: Path
) -> None:
    stream = Stream()
    stream.votes(1)
    clock.tick = 30.0
    mapping.step(stream)
    clock.tick = 0.0
    stream.votes(1)
    clock.now += WINDOW_S
    mapping.step(stream)
    assert batches(log) == [1, 1]


def test_after_a_batch_that_took_no_time_records_do_not_wait(mapping: EventSourceMapping, log: Path) -> None:
    stream = Stream()
    for number in (1, 2, 3):
        stream.votes(number)
        mapping.step(stream)
    assert batches(log) == [1, 2, 3]
