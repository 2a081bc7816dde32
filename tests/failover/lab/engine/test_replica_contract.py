"""What a link relies on, asked of the replica in memory and of a real engine alike."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from failover.lab.engine.replica import EngineReplica
from failover.lab.errors import ReplicaDown
from failover.lab.replication.fakes import FakeReplica
from failover.lab.replication.link import Replica, ReplicatedTable
from failover.lab.replication.rules import Stamp, key_of, stamp_of
from failover.lab.tables import key_names
from tests.failover.lab.support import EAST, TABLES, OwnLab

TABLE = "survey-tallies"  # the lab does not replicate it, so only these tests write to it
NAMES = next(key_names(spec) for spec in TABLES if spec.name == TABLE)
REPLICATED = ReplicatedTable(TABLE, NAMES)


@pytest.fixture(params=["in memory", "real engine"])
def replica(request: pytest.FixtureRequest) -> Replica:
    if request.param == "in memory":
        return FakeReplica(EAST, {TABLE: NAMES})
    cloud: OwnLab = request.getfixturevalue("cloud")
    return cloud.replica(EAST)


@pytest.fixture
def version() -> Callable[[int, str], dict[str, Any]]:
    """Makes versions of one item that no other test has."""
    name = uuid.uuid4().hex

    def make(at: int, region: str) -> dict[str, Any]:
        stamp = {"updated_at": {"N": str(at)}, "updated_in": {"S": region}}
        return {"kind": {"S": "contract"}, "id": {"S": name}} | stamp

    return make


def put(replica: Replica, item: dict[str, Any]) -> bool:
    stamp = stamp_of(item)
    assert stamp is not None
    return replica.put_later(TABLE, item, stamp)


@pytest.mark.parametrize(
    ("present", "incoming", "written"),
    [
        pytest.param((2, EAST), (3, EAST), True, id="a later write replaces an earlier one"),
        pytest.param((2, EAST), (1, EAST), False, id="an earlier write is refused"),
        pytest.param((2, EAST), (2, EAST), False, id="the same write a second time is refused"),
        pytest.param((2, "a"), (2, "b"), True, id="of the same instant the region later in the alphabet replaces"),
        pytest.param((2, "b"), (2, "a"), False, id="of the same instant the region earlier in the alphabet is refused"),
    ],
)
def test_the_later_write_wins(replica, version, present, incoming, written):
    assert put(replica, version(*present))
    assert put(replica, version(*incoming)) is written
    key = key_of(version(1, EAST), NAMES)
    assert replica.stamps(REPLICATED)[key] == Stamp(*(incoming if written else present))


def test_a_scan_holds_what_was_written(replica, version):
    put(replica, version(5, EAST))
    assert version(5, EAST) in [dict(item) for item in replica.scan(TABLE)]


def test_a_stream_shows_what_was_written_behind_the_mark_once(replica, version):
    put(replica, version(1, EAST))
    mark = replica.end_of_stream(TABLE)
    put(replica, version(2, EAST))
    put(replica, version(1, EAST))  # refused, so it does not show
    page = replica.read(mark)
    assert [dict(image) for image in page.images] == [version(2, EAST)]
    assert replica.read(page.cursor).images == ()


def test_an_engine_that_does_not_answer_is_down():
    gone = EngineReplica(EAST, 1, 9)
    silent = FakeReplica(EAST, {TABLE: NAMES})
    silent.fail_after(0)
    for replica in (gone, silent):
        with pytest.raises(ReplicaDown):
            replica.end_of_stream(TABLE)
