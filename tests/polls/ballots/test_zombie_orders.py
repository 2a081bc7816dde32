"""Every order in which a voter's votes can reach two regions: repeats, changes, lost replies, writes that surface late,
with replication running, delayed and paused. Whatever the order, in the end every region holds the right vote, once,
and nobody was told anything that was not true.
"""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters import models
from failover.core.errors import NoRegionAnswered
from failover.core.fakes import FakeClock
from polls.ballots import vote_ids
from polls.ballots.answers import digest as digest_of
from polls.ballots.merge import merge_ballots, stands
from polls.ballots.services import CastStatus, ballot_cast
from polls.surveys.definitions import Definition
from polls.surveys.services import ServiceRefused
from polls.surveys.survey import State, Survey
from tests.polls.ballots.two_regions import WEST, Tiny, Weather, two_regions

VOTER = "voter-0001"
IDS = [vote_ids.mint(1_760_943_600_000 + number, number) for number in range(3)]
ANSWERS = [{"q1": f"o{number}"} for number in range(3)]
FINE, DOWN, LOST, LATE, SWELL = Weather.FINE, Weather.DOWN, Weather.LOST, Weather.LATE, Weather.SWELL
SKIES = [(FINE, FINE), (SWELL, FINE), *itertools.product((DOWN, LOST, LATE), Weather)]
"""What both regions do with one vote; the second is asked only where the first does not answer."""
EVERY = int(os.environ.get("EVERY_STORY", "3"))
"""One of so many stories is told in each run, other ones for each kind of votes; `EVERY_STORY=1` tells all of them."""
FIRST_SKIES = [sky for sky in SKIES if SWELL not in sky]
"""Before the first vote nothing is on the wire."""


@dataclass
class Story:
    """One voter's votes, and what they were told."""

    tiny: Tiny
    survey: Survey
    sent: list[int] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)

    def vote(self, number: int, sky: tuple[Weather, Weather]) -> None:
        """Send the vote of that number; what is told about it has to be true."""
        for region, weather in zip(self.tiny.regions.values(), sky, strict=True):
            region.weather = weather
            region.look()
        # Every vote comes over another host, whose clock is behind that of the one before.
        models.stamp = models.Stamp(FakeClock(wall=2e9 - len(self.sent)))
        self.sent.append(number)
        try:
            receipt = ballot_cast(survey=self.survey, voter=VOTER, vote_id=IDS[number], answers=ANSWERS[number])
        except ServiceRefused as refused:
            assert (self.survey.definition.allow_change, refused.reason) == (False, "already-voted")  # noqa: PT017  one of three ends
            others = [region.met - {IDS[number]} for region in self.tiny.regions.values()]
            assert any(others), "refused for a vote that nobody holds"
            return
        except NoRegionAnswered:
            assert not {FINE, SWELL} & set(sky)
            return
        self.acknowledged.add(number)
        self._told_the_truth(receipt.status, IDS[number], receipt.region)

    def _told_the_truth(self, status: CastStatus, vote_id: str, region: str) -> None:
        seen = self.tiny.regions[region].met
        held = {cast.vote_id for cast in self.tiny.regions[region].casts()}
        match status:
            case CastStatus.RECORDED:
                assert not seen
            case CastStatus.ALREADY_RECORDED:
                assert vote_id in seen
            case CastStatus.CHANGED:
                assert seen
                assert max(seen) < vote_id
                assert self.survey.definition.allow_change
            case CastStatus.SUPERSEDED:
                assert max(seen) > vote_id
                assert self.survey.definition.allow_change
        assert status is CastStatus.SUPERSEDED or vote_id in held
        standing = stands(self.tiny.regions[region].casts(), may_change=self.survey.definition.allow_change)
        assert standing is not None
        if self.survey.definition.allow_change:
            assert standing.vote_id >= vote_id
        elif status is CastStatus.RECORDED:
            assert standing.vote_id == vote_id
        else:  # a repeat of what was recorded where an earlier vote was not known yet: that one stands
            assert standing.vote_id <= vote_id

    def ends(self, *, zombies_first: bool) -> None:
        """Everything surfaces and is replicated, in either order; then the right vote stands everywhere."""
        if not zombies_first:
            self.tiny.replicate()
        self.tiny.surface()
        self.tiny.replicate()
        held = [region.ballots() for region in self.tiny.regions.values()]
        assert held[0] == held[1], "the regions differ"
        assert len(held[0]) <= 2, "more than one row a region of writing"
        casts = self.tiny.regions[WEST].casts()
        merged = merge_ballots(casts, may_change=self.survey.definition.allow_change)
        assert set(merged) <= {VOTER}
        if not self.acknowledged:
            return
        standing = merged[VOTER]
        number = IDS.index(standing.vote_id)
        assert number in self.sent
        assert standing.answers == ANSWERS[number]
        assert standing.digest == digest_of(ANSWERS[number])
        if self.survey.definition.allow_change:
            assert number >= max(self.acknowledged), "an acknowledged choice was undone"
        else:
            assert number <= min(self.acknowledged), "the first vote does not stand"
            assert {IDS[one] for one in self.acknowledged} <= {cast.vote_id for cast in casts}, "a vote is gone"

    def between(self, doings: str) -> None:
        """What happens between two votes: `r` replication, `z` zombies surface."""
        for doing in doings:
            (self.tiny.replicate if doing == "r" else self.tiny.surface)()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    stamp = models.stamp
    with two_regions(tmp_path_factory.mktemp("run")) as tiny:
        yield tiny
    models.stamp = stamp


def story(tiny: Tiny, *, allow_change: bool) -> Story:
    tiny.begin("ZOMBIE")
    return Story(tiny, Survey("ZOMBIE", Definition("t", (), allow_change), State.OPEN, 1, 64, 2_000_000_000))


def doings(sky: tuple[Weather, Weather]) -> tuple[str, ...]:
    """What can happen after a vote under that sky."""
    return ("", "r", "z", "zr", "rz") if LATE in sky else ("", "r")


@pytest.mark.parametrize("allow_change", [True, False], ids=["may change", "may not"])
@pytest.mark.parametrize("votes", [(0, 1), (1, 0), (0, 0)], ids=["a change", "out of order", "a repeat"])
def test_in_every_order_of_two_votes_the_right_one_stands_once_and_everyone_was_told_the_truth(
    tiny: Tiny, votes: tuple[int, int], allow_change: bool
) -> None:
    stories = [
        (first, meanwhile, second, zombies_first)
        for first, second in itertools.product(FIRST_SKIES, SKIES)
        for meanwhile, zombies_first in itertools.product(doings(first), (True, False))
    ]
    assert len(stories) == 17 * 2 * sum(len(doings(first)) for first in FIRST_SKIES)
    for first, meanwhile, second, zombies_first in stories[votes[0] :: EVERY]:
        told = story(tiny, allow_change=allow_change)
        told.vote(votes[0], first)
        told.between(meanwhile)
        told.vote(votes[1], second)
        told.ends(zombies_first=zombies_first)


steps = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(SKIES), st.sampled_from(["", "r", "z", "zr", "rz", "rzr"])),
    min_size=3,
    max_size=6,
)


@given(steps=steps, allow_change=st.booleans(), zombies_first=st.booleans())
def test_in_any_longer_story_too(
    tiny: Tiny, steps: list[tuple[int, tuple[Weather, Weather], str]], allow_change: bool, zombies_first: bool
) -> None:
    told = story(tiny, allow_change=allow_change)
    for number, sky, meanwhile in steps:
        told.vote(number, sky)
        told.between(meanwhile)
    told.ends(zombies_first=zombies_first)
