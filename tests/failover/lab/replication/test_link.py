"""One direction of replication, step by step, between two replicas in memory."""

import pytest

from failover.lab.errors import ReplicaDown
from failover.lab.replication.fakes import FakeReplica
from failover.lab.replication.link import IDLE_READ_EVERY, IDLE_STEPS, Link, ReplicatedTable
from failover.lab.replication.rules import Stamp, stamp_of

TABLE, NAMES = "votes", ("voter",)


def replica(region: str) -> FakeReplica:
    return FakeReplica(region, {TABLE: NAMES})


def link(now: float = 0.0) -> Link:
    return Link((ReplicatedTable(TABLE, NAMES),), wall=lambda: now)


def linked() -> tuple[FakeReplica, FakeReplica, Link]:
    """Two empty replicas, and a link from the first to the second that has taken its first step."""
    east, west, there = replica("east"), replica("west"), link()
    there.step(east, west, paused=False)
    return east, west, there


def write(into: FakeReplica, voter: str, at: int) -> None:
    stamp = Stamp(at, into.region)
    item = {"voter": {"S": voter}, "updated_at": {"N": str(at)}, "updated_in": {"S": into.region}}
    assert into.put_later(TABLE, item, stamp)


def test_a_write_is_copied_once_and_the_copy_is_not_copied_back():
    east, west, there, back = replica("east"), replica("west"), link(), link()
    there.step(east, west, paused=False)
    back.step(west, east, paused=False)
    write(east, "ann", 1)
    for _ in range(3):
        there.step(east, west, paused=False)
        back.step(west, east, paused=False)
    assert west.contents(TABLE) == east.contents(TABLE)
    assert (there.stats.read, there.stats.applied) == (1, 1)
    assert (back.stats.read, back.stats.applied, back.stats.refused) == (1, 0, 0)


def test_a_paused_link_counts_its_backlog_and_drains_it_afterwards():
    east, west, there = linked()
    for voter in ("ann", "ben", "cem"):
        write(east, voter, 1)
    there.step(east, west, paused=True)
    assert (there.stats.backlog, west.contents(TABLE)) == (3, {})
    there.step(east, west, paused=False)
    assert there.stats.backlog == 0
    assert west.contents(TABLE) == east.contents(TABLE)


def test_of_an_item_that_changed_during_a_pause_only_the_last_is_copied():
    east, west, there = linked()
    write(east, "ann", 1)
    there.step(east, west, paused=True)
    write(east, "ann", 2)
    there.step(east, west, paused=False)
    assert west.puts == 1
    assert west.contents(TABLE) == east.contents(TABLE)


def test_a_target_that_fails_in_the_middle_gets_the_rest_when_it_answers_again():
    east, west, there = linked()
    for voter in ("ann", "ben", "cem"):
        write(east, voter, 1)
    west.fail_after(1)
    with pytest.raises(ReplicaDown):
        there.step(east, west, paused=False)
    assert there.stats.backlog == 2
    west.fail_after(None)
    there.step(east, west, paused=False)
    assert west.contents(TABLE) == east.contents(TABLE)


@pytest.mark.parametrize("restarts", ["source", "target"])
def test_a_restart_of_either_side_starts_the_link_over_with_a_scan(restarts: str):
    east, west, there = linked()
    write(east, "ann", 1)
    if restarts == "source":
        east = east.restarted(keep_data=True)  # its stream, with the write, is gone
    else:
        there.step(east, west, paused=False)
        west = west.restarted(keep_data=False)
    assert not there.in_sync(east.incarnation, west.incarnation)
    there.step(east, west, paused=False)
    assert there.in_sync(east.incarnation, west.incarnation)
    assert west.contents(TABLE) == east.contents(TABLE)


def test_a_region_that_lost_everything_gets_its_own_writes_back_from_its_peer():
    east, west, there, back = replica("east"), replica("west"), link(), link()
    there.step(east, west, paused=False)
    write(east, "ann", 1)
    there.step(east, west, paused=False)
    east = east.restarted(keep_data=False)
    back.step(west, east, paused=False)
    (item,) = east.contents(TABLE).values()
    assert stamp_of(item) == Stamp(1, "east")


def test_a_paused_link_is_not_in_sync_with_a_new_incarnation_until_it_may_compare():
    east, west, there = replica("east"), replica("west"), link()
    there.step(east, west, paused=True)
    assert not there.in_sync(1, 1)
    there.step(east, west, paused=False)
    assert there.in_sync(1, 1)


