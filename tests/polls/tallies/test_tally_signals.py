"""Signals lost, repeated, reordered or replayed, recounters killed half way or two at once: tallies come out right.

A script is drawn: votes, and counts during whose every step something else may happen, other votes and other
recounters' whole counts included.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from failover.core.fakes import FakeClock
from polls.ballots.merge import Cast
from polls.tallies.fakes import FakeRegion, FakeTallies
from polls.tallies.ports import Scheme, Shard, Unreachable
from polls.tallies.recount import Recounter
from polls.tallies.tally import count

SCHEME = Scheme("CODE", 1, 2, {"q1": ["o1", "o2"]}, may_change=True, expires_at=2_000_000_000, is_open=True)
SHARDS = [Shard("CODE", 1, number) for number in range(SCHEME.shards)]
PROJECTORS = 2


@dataclass(frozen=True)
class Vote:
    voter: int
    option: str


@dataclass(frozen=True)
class Count:
    """Recounter `who` is signalled `shards`; before its n-th step, all of the n-th of `meanwhile` happens."""

    who: int
    shards: list[Shard]
    meanwhile: "list[list[Vote | Count | Kill | Down]]"


@dataclass(frozen=True)
class Kill:
    pass


@dataclass(frozen=True)
class Down:
    pass


class Killed(BaseException):
    """A recounter's process ends here: nothing in it may notice."""


VOTES = st.builds(Vote, st.integers(0, 5), st.sampled_from(["o1", "o2"]))
SOME = st.lists(st.sampled_from(SHARDS), min_size=1, max_size=3)


def counts(inner: st.SearchStrategy[object]) -> st.SearchStrategy[Count]:
    step = st.just([]) | st.lists(VOTES | inner | st.builds(Kill) | st.builds(Down), min_size=1, max_size=3)
    return st.builds(Count, st.integers(0, PROJECTORS - 1), SOME, st.lists(step, max_size=6))


SCRIPTS = st.lists(VOTES | counts(counts(VOTES)), max_size=10)


@dataclass
class World:
    region: FakeRegion = field(default_factory=lambda: FakeRegion(SCHEME))
    clock: FakeClock = field(default_factory=FakeClock)
    votes: int = 0
    versions: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))
    unheard: dict[Shard, int] = field(default_factory=dict)  # the last vote of a shard that no count has begun after

    def __post_init__(self) -> None:
        self.stores = [FakeTallies(self.region) for _ in range(PROJECTORS)]
        self.recounters = [self.recounter(store) for store in self.stores]

    def recounter(self, store: FakeTallies) -> Recounter:
        return Recounter(store, clock=self.clock, version=lambda: f"v{next(self.versions)}")

    def act(self, action: object) -> None:
        match action:
            case Vote(voter, option):
                self.votes += 1
                shard = SHARDS[voter % len(SHARDS)]
                cast = Cast(f"voter-{voter}", f"{self.votes:06}", option, {"q1": option})
                self.region.ballots.setdefault(shard, []).append(cast)
                self.unheard[shard] = self.votes
            case Count(who, shards, meanwhile):
                self.count(who, shards, iter(meanwhile))
            case Kill():
                raise Killed
            case Down():
                raise Unreachable("down")

    def act_all(self, actions: list[object]) -> None:
        for action in actions:
            self.act(action)

    def count(self, who: int, shards: list[Shard], meanwhile: Iterator[list[object]]) -> None:
        began, outer = self.votes, self.stores[who].before
        self.stores[who].before = lambda _method: self.act_all(next(meanwhile, []))
        try:
            failed = self.recounters[who].count(shards)
        except Killed:
            self.recounters[who] = self.recounter(self.stores[who])  # another process, which remembers nothing
            return
        finally:
            self.stores[who].before = outer
        for shard in set(shards) - failed:
            if self.unheard.get(shard, 0) <= began:
                self.unheard.pop(shard, None)

    def is_level(self) -> bool:
        """Every shard's tally is the count of its ballots."""
        for shard in SHARDS:
            ballots = count(self.region.ballots.get(shard, []), options=SCHEME.options, may_change=True)
            row = self.region.rows.get(shard)
            if (row.tally != ballots) if row else ballots.voters:
                return False
        return True


def played(script: list[object]) -> World:
    world = World()
    world.act_all(script)
    return world


@given(SCRIPTS)
@settings(max_examples=120)
def test_a_sweep_puts_right_whatever_the_signals_left(script: list[object]):
    world = played(script)
    world.recounter(FakeTallies(world.region)).sweep()
    assert world.is_level()


# The race that a version settles: a vote and another's count between a recounter's reading and its writing.
RACE: list[object] = [Vote(0, "o1"), Count(0, [SHARDS[0]], [[], [], [], [Vote(0, "o2"), Count(1, [SHARDS[0]], [])]])]


@given(SCRIPTS, st.integers(0, PROJECTORS - 1))
@example(RACE, 0)
@settings(max_examples=120)
def test_a_signal_heard_once_after_each_vote_is_enough_without_any_sweep(script: list[object], last: int):
    world = played(script)
    world.recounters[last].count(world.unheard)
    assert world.is_level()


@given(SCRIPTS)
@settings(max_examples=60)
def test_a_stream_replayed_from_its_start_changes_nothing(script: list[object]):
    world = played(script)
    world.recounters[0].count(SHARDS)
    before = {shard: row.tally for shard, row in world.region.rows.items()}
    for _again in range(2):
        for recounter in world.recounters:
            recounter.count(SHARDS)
    assert {shard: row.tally for shard, row in world.region.rows.items()} == before
    assert world.is_level()
