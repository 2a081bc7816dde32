"""Large shards, counted in a thread of their own: none is forgotten, none is counted more often than it need be."""

import threading
from collections.abc import Iterable

from failover.core.fakes import FakeClock
from polls.tallies.large_shards import AGAIN_S, LargeShards
from polls.tallies.ports import Shard
from tests.waiting import wait_until

FIRST, SECOND, THIRD = (Shard("CODE", 1, number) for number in range(3))


class Counting:
    """A count that ends when it may; it fails or raises for some shards once."""

    def __init__(self, *, failing: Iterable[Shard] = (), raising: Iterable[Shard] = ()) -> None:
        self.may_end = threading.Semaphore(0)
        self.begun: list[Shard] = []
        self._failing, self._raising = set(failing), set(raising)

    def __call__(self, shards: Iterable[Shard]) -> frozenset[Shard]:
        (shard,) = shards
        self.begun.append(shard)
        self.may_end.acquire(timeout=10)
        if shard in self._raising:
            self._raising.remove(shard)
            raise ValueError(f"{shard} is broken")
        if shard in self._failing:
            self._failing.remove(shard)
            return frozenset([shard])
        return frozenset()

    def await_begun(self, *shards: Shard) -> None:
        wait_until(lambda: self.begun == list(shards), within=10, what=f"{shards} are counted, in this order")


def test_a_shard_is_counted_once_for_all_its_signals_and_once_more_for_one_that_comes_meanwhile():
    counting = Counting()
    large = LargeShards(counting, clock=FakeClock())
    large.put(FIRST)
    counting.await_begun(FIRST)
    for shard in (SECOND, FIRST, SECOND, FIRST):
        large.put(shard)
    for _count in range(4):  # one more than there should be
        counting.may_end.release()
    counting.await_begun(FIRST, SECOND, FIRST)
    large.put(THIRD)
    counting.await_begun(FIRST, SECOND, FIRST, THIRD)


def test_a_shard_that_could_not_be_counted_has_another_turn_behind_the_others_and_not_at_once():
    counting, clock = Counting(failing=[FIRST]), FakeClock()
    began = clock.monotonic()
    large = LargeShards(counting, clock=clock)
    large.put(FIRST)
    large.put(SECOND)
    for _count in range(3):
        counting.may_end.release()
    counting.await_begun(FIRST, SECOND, FIRST)
    assert clock.monotonic() == began + AGAIN_S


def test_a_shard_that_cannot_be_read_does_not_end_the_counting_of_the_others():
    counting = Counting(raising=[FIRST])
    large = LargeShards(counting, clock=FakeClock())
    large.put(FIRST)
    large.put(SECOND)
    for _count in range(2):
        counting.may_end.release()
    counting.await_begun(FIRST, SECOND)
