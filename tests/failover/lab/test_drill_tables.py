"""A drill's tables come and go while the lab runs, and are replicated as long as they are there."""

import uuid
from collections.abc import Iterator

import pytest

from failover.lab.errors import FaultRefused
from tests.failover.lab.support import EAST, WEST, OwnLab, stamped, table
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
NAME = "drill-one"


@pytest.fixture
def drill(cloud: OwnLab) -> Iterator[OwnLab]:
    """The shared lab with a drill's table in it."""
    cloud.client.add_table(NAME)
    yield cloud
    cloud.client.clear_tables()


def vote(region: str) -> dict[str, dict[str, str]]:
    stamp = {name: value for name, value in stamped(region).items() if name.startswith("updated")}
    return {"survey": {"S": "s"}, "voter": {"S": uuid.uuid4().hex}, **stamp}


def key(item: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {name: item[name] for name in ("survey", "voter")}


def arrives(lab: OwnLab, region: str, item: dict[str, dict[str, str]]) -> None:
    wait_until(lambda: lab.replica(region).get(NAME, key(item)), within=10, what=f"the item is in {region}")


def test_an_item_goes_both_ways(drill: OwnLab) -> None:
    for here, there in ((EAST, WEST), (WEST, EAST)):
        item = vote(here)
        drill.replica(here).put(NAME, item)
        arrives(drill, there, item)


def test_an_item_without_a_stamp_stays_where_it_is(drill: OwnLab) -> None:
    alone, stamped_one = vote(EAST), vote(EAST)
    del alone["updated_at"], alone["updated_in"]
    drill.replica(EAST).put(NAME, alone)
    drill.replica(EAST).put(NAME, stamped_one)
    arrives(drill, WEST, stamped_one)
    assert drill.replica(WEST).get(NAME, key(alone)) is None


def test_it_is_there_again_in_an_engine_that_was_stopped(drill: OwnLab) -> None:
    drill.client.set_fault(EAST, "stop", seconds=60)
    item = vote(WEST)
    drill.replica(WEST).put(NAME, item)
    drill.client.clear(EAST)
    arrives(drill, EAST, item)


def test_what_is_written_during_a_pause_arrives_after_it(drill: OwnLab) -> None:
    drill.client.set_fault(EAST, "replication-pause", seconds=60)
    drill.client.add_table(f"{NAME}-more")
    item = vote(WEST)
    drill.replica(WEST).put(NAME, item)
    drill.client.clear(EAST)
    arrives(drill, EAST, item)


def test_tables_are_added_once_and_removed_with_their_items(drill: OwnLab) -> None:
    drill.client.add_table(NAME)
    drill.replica(EAST).put(NAME, vote(EAST))
    assert drill.client.state()["drill_tables"] == [NAME]
    assert drill.client.clear_tables() == [NAME]
    assert drill.client.clear_tables() == []
    drill.client.add_table(NAME)
    assert list(drill.replica(EAST).scan(NAME)) == []
    item = vote(EAST)
    drill.replica(EAST).put(NAME, item)
    arrives(drill, WEST, item)


def test_what_an_engine_has_left_of_an_earlier_drill_is_gone(cloud: OwnLab) -> None:
    """An engine that was saved amid a drill starts with the drill's table."""
    cloud.replica(EAST).create_tables((table(NAME),))
    cloud.replica(EAST).put(NAME, stamped(EAST))
    try:
        cloud.client.add_table(NAME)
        assert list(cloud.replica(EAST).scan(NAME)) == []
    finally:
        cloud.client.clear_tables()


@pytest.mark.parametrize(
    "name", ["survey-votes", "drill-", "drill-UPPER", "drill-a.b", f"drill-{'a' * 61}", "None", ""]
)
def test_another_table_cannot_be_made(drill: OwnLab, name: str) -> None:
    with pytest.raises(FaultRefused, match="a drill's table is called"):
        drill.client.add_table(name)
    assert drill.client.state()["drill_tables"] == [NAME]


def test_there_is_an_end_to_tables(drill: OwnLab) -> None:
    for number in range(15):
        drill.client.add_table(f"drill-{number}")
    with pytest.raises(FaultRefused, match="16 tables of drills already"):
        drill.client.add_table("drill-more")
