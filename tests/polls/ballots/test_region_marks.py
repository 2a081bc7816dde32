"""A vote looks for an earlier one in another region's writing only where that region has written any."""

from collections.abc import Iterator

import pytest

from failover.core.errors import NoRegionAnswered
from polls.ballots import region_marks, services, vote_ids
from polls.ballots.models import mark_key
from polls.ballots.services import CastStatus
from polls.common.limits import BoundedDict
from polls.surveys.definitions import Definition
from polls.surveys.survey import State, Survey
from tests.polls.ballots.two_regions import EAST, WEST, Tiny, TinyRegion, Weather, two_regions

SURVEY = Survey("MARKED", Definition("t", ()), State.OPEN, 1, 64, 2_000_000_000)
IDS = [vote_ids.mint(1_760_943_600_000 + number, number) for number in range(3)]


class Calls:
    """The operations of this survey that a region was asked for since this was last read."""

    def __init__(self, region: TinyRegion, monkeypatch: pytest.MonkeyPatch) -> None:
        self._made: list[str] = []
        play = region._make_api_call

        def call(operation: str, request: dict) -> dict:
            if SURVEY.code in str(request):
                self._made.append(operation)
            return play(operation, request)

        monkeypatch.setattr(region, "_make_api_call", call)
        monkeypatch.setattr(region_marks, "FRESH_S", 3600.0)  # however long the test takes

    def read(self) -> list[str]:
        made, self._made[:] = list(self._made), []
        return made


@pytest.fixture
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with two_regions(tmp_path_factory.mktemp("run")) as tiny:
        tiny.begin("ELSE")
        yield tiny
    region_marks.forget()


def cast(voter: str, number: int = 0) -> services.Receipt:
    answers = {"q1": f"o{number}"}
    return services.ballot_cast(survey=SURVEY, voter=voter, vote_id=IDS[number], answers=answers)


def test_a_vote_on_a_calm_day_is_one_call(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    cast("voter-0001")
    calls = Calls(tiny.regions[EAST], monkeypatch)

    assert cast("voter-0002").status is CastStatus.RECORDED
    assert calls.read() == ["PutItem"]
    assert cast("voter-0002", 1).status is CastStatus.CHANGED
    assert calls.read() == ["PutItem"]
    assert cast("voter-0002", 1).status is CastStatus.ALREADY_RECORDED


def test_a_region_is_marked_before_its_first_ballot_of_a_round(tiny: Tiny) -> None:
    east = tiny.regions[EAST]
    east.weather = Weather.LATE  # a put is not carried out
    tiny.regions[WEST].weather = Weather.DOWN
    with pytest.raises(NoRegionAnswered):
        cast("voter-0001")

    (held,) = east.on_the_wire
    assert (held["Item"]["shard"]["S"], held["Item"]["voter_region"]["S"]) == mark_key("MARKED", 1, EAST)


def test_another_process_sees_the_mark_where_it_sees_the_ballot(tiny: Tiny) -> None:
    tiny.regions[EAST].weather = Weather.DOWN
    assert cast("voter-0001").region == WEST
    tiny.regions[EAST].weather = Weather.FINE
    tiny.replicate()
    region_marks.forget()  # what this process knew: from here on it is another one

    again = cast("voter-0001", 1)

    assert (again.region, again.status) == (EAST, CastStatus.CHANGED)


def test_what_a_process_wrote_elsewhere_it_knows_at_once(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    cast("voter-0001")
    tiny.regions[EAST].weather = Weather.DOWN
    cast("voter-0002")
    tiny.regions[EAST].weather = Weather.FINE
    calls = Calls(tiny.regions[EAST], monkeypatch)

    cast("voter-0003")

    assert calls.read() == ["BatchGetItem", "PutItem"]


def test_a_mark_that_was_lost_with_its_region_is_set_again(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr(region_marks.gateway.clock, "monotonic", lambda: now[0], raising=False)
    cast("voter-0001")
    east = tiny.regions[EAST]
    east.items.clear()
    cast("voter-0002")
    assert len(east.items) == 1, "within a second nobody looks"

    now[0] += region_marks.FRESH_S
    cast("voter-0003")

    assert len(east.items) == 3
    assert len(east.ballots()) == 2


def test_a_mark_is_no_ballot(tiny: Tiny) -> None:
    cast("voter-0001")

    shard, place = mark_key("MARKED", 1, EAST)
    assert not shard.startswith("MARKED#"), "nothing that reads a round's shards finds it"
    assert (shard, place) == ("writers#MARKED#1#", "#us-east-1")
    assert len(tiny.regions[EAST].casts()) == 1


def test_no_more_rounds_are_known_than_fit(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_marks, "_rounds", BoundedDict(2))
    for number in range(1, 5):
        survey = Survey("MARKED", Definition("t", ()), State.OPEN, number, 64, 2_000_000_000)
        services.ballot_cast(survey=survey, voter="voter-0001", vote_id=IDS[0], answers={"q1": "o1"})

    assert sorted(number for _, number in region_marks._rounds) == [3, 4]
