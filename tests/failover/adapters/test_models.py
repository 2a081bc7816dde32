"""Putting an item: what it replaced, what its condition said, and stamps that only grow."""

from __future__ import annotations

import threading
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.exceptions import PutError

from failover import gateway, wiring
from failover.adapters.binding import bind
from failover.adapters.control_store import ControlRow
from failover.adapters.models import RegionalModel, Stamp, stamp, tables
from failover.core.fakes import FakeClock
from tests.conftest import Lab
from tests.failover.adapters.faulty import EAST, WEST


class BackwardsClock(FakeClock):
    """A wall clock that somebody sets."""

    def set(self, wall: float) -> None:
        self._wall = wall


@given(st.lists(st.floats(min_value=0, max_value=4e9), min_size=1, max_size=50))
def test_stamps_grow_whatever_the_clock_does(times: list[float]) -> None:
    clock = BackwardsClock()
    next_stamp = Stamp(clock)
    stamps = []
    for time in times:
        clock.set(time)
        stamps.append(next_stamp())

    assert stamps == sorted(set(stamps))
    assert all(number >= int(time * 1_000_000) for number, time in zip(stamps, times, strict=True))


def test_stamps_go_on_above_those_of_another_process() -> None:
    clock = FakeClock(wall=1.0)
    next_stamp = Stamp(clock)
    next_stamp.begin_above(5_000_000)
    assert [next_stamp(), next_stamp()] == [5_000_001, 5_000_002]
    next_stamp.begin_above(3)
    clock.wait(9)
    assert next_stamp() == 10_000_000


def test_a_clock_that_stands_still_gives_stamps_one_microsecond_apart() -> None:
    clock = FakeClock(wall=10.0)
    next_stamp = Stamp(clock)

    assert [next_stamp() for _ in range(3)] == [10_000_000, 10_000_001, 10_000_002]


def test_stamps_grow_across_threads_and_never_repeat() -> None:
    taken: list[list[int]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=lambda own=own: own.extend(stamp() for _ in range(500))) for own in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert all(own == sorted(own) for own in taken)
    assert len({number for own in taken for number in own}) == 8 * 500


def test_defining_a_model_registers_its_table_and_an_abstract_one_registers_none() -> None:
    class Abstract(RegionalModel):
        pass

    names = {spec.name for spec in tables()}

    assert "survey-control" in names
    assert None not in names


def test_a_table_spec_makes_a_table_with_a_stream_and_says_where_its_expiry_stands() -> None:
    spec = next(spec for spec in tables() if spec.name == "survey-control")

    assert spec.ttl_attribute == "expires_at"
    assert spec.replicated
    assert spec.create["BillingMode"] == "PAY_PER_REQUEST"
    assert spec.create["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def row(item: str, document: str = "{}") -> ControlRow:
    return ControlRow("test", item, document=document)


@pytest.fixture
def item() -> str:
    return f"models-{uuid.uuid4().hex}#{EAST}"


@pytest.mark.lab
@pytest.mark.usefixtures("wired")
def test_the_first_put_replaces_nothing_and_the_second_returns_what_it_replaced(item: str) -> None:
    with gateway.at(EAST):
        first = row(item, '"first"').put()
        second = row(item, '"second"').put()

        assert (first.written, first.old) == (True, None)
        assert second.written
        assert isinstance(second.old, ControlRow)
        assert second.old.document == '"first"'
        assert ControlRow.get("test", item, consistent_read=True).document == '"second"'


@pytest.mark.lab
@pytest.mark.usefixtures("wired")
def test_a_refused_condition_is_a_result_and_changes_nothing(item: str) -> None:
    with gateway.at(EAST):
        row(item, '"kept"').put()
        refused = row(item, '"lost"').put(ControlRow.kind.does_not_exist())

        assert (refused.written, refused.old) == (False, None)
        assert ControlRow.get("test", item, consistent_read=True).document == '"kept"'


@pytest.mark.lab
@pytest.mark.usefixtures("wired")
def test_a_put_says_where_it_was_made_also_when_the_same_object_is_put_again_elsewhere(item: str) -> None:
    row_of_item = row(item)
    with gateway.at(EAST):
        row_of_item.put()
        assert ControlRow.get("test", item, consistent_read=True).updated_in == EAST
    first = row_of_item.updated_at
    with gateway.at(WEST):
        row_of_item.put()
        assert ControlRow.get("test", item, consistent_read=True).updated_in == WEST
    assert row_of_item.updated_at > first


@pytest.mark.lab
@pytest.mark.usefixtures("wired")
def test_an_order_that_is_not_the_clocks_is_kept(item: str) -> None:
    with gateway.at(EAST):
        row(item).put(updated_at=7)

        assert ControlRow.get("test", item, consistent_read=True).updated_at == 7


@pytest.mark.lab
@pytest.mark.usefixtures("wired")
def test_another_refusal_than_that_of_a_condition_is_raised(item: str) -> None:
    with gateway.at(EAST), pytest.raises(PutError):
        row(item, "x" * 500_000).put()


@pytest.mark.lab
def test_a_put_reaches_the_other_region(app: Lab, wired: wiring.Wired, item: str) -> None:
    from tests.waiting import wait_until

    with bind(EAST):
        row(item, '"here and there"').put()

    def arrived() -> bool:
        with bind(WEST):
            return any(stored.updated_in == EAST for stored in ControlRow.query("test", ControlRow.item == item))

    wait_until(arrived, within=20, what="the item is replicated")
