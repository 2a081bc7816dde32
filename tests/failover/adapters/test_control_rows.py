"""A control row of another version, or that a person wrote, is left out; it hides no other and breaks nobody."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from failover.adapters import control_store
from failover.adapters.binding import bind
from failover.adapters.control_store import EVENT, HEARTBEAT, ROUTING
from failover.core.decisions import Decision
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.exchange.reports import decision_to_json
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST

NOW = 1_760_943_600.0
BEAT = {"at": NOW, "counters": {EAST: {"requests": 7, "failed": 1}}}
DECISION = decision_to_json(Decision("pinned", WEST, 1, "good", "inés", "a drill", NOW))
HAPPENED = asdict(Event("good", NOW, EventKind.FAILOVER, EAST, WEST, AUTOMATIC, "why", WEST))
OTHER = HAPPENED | {"id": "strange"}
GOOD = {HEARTBEAT: BEAT, ROUTING: DECISION, EVENT: HAPPENED}
NUMBERS = ("many", None, [], float("inf"))
TIMES = ("soon", None, [], float("nan"), 1e300, -1.0)


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[faulty.Region]:
    with faulty.region(tmp_path_factory.mktemp("rows"), timeout=faulty.PATIENT_S) as region:
        yield region


def row(kind: str, name: str, **attributes: object) -> dict[str, Any]:
    fixed = {"updated_at": {"N": "1"}, "updated_in": {"S": EAST}}
    return {"kind": {"S": kind}, "item": {"S": f"{name}#{EAST}"}, **fixed, **attributes}


def text(document: object) -> dict[str, str]:
    return {"S": json.dumps(document)}


READS: dict[str, Callable[[], list[str]]] = {
    HEARTBEAT: lambda: [beat.host for beat in control_store.read_beats()],
    ROUTING: lambda: [decision.id for decision in control_store.read_decisions()],
    EVENT: lambda: [event.id for event in control_store.read_events(10)],
}


def read_beside_a_good_one(strange: dict[str, Any], region: faulty.Region) -> list[str]:
    """What is read of a region that has this row, and a good one of its kind after it."""
    kind = strange["kind"]["S"]
    rows = [strange, row(kind, "good", document=text(GOOD[kind]), sequence={"N": "1"})]
    region.wire()
    region.behaves(faulty.says(faulty.reply(200, {"Items": rows, "Count": 2, "ScannedCount": 2})))
    with bind(EAST):
        return READS[kind]()


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        *((kind, document) for kind in GOOD for document in ([], None, "text", 7, {}, [[1]], {"of": "the future"})),
        *((HEARTBEAT, BEAT | {"counters": counters}) for counters in ([], None, 7, {EAST: [7, 0]}, {EAST: None})),
        *((HEARTBEAT, BEAT | {"counters": {EAST: {"requests": number}}}) for number in NUMBERS),
        *((HEARTBEAT, BEAT | {"at": at}) for at in ("soon", None, [])),
        *((ROUTING, DECISION | {"epoch": number}) for number in NUMBERS),
        *((ROUTING, DECISION | {"at": at}) for at in TIMES),
        *((ROUTING, DECISION | {"region": name}) for name in ([EAST], {"name": EAST}, 7, None)),
        *((ROUTING, DECISION | {"mode": mode}) for mode in ("sideways", [], None)),
        *((EVENT, OTHER | {"at": at}) for at in TIMES),
        *((EVENT, OTHER | {name: ["x"]}) for name in HAPPENED),
        *((EVENT, OTHER | more) for more in ({"kind": "party"}, {"said": {"values": 1}}, {"more": 1})),
    ],
)
def test_a_row_of_another_shape_is_left_out_and_hides_no_other(
    kind: str, document: object, region: faulty.Region
) -> None:
    assert read_beside_a_good_one(row(kind, "strange", document=text(document)), region) == ["good"]


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="none at all"),
        pytest.param({"document": {"S": "no JSON"}}, id="no JSON"),
        pytest.param({"document": {"S": "[" * 100_000}}, id="a depth that nobody reads"),
        pytest.param({"document": {"N": "7"}}, id="a document that is a number"),
        pytest.param({"document": {"M": {}}}, id="a document that is a map"),
        pytest.param({"sequence": {"S": "first"}}, id="a sequence in words"),
        pytest.param({"expires_at": {"S": "soon"}}, id="an expiry in words"),
        pytest.param({"rank": {"N": "7"}}, id="a rank that is a number"),
        pytest.param({"updated_at": {"S": "today"}}, id="a stamp in words"),
    ],
)
def test_a_row_whose_attributes_are_others_is_left_out_and_hides_no_other(
    kind: str, attributes: dict[str, Any], region: faulty.Region
) -> None:
    known = {"document": text(GOOD[kind])} if attributes and "document" not in attributes else {}
    assert read_beside_a_good_one(row(kind, "strange", **known | attributes), region) == ["good"]


def test_a_region_that_breaks_off_amid_its_rows_is_an_error_and_no_empty_answer(region: faulty.Region) -> None:
    region.wire()
    region.behaves(faulty.closes)
    with bind(EAST), pytest.raises(Exception, match="Connection was closed"):
        control_store.read_decisions()


def test_texts_that_no_page_can_show_are_replaced_and_nothing_is_left_out(region: faulty.Region) -> None:
    bad = {"actor": "cli:\udcfc", "reason": "\u202eon" + "x" * 5_000, "id": "strange"}
    unspeakable = {"said": {"template": "{who}", "values": {"who": "\ud800"}}}
    rows = [
        row(ROUTING, "bad", document=text(DECISION | bad)),
        row(EVENT, "bad", document=text(HAPPENED | bad | unspeakable)),
    ]
    region.wire()
    region.behaves(faulty.says(faulty.reply(200, {"Items": rows[:1], "Count": 1, "ScannedCount": 1})))
    with bind(EAST):
        (decision,) = control_store.read_decisions()
    assert (decision.actor, decision.reason[:3], len(decision.reason)) == ("cli:\ufffd", "\ufffdon", 2_000)
    region.behaves(faulty.says(faulty.reply(200, {"Items": rows[1:], "Count": 1, "ScannedCount": 1})))
    with bind(EAST):
        (event,) = control_store.read_events(10)
    assert (event.actor, event.reason) == ("cli:\ufffd", "\ufffd")
