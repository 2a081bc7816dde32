"""The control table: beats, decisions that only rise, events that come once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover import gateway
from failover.adapters import control_store
from failover.adapters.control_store import ControlRow
from failover.core.decisions import Decision, latest
from failover.core.events import AUTOMATIC, Event, EventKind
from tests.failover.adapters.faulty import EAST, WEST
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("wired")]

NOW = 1_760_943_600.0


@pytest.fixture
def _no_decisions() -> Iterator[None]:
    """Each test begins with an empty routing and an empty log, and leaves them so."""
    _empty(control_store.ROUTING, control_store.EVENT)
    yield
    _empty(control_store.ROUTING, control_store.EVENT)


def _empty(*kinds: str) -> None:
    """Deletes in both regions, until neither has anything left: a copy may still be under way."""

    def emptied() -> bool:
        left = 0
        for region in (EAST, WEST):
            with gateway.at(region):
                for kind in kinds:
                    for row in ControlRow.query(kind, consistent_read=True):
                        row.delete()
                        left += 1
        return left == 0

    wait_until(emptied, within=20, what="the control table is empty")


def decision(epoch: int, at: float = NOW, name: str = "", region: str | None = None) -> Decision:
    mode = "auto" if region is None else "pinned"
    return Decision(
        mode=mode, region=region, epoch=epoch, id=name or uuid.uuid4().hex, actor="a", reason="because", at=at
    )


def event(name: str, at: float) -> Event:
    return Event(name, at, EventKind.FAILOVER, EAST, WEST, AUTOMATIC, "why", WEST)


def here() -> list[Decision]:
    return control_store.read_decisions()


@pytest.mark.usefixtures("_no_decisions")
def test_a_decision_is_read_as_it_was_written() -> None:
    written = Decision(
        mode="pinned", region=WEST, epoch=3, id="x", actor="inés", reason="drill “2”", at=NOW + 0.123456, forced=True
    )
    with gateway.at(EAST):
        control_store.write_decision(written)

        assert here() == [written]


@pytest.mark.usefixtures("_no_decisions")
@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(decision(2), decision(1, at=NOW + 100), id="a lower epoch that was made later"),
        pytest.param(decision(2, at=NOW + 1), decision(2, at=NOW), id="the same epoch, earlier"),
        pytest.param(decision(2, name="b"), decision(2, name="a"), id="the same epoch and time, a lower id"),
        pytest.param(decision(10), decision(9), id="ten is more than nine"),
    ],
)
def test_a_lower_rank_never_overwrites_a_higher_one(first: Decision, then: Decision) -> None:
    with gateway.at(EAST):
        assert control_store.write_decision(first) is None
        assert control_store.write_decision(then) == first  # the one that stands
        assert here() == [first]

        control_store.write_decision(first)  # a repeat is harmless
        assert here() == [first]


@pytest.mark.usefixtures("_no_decisions")
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            decision,
            epoch=st.integers(1, 120),
            at=st.floats(1e9, 2e9, allow_nan=False).map(lambda at: round(at, 6)),
            name=st.sampled_from("abc"),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_in_whatever_order_they_are_written_the_highest_stands(decisions: list[Decision]) -> None:
    with gateway.at(EAST):
        for row in ControlRow.query(control_store.ROUTING, consistent_read=True):
            row.delete()
        for held in decisions:
            control_store.write_decision(held)
        stands = [held for held in here() if held in decisions]

    assert [held.rank for held in stands] == [max(held.rank for held in decisions)]


@pytest.mark.usefixtures("_no_decisions")
def test_a_decision_says_which_one_it_replaced() -> None:
    with gateway.at(EAST):
        control_store.write_decision(decision(1, name="one"))
        replaced = control_store.write_decision(decision(2))

    assert replaced is not None
    assert replaced.id == "one"


@pytest.mark.usefixtures("_no_decisions")
def test_each_region_has_a_row_of_its_own_and_copies_keep_the_order_of_epochs() -> None:
    # The newer epoch comes from a clock that is an hour behind: its copy must win nevertheless.
    older, newer = decision(1, at=NOW), decision(2, at=NOW - 3600)
    with gateway.at(EAST):
        control_store.write_decision(older)
    with gateway.at(WEST):
        control_store.write_decision(older)
        control_store.write_decision(newer)

    def merged() -> bool:
        with gateway.at(EAST):
            return set(here()) == {older, newer} and latest(here())[0] == newer

    wait_until(merged, within=20, what="both rows are in us-east-1")


@pytest.mark.usefixtures("_no_decisions")
def test_a_row_of_another_version_hides_no_other() -> None:
    with gateway.at(EAST):
        for kind in (control_store.ROUTING, control_store.EVENT, control_store.HEARTBEAT):
            ControlRow(kind, f"00-strange#{EAST}", document='{"of": "the future"}').put()
            ControlRow(kind, f"99-strange#{EAST}", document="no JSON").put()
        control_store.write_decision(decision(1, name="good"))
        control_store.write_event(event("good", NOW))
        control_store.write_beat("good-host", 1, NOW, {})
        try:
            assert [entry.id for entry in here()] == ["good"]
            assert [entry.id for entry in control_store.read_events(10)] == ["good"]
            assert "good-host" in {beat.host for beat in control_store.read_beats()}
        finally:
            for item in (f"00-strange#{EAST}", f"99-strange#{EAST}"):
                ControlRow(control_store.HEARTBEAT, item).delete()


@pytest.mark.usefixtures("_no_decisions")
def test_events_come_newest_first_and_no_more_than_asked() -> None:
    with gateway.at(EAST):
        for number in (3, 1, 4, 2, 5):
            control_store.write_event(event(f"e{number}", NOW + number))

        assert [entry.id for entry in control_store.read_events(3)] == ["e5", "e4", "e3"]
        assert [entry.id for entry in control_store.read_events(99)] == ["e5", "e4", "e3", "e2", "e1"]
        assert control_store.read_events(1) == [event("e5", NOW + 5)]


@pytest.mark.usefixtures("_no_decisions")
def test_an_event_that_is_written_twice_and_in_two_regions_comes_once() -> None:
    for region in (EAST, EAST, WEST):
        with gateway.at(region):
            control_store.write_event(event("twice", NOW))
            control_store.write_event(event("later", NOW + 1))

    def arrived() -> bool:
        with gateway.at(EAST):
            return len(list(ControlRow.query(control_store.EVENT))) == 4

    wait_until(arrived, within=20, what="all four rows are in us-east-1")
    with gateway.at(EAST):
        assert [entry.id for entry in control_store.read_events(10)] == ["later", "twice"]
        assert [entry.id for entry in control_store.read_events(2)] == ["later", "twice"]


@pytest.mark.usefixtures("_no_decisions")
def test_an_event_that_was_written_is_never_changed() -> None:
    with gateway.at(EAST):
        control_store.write_event(event("fact", NOW))
        control_store.write_event(replace(event("fact", NOW), reason="another story"))

        assert control_store.read_events(10) == [event("fact", NOW)]


@pytest.mark.usefixtures("_no_decisions")
def test_events_that_many_regions_wrote_do_not_use_up_the_limit() -> None:
    with gateway.at(EAST):
        for number in range(3):
            for writer in ("ap-south-1", "eu-north-1", "sa-east-1", EAST):
                item = f"{int((NOW + number) * 1000):014d}-e{number}#{writer}"
                document = json.dumps(control_store.asdict(event(f"e{number}", NOW + number)))
                ControlRow(control_store.EVENT, item, document=document).put()

        assert [entry.id for entry in control_store.read_events(3)] == ["e2", "e1", "e0"]


def test_a_beat_is_read_back_with_its_number_time_and_counters() -> None:
    host = uuid.uuid4().hex
    with gateway.at(WEST):
        control_store.write_beat(host, 41, NOW, {})
        control_store.write_beat(host, 42, NOW + 0.5, {EAST: {"requests": 7}})

        assert control_store.read_back(host) == 42
        beats = [beat for beat in control_store.read_beats() if beat.host == host and beat.origin == WEST]

    assert beats == [control_store.Beat(host, WEST, 42, NOW + 0.5, {EAST: {"requests": 7}})]


def test_a_beat_that_is_not_there_is_missed() -> None:
    with gateway.at(EAST):
        assert control_store.read_back("nobody") == 0


def test_a_beat_and_an_event_expire() -> None:
    host = uuid.uuid4().hex
    with gateway.at(EAST):
        control_store.write_beat(host, 1, NOW, {})
        beat = ControlRow.get(control_store.HEARTBEAT, f"{host}#{EAST}", consistent_read=True)

        control_store.write_event(event(host, NOW))
        item = f"{int(NOW * 1000):014d}-{host}#{EAST}"
        event_row = ControlRow.get(control_store.EVENT, item, consistent_read=True)
        event_row.delete()

    assert beat.expires_at is not None
    assert beat.expires_at.timestamp() == NOW + control_store.BEAT_TTL_S
    assert event_row.expires_at is not None
    assert event_row.expires_at.timestamp() == NOW + control_store.EVENT_TTL_S