def test_an_interrupted_comparison_is_done_again_from_the_start():
    east, west, there = replica("east"), replica("west"), link()
    for voter in ("ann", "ben", "cem"):
        write(east, voter, 1)
    west.fail_after(2)
    with pytest.raises(ReplicaDown):
        there.step(east, west, paused=False)
    assert not there.in_sync(1, 1)
    west.fail_after(None)
    there.step(east, west, paused=False)
    assert west.contents(TABLE) == east.contents(TABLE)


def test_the_lag_is_the_time_from_the_write_to_its_copy_in_milliseconds():
    east, west, there = replica("east"), replica("west"), link(now=1.25)
    there.step(east, west, paused=False)
    write(east, "ann", 1_000_000)
    there.step(east, west, paused=False)
    assert there.stats.last_lag_ms == pytest.approx(250)
    assert there.stats.last_applied_at == pytest.approx(1.25)


class Delayed:
    """A link that holds every item for two seconds, and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.link = Link((ReplicatedTable(TABLE, NAMES),), wall=lambda: self.now)
        self.east, self.west = replica("east"), replica("west")
        self.step(0)

    def step(self, now: float, *, delay_s: float = 2.0, paused: bool = False) -> dict[str, int]:
        """What has arrived after a step at this time: the stamp of each voter's item."""
        self.now = now
        self.link.step(self.east, self.west, paused=paused, delay_s=delay_s)
        return {item["voter"]["S"]: int(item["updated_at"]["N"]) for item in self.west.contents(TABLE).values()}


def test_a_delayed_link_holds_each_item_for_its_own_time_and_counts_it():
    delayed = Delayed()
    write(delayed.east, "ann", 1)
    assert delayed.step(10.0) == {}
    write(delayed.east, "ben", 1)
    assert delayed.step(11.0) == {}
    assert delayed.link.stats.backlog == 2
    assert delayed.step(11.9) == {}
    assert delayed.step(12.0) == {"ann": 1}
    assert delayed.link.stats.backlog == 1
    assert delayed.step(13.0) == {"ann": 1, "ben": 1}
    assert (delayed.link.stats.backlog, delayed.link.stats.applied) == (0, 2)


def test_an_item_that_changes_faster_than_the_delay_arrives_all_the_same():
    delayed = Delayed()
    arrived = []
    for second in range(1, 6):
        write(delayed.east, "ann", second)
        arrived.append(delayed.step(float(second)).get("ann"))
    assert arrived == [None, None, 1, 2, 3]


def test_what_a_delay_holds_is_copied_as_soon_as_it_is_over():
    delayed = Delayed()
    write(delayed.east, "ann", 1)
    assert delayed.step(10.0) == {}
    assert delayed.step(10.1, delay_s=0.0) == {"ann": 1}


def test_what_a_delay_and_a_pause_hold_together_needs_the_end_of_both():
    delayed = Delayed()
    write(delayed.east, "ann", 1)
    assert delayed.step(10.0) == {}
    assert delayed.step(13.0, paused=True) == {}
    assert delayed.link.stats.backlog == 1
    assert delayed.step(13.1) == {"ann": 1}


def test_a_delayed_item_is_not_lost_when_the_target_is_down_as_its_delay_ends():
    delayed = Delayed()
    write(delayed.east, "ann", 1)
    delayed.step(10.0)
    delayed.west.fail_after(0)
    with pytest.raises(ReplicaDown):
        delayed.step(12.0)
    delayed.west.fail_after(None)
    assert delayed.step(12.1) == {"ann": 1}


def test_a_stream_that_was_silent_is_read_less_often_until_something_comes():
    east, west, there = replica("east"), replica("west"), link()
    for _ in range(IDLE_STEPS + 3):
        there.step(east, west, paused=False)
    reads = east.reads
    for _ in range(2 * IDLE_READ_EVERY):
        there.step(east, west, paused=False)
    assert east.reads - reads == 2
    write(east, "ann", 1)
    for _ in range(IDLE_READ_EVERY):
        there.step(east, west, paused=False)
    assert west.contents(TABLE) == east.contents(TABLE)
    reads = east.reads
    there.step(east, west, paused=False)
    assert east.reads > reads
