"""The replicator's promise: after any history, both regions end up the same."""

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from failover.lab.errors import ReplicaDown
from failover.lab.replication.fakes import FakeReplica
from failover.lab.replication.link import Link, ReplicatedTable
from failover.lab.replication.rules import Item, Stamp, key_of, later, missing, stamp_of, to_copy

REGIONS = ("east", "west")
TABLE = "votes"
NAMES = ("voter",)
regions = st.sampled_from(REGIONS)
voters = st.sampled_from(["ann", "ben", "cem"])
stamps = st.builds(Stamp, st.integers(1, 9), regions)


def item(voter: str, stamp: Stamp, answer: int) -> Item:
    return {
        "voter": {"S": voter},
        "answer": {"N": str(answer)},
        "updated_at": {"N": str(stamp.at)},
        "updated_in": {"S": stamp.region},
    }


items = st.builds(item, voters, stamps, st.integers(0, 99))


class Histories(RuleBasedStateMachine):
    """Writes, late ones too, pauses, stops, crashes, failures half-way, disorderly deliveries."""

    def __init__(self) -> None:
        super().__init__()
        self.replicas = {region: FakeReplica(region, {TABLE: NAMES}) for region in REGIONS}
        self.links = {
            pair: Link((ReplicatedTable(TABLE, NAMES),), wall=lambda: 0.0) for pair in permutations(REGIONS, 2)
        }
        self.paused: set[str] = set()
        self.now = 10
        self.used: set[Stamp] = set()
        self.written: dict[str, list[Item]] = {}
        self.something_was_destroyed = False

    @initialize(shuffle=st.randoms(use_true_random=False), repeats=st.booleans())
    def deliveries_are_disorderly(self, shuffle, repeats) -> None:
        def deliver(news: tuple[Item, ...]) -> tuple[Item, ...]:
            shown = list(news) * (2 if repeats else 1)
            shuffle.shuffle(shown)
            return tuple(shown)

        for replica in self.replicas.values():
            replica.deliver = deliver

    def write(self, region: str, voter: str, at: int, answer: int) -> None:
        stamp = Stamp(at, region)
        if stamp in self.used:
            return  # a region's stamps never repeat; two regions' may be equal
        self.used.add(stamp)
        written = item(voter, stamp, answer)
        try:
            accepted = self.replicas[region].put_later(TABLE, written, stamp)
        except ReplicaDown:
            return
        if accepted:
            self.written.setdefault(voter, []).append(written)

    @rule(region=regions, voter=voters, answer=st.integers(0, 99), same_instant=st.booleans())
    def a_client_writes(self, region: str, voter: str, answer: int, same_instant: bool) -> None:
        self.now += 0 if same_instant else 1
        self.write(region, voter, self.now, answer)

    @rule(region=regions, voter=voters, age=st.integers(1, 9), answer=st.integers(0, 99))
    def a_write_that_was_held_up_arrives(self, region: str, voter: str, age: int, answer: int) -> None:
        self.write(region, voter, self.now - age, answer)

    @rule(pair=st.sampled_from(list(permutations(REGIONS, 2))))
    def a_link_takes_a_step(self, pair: tuple[str, str]) -> None:
        source, target = pair
        try:
            paused = bool(self.paused & set(pair))
            self.links[pair].step(self.replicas[source], self.replicas[target], paused=paused)
        except ReplicaDown:
            pass

    @rule(pair=st.sampled_from(list(permutations(REGIONS, 2))), region=regions, calls=st.integers(0, 6))
    def an_engine_fails_in_the_middle_of_a_step(self, pair: tuple[str, str], region: str, calls: int) -> None:
        self.replicas[region].fail_after(calls)
        self.a_link_takes_a_step(pair)
        self.replicas[region].fail_after(None)

    @rule(region=regions)
    def replication_is_paused(self, region: str) -> None:
        self.paused.add(region)

    @precondition(lambda self: self.paused)
    @rule()
    def replication_goes_on(self) -> None:
        self.paused.clear()

    @rule(region=regions, calls=st.integers(0, 6))
    def an_engine_stops_answering_half_way(self, region: str, calls: int) -> None:
        self.replicas[region].fail_after(calls)

    @rule(region=regions)
    def an_engine_answers_again(self, region: str) -> None:
        self.replicas[region].fail_after(None)

    @rule(region=regions)
    def an_engine_is_restarted_in_order(self, region: str) -> None:
        self.replicas[region] = self.replicas[region].restarted(keep_data=True)

    @rule(region=regions)
    def an_engine_is_killed(self, region: str) -> None:
        self.something_was_destroyed = True
        self.replicas[region] = self.replicas[region].restarted(keep_data=False)

    @invariant()
    def nothing_is_ever_invented(self) -> None:
        for replica in self.replicas.values():
            for present in replica.contents(TABLE).values():
                assert present in self.written[present["voter"]["S"]]

    def settle(self) -> None:
        self.paused.clear()
        for replica in self.replicas.values():
            replica.fail_after(None)
        for _ in range(4):
            for source, target in self.links:
                self.a_link_takes_a_step((source, target))

    def teardown(self) -> None:
        self.settle()
        east, west = (self.replicas[region].contents(TABLE) for region in REGIONS)
        assert east == west
        if not self.something_was_destroyed:
            for voter, writes in self.written.items():
                latest = max(writes, key=lambda written: stamp_of(written) or Stamp(0, ""))
                assert stamp_of(east[f"S:{voter}",]) == stamp_of(latest)
        puts = [replica.puts for replica in self.replicas.values()]
        self.settle()
        assert [replica.puts for replica in self.replicas.values()] == puts, "an echo: nothing was written, yet copied"


Histories.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase


@given(st.lists(items))
def test_only_the_regions_own_writes_are_copied_from_its_stream_and_of_each_item_the_latest(images):
    copied = to_copy(images, source="east", key_names=NAMES)
    assert all(copy["updated_in"]["S"] == "east" for copy in copied.values())
    for image in images:
        if image["updated_in"]["S"] == "east":
            latest = stamp_of(copied[key_of(image, NAMES)])
            assert latest is not None
            assert not later(stamp_of(image) or Stamp(0, ""), latest)


@given(st.lists(items), st.randoms(use_true_random=False))
def test_the_order_of_delivery_does_not_change_which_write_is_copied(images, shuffle):
    shuffled = list(images)
    shuffle.shuffle(shuffled)
    first, second = (to_copy(order, source="east", key_names=NAMES) for order in (images, shuffled))
    assert {key: stamp_of(copy) for key, copy in first.items()} == {key: stamp_of(copy) for key, copy in second.items()}


@given(stamps, stamps)
def test_of_two_different_stamps_exactly_one_is_later_and_none_is_later_than_itself(stamp, other):
    assert not later(stamp, stamp)
    assert later(stamp, other) + later(other, stamp) == (stamp != other)


@given(st.lists(items))
def test_a_scan_of_the_same_contents_asks_for_nothing(images):
    contents = {key_of(image, NAMES): image for image in images}
    present = {key: stamp for key, image in contents.items() if (stamp := stamp_of(image))}
    assert list(missing(contents.values(), present, NAMES)) == []


def test_an_item_without_a_stamp_stays_in_its_region():
    bare: Item = {"voter": {"S": "ann"}}
    assert to_copy([bare], source="east", key_names=NAMES) == {}
    assert list(missing([bare], {}, NAMES)) == []
