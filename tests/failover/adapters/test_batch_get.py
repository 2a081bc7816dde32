"""Reading many keys at once ends, whatever a region leaves unread."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from pathlib import Path

import pytest

from failover import gateway, wiring
from failover.adapters.control_store import ControlRow
from failover.adapters.runner import PooledRunner
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.ports import Bound, Success
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST

TABLE = "survey-control"
KEYS = [("k", f"i{number}") for number in range(4)]
PATIENCE_S = 5.0
"""Far more than a handful of replies take; a call that goes on asking has no end."""


class Reads:
    """A region that reads at most `most` of the keys of a question, and never those in `never`."""

    def __init__(self, most: int, never: tuple[str, ...] = ()) -> None:
        self.asked: list[int] = []
        self._most = most
        self._never = never

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            keys = json.loads(faulty.read_request(connection))["RequestItems"][TABLE]["Keys"]
            self.asked.append(len(keys))
            read = [key for key in keys if key["item"]["S"] not in self._never][: self._most]
            left = [key for key in keys if key not in read]
            rest = {"document": {"S": "{}"}, "updated_at": {"N": "1"}, "updated_in": {"S": EAST}}
            responses = {TABLE: [{**key, **rest} for key in read]}
            unread = {TABLE: {"Keys": left}} if left else {}
            connection.sendall(faulty.reply(200, {"Responses": responses, "UnprocessedKeys": unread}))


def items(_: Bound) -> set[str]:
    return {str(row.item) for row in ControlRow.batch_get(KEYS)}


def run(region: faulty.Region, reads: Reads) -> Success[set[str]] | Failure:
    region.behaves(reads)
    return PooledRunner((EAST,), threads=1).run(EAST, items, Bound(EAST, strong=False), PATIENCE_S)


def test_what_a_reply_leaves_out_is_asked_for_again(region: faulty.Region) -> None:
    reads = Reads(most=1)

    assert run(region, reads) == Success({item for _, item in KEYS})
    assert reads.asked == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("reads", "asked"),
    [
        pytest.param(Reads(most=0), [4], id="reads nothing"),
        pytest.param(Reads(most=9, never=("i2",)), [4, 1], id="never reads one of them"),
        pytest.param(Reads(most=1, never=("i1", "i2")), [4, 3, 2], id="reads slowly, and never two of them"),
    ],
)
def test_a_region_that_reads_nothing_more_is_throttled(reads: Reads, asked: list[int], region: faulty.Region) -> None:
    failure = run(region, reads)

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.outcome, failure.detail) == (
        ErrorClass.REFUSED,
        Outcome.THROTTLED,
        "UnprocessedKeys",
    )
    assert reads.asked == asked


def test_a_read_moves_on_after_one_repeat(tmp_path: Path) -> None:
    east, west = Reads(most=0), Reads(most=9)
    with faulty.server(east) as here, faulty.server(west) as there:
        config = faulty.make_config(tmp_path, {EAST: here, WEST: there})
        patient = dataclasses.replace(config, connect_timeout_s=2.0, read_timeout_s=2.0, deadline_s=PATIENCE_S)
        with wiring.using(patient):
            routed = gateway.read(items)

    assert [(attempt.region, attempt.outcome) for attempt in routed.attempts] == [
        (EAST, Outcome.THROTTLED),
        (EAST, Outcome.THROTTLED),
        (WEST, Outcome.OK),
    ]
    assert routed.value == {item for _, item in KEYS}
    assert east.asked == [4, 4]
