"""What a drill reads of an export, and that a region which cannot be read never passes for one that
is equal.
"""

import json
from typing import Any

import pytest

from failover.drills import exports
from failover.drills.exports import ExportFailed
from failover.drills.verdict import Ballot, Store

EAST, WEST = "us-east-1", "us-west-2"
ROW = {"voter": "v", "vote_id": "1", "answers": {"q1": "o1"}, "region": EAST}
MERGED = {"voter": "v", "vote_id": "1", "answers": {"q1": "o1"}}


def printed(replicas: dict[str, Any], *ballots: Any) -> str:
    return json.dumps({"code": "DEMO20", "round": 3, "replicas": replicas, "ballots": ballots})


def test_a_store_is_every_replica_and_the_merged_ballots() -> None:
    row = Ballot("v", "1", {"q1": "o1"}, EAST)
    store = exports.read_store(printed({EAST: [ROW], WEST: []}, MERGED))
    assert store == Store(3, (Ballot("v", "1", {"q1": "o1"}),), {EAST: (row,), WEST: ()})
    assert exports.read_replica(json.dumps({"rows": [ROW]})) == (row,)


@pytest.mark.parametrize("text", ["", "[]", "{}", printed({EAST: [MERGED]}), printed({EAST: 1}), printed([])])
def test_anything_else_is_said(text: str) -> None:
    with pytest.raises(ExportFailed, match="not what it should be"):
        exports.read_store(text)


def test_replicas_are_looked_at_until_they_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "LOOK_AGAIN_S", 0.0)
    replies = iter(
        ["", printed({EAST: [ROW]}, MERGED), printed({EAST: [ROW], WEST: []}), printed({EAST: [ROW], WEST: [ROW]})]
    )
    monkeypatch.setattr(exports, "output_of", lambda *_arguments, env: next(replies))
    store = exports.converged("DEMO20", (EAST, WEST), within_s=60)
    assert store.raw[EAST] == store.raw[WEST] != ()
    assert list(replies) == []


@pytest.mark.parametrize("reply", ["", printed({EAST: [ROW]}, MERGED)], ids=["no export", "one region of two"])
def test_a_region_that_cannot_be_read_is_an_error_in_the_end(reply: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "output_of", lambda *_arguments, env: reply)
    with pytest.raises(ExportFailed):
        exports.converged("DEMO20", (EAST, WEST), within_s=0)


def test_replicas_that_stay_unequal_are_returned_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "output_of", lambda *_arguments, env: printed({EAST: [ROW], WEST: []}, MERGED))
    store = exports.converged("DEMO20", (EAST, WEST), within_s=0)
    assert store.raw[EAST] != store.raw[WEST]
