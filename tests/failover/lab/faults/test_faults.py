"""The book of faults: one for each layer of a region, each with an end, and a clear line for what cannot be done."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.lab.config import LabConfig
from failover.lab.errors import FaultRefused, LabError, LayerTaken
from failover.lab.faults.book import FaultBook
from failover.lab.faults.kinds import FaultKind, Layer, Milliseconds, Order, World
from failover.lab.network.dns import NameServer
from failover.lab.network.gate import FrontLoop
from failover.lab.region import Region
from failover.lab.replication.threads import Replication
from tests.failover.lab.support import EAST, TABLES, WEST
from tests.waiting import wait_until


class Recorder(FaultKind):
    """A kind of fault that breaks nothing and remembers what it was asked for."""

    name = "recorded"
    layer = Layer.DNS
    summary = "nothing is broken"
    ms = Milliseconds(2, 7, 9)
    cuts = True

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.trouble: str | None = None
        self.hold = threading.Event()
        self.hold.set()

    def apply(self, world: World, order: Order) -> int:
        self.hold.wait(10)
        self.done.append(("apply", order.region))
        if self.trouble:
            raise LabError(self.trouble)
        return 3

    def restore(self, world: World, region: str) -> None:
        self.done.append(("restore", region))
        if self.trouble:
            raise LabError(self.trouble)


class Other(Recorder):
    name = "other"
    ms = None
    cuts = False


class Replying(Recorder):
    name = "replying"
    layer = Layer.REPLY


class Running(Recorder):
    name = "running"
    layer = Layer.ENGINE


class Secret(Recorder):
    name = "secret"
    needs_tls = True


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two regions that were never started."""
    config, loop, stopping = LabConfig(tmp_path), FrontLoop(), threading.Event()
    loop.start()
    regions = {
        name: Region(name, config, TABLES, loop, synced=lambda _: True, changed=lambda: None, stopping=stopping)
        for name in config.regions
    }
    yield World(regions, NameServer(config.regions), Replication(config.regions, TABLES, lambda _: None))
    for region in regions.values():
        region.gate.end()
    loop.stop()


@pytest.fixture
def book(world: World, recorder: Recorder) -> Iterator[FaultBook]:
    others = (Other(), Secret(), Replying(), Running())
    for other in others:
        other.done = recorder.done
    book = FaultBook(world, kinds=(recorder, *others))
    book.start()
    yield book
    book.close()


def test_a_fault_is_shown_with_its_remaining_time_and_what_it_cut(book: FaultBook, recorder: Recorder):
    book.set(Order(EAST, "recorded", seconds=100, ms=5))
    (row,) = book.active()
    assert (row["region"], row["kind"], row["ms"], row["cut"]) == (EAST, "recorded", 5, 3)
    assert 90 < row["remaining_s"] <= 100
    assert recorder.done == [("apply", EAST)]


def test_a_kind_that_is_told_no_milliseconds_takes_its_own(book: FaultBook):
    assert book.set(Order(EAST, "recorded"))["ms"] == 7
    assert book.set(Order(WEST, "other"))["ms"] is None


def test_a_fault_ends_by_itself_and_is_mended_once(book: FaultBook, recorder: Recorder):
    book.set(Order(EAST, "recorded", seconds=0.05))
    wait_until(lambda: book.active() == [], within=20, what="the fault is over")
    assert recorder.done == [("apply", EAST), ("restore", EAST)]
    assert book.clear() == []


def test_a_fault_that_is_set_later_may_end_earlier(book: FaultBook):
    book.set(Order(EAST, "recorded", seconds=100))
    book.set(Order(WEST, "recorded", seconds=0.05))
    wait_until(lambda: len(book.active()) == 1, within=20, what="the short one is over")
    assert book.active()[0]["region"] == EAST


def test_clearing_one_region_leaves_the_other_broken(book: FaultBook, recorder: Recorder):
    book.set(Order(EAST, "recorded"))
    book.set(Order(WEST, "recorded"))
    assert [row["region"] for row in book.clear(EAST)] == [EAST]
    assert [row["region"] for row in book.active()] == [WEST]
    assert [row["region"] for row in book.clear()] == [WEST]
    assert recorder.done[-2:] == [("restore", EAST), ("restore", WEST)]


@pytest.mark.parametrize(
    ("order", "line"),
    [
        pytest.param(Order("mars", "recorded"), "unknown region 'mars': known are us-east-1, us-west-2", id="region"),
        pytest.param(
            Order(EAST, "flood"),
            "unknown fault 'flood': known are recorded, other, secret, replying, running",
            id="kind",
        ),
        pytest.param(Order(EAST, "other", ms=5), "^other takes no milliseconds$", id="milliseconds"),
        pytest.param(Order(EAST, "recorded", ms=1), "^recorded takes 2 to 9 milliseconds, not 1$", id="too few"),
        pytest.param(Order(EAST, "recorded", ms=10), "^recorded takes 2 to 9 milliseconds, not 10$", id="too many"),
        pytest.param(
            Order(EAST, "other", keep_connections=True),
            "^other cuts no connections, so there are none to keep$",
            id="connections to keep where none are cut",
        ),
        pytest.param(
            Order(EAST, "secret"),
            "^secret needs a lab with TLS: start it with LAB_TLS=1$",
            id="no TLS",
        ),
        pytest.param(Order(EAST, "recorded", seconds=0), "more than 0 and at most 3600 s, not 0", id="no time at all"),
        pytest.param(Order(EAST, "recorded", seconds=1e9), "more than 0 and at most 3600 s", id="for ever"),
        pytest.param(Order(EAST, "recorded", seconds=float("nan")), "more than 0 and at most", id="not a time"),
    ],
)
def test_an_order_that_cannot_be_carried_out_changes_nothing(book, recorder, order: Order, line: str):
    with pytest.raises(FaultRefused, match=line):
        book.set(order)
    assert (book.active(), recorder.done) == ([], [])


def test_clearing_an_unknown_region_is_refused_by_name(book: FaultBook):
    with pytest.raises(FaultRefused, match="unknown region 'mars'"):
        book.clear("mars")


@pytest.mark.parametrize("kind", ["recorded", "other"], ids=["of the same kind", "of another kind"])
def test_a_second_fault_in_a_layer_is_refused(book: FaultBook, kind: str):
    book.set(Order(EAST, "recorded", seconds=100))
    line = r"recorded is in force in us-east-1's dns layer for another \d+ s: clear it first"
    with pytest.raises(LayerTaken, match=line):
        book.set(Order(EAST, kind))
    assert [row["kind"] for row in book.active()] == ["recorded"]


def test_faults_of_different_layers_are_in_force_together_and_end_one_by_one(book: FaultBook):
    for kind in ("running", "recorded", "replying"):
        book.set(Order(EAST, kind))
    book.set(Order(WEST, "recorded"))
    assert [(row["layer"], row["kind"]) for row in book.active() if row["region"] == EAST] == [
        ("engine", "running"),
        ("dns", "recorded"),
        ("reply", "replying"),
    ]
    assert [row["kind"] for row in book.clear(EAST, "recorded")] == ["recorded"]
    assert [(row["region"], row["kind"]) for row in book.active()] == [
        (EAST, "running"),
        (EAST, "replying"),
        (WEST, "recorded"),
    ]
    assert book.clear(EAST, "recorded") == []
    assert [row["kind"] for row in book.clear(EAST)] == ["replying", "running"], "an engine comes back last"
    assert [row["region"] for row in book.clear(kind="recorded")] == [WEST]


def test_a_fault_that_ends_by_itself_leaves_those_of_other_layers(book: FaultBook):
    book.set(Order(EAST, "recorded", seconds=0.05))
    book.set(Order(EAST, "replying", seconds=100))
    wait_until(lambda: len(book.active()) == 1, within=20, what="the short one is over")
    assert book.active()[0]["kind"] == "replying"
    assert book.set(Order(EAST, "other"))["kind"] == "other", "its layer is free again"


def test_a_kind_that_does_not_exist_cannot_be_cleared(book: FaultBook):
    with pytest.raises(FaultRefused, match="unknown fault 'flood'"):
        book.clear(EAST, "flood")


def test_an_order_for_a_region_that_is_just_being_broken_is_refused(book: FaultBook, recorder: Recorder):
    recorder.hold.clear()
    first = threading.Thread(target=book.set, args=(Order(EAST, "recorded"),))
    first.start()
    wait_until(lambda: book.active() != [], within=20, what="the first order is being carried out")
    with pytest.raises(FaultRefused, match="is being broken or mended right now"):
        book.set(Order(EAST, "other"))
    recorder.hold.set()
    first.join(5)
    assert [row["kind"] for row in book.active()] == ["recorded"]


def test_a_fault_that_fails_half_way_is_mended_and_not_in_force(book: FaultBook, recorder: Recorder):
    class Clumsy(Recorder):
        def apply(self, world: World, order: Order) -> int:
            super().apply(world, order)
            raise LabError("the engine would not")

    clumsy = Clumsy()
    book._kinds["recorded"] = clumsy
    with pytest.raises(LabError, match="the engine would not"):
        book.set(Order(EAST, "recorded"))
    assert clumsy.done == [("apply", EAST), ("restore", EAST)]
    assert book.active() == []


def test_a_fault_that_cannot_be_mended_stays_in_the_book_until_it_can(book: FaultBook, recorder: Recorder):
    book.set(Order(EAST, "recorded"))
    book.set(Order(WEST, "other"))
    recorder.trouble = "the engine would not"
    with pytest.raises(LabError, match="recorded in us-east-1 could not be mended: the engine would not"):
        book.clear()
    assert [row["region"] for row in book.active()] == [EAST], "the other region's fault was mended all the same"
    recorder.trouble = None
    assert len(book.clear()) == 1
    assert book.active() == []


def test_a_closed_book_takes_no_orders(book: FaultBook, recorder: Recorder):
    book.close()
    with pytest.raises(FaultRefused, match="the lab is stopping"):
        book.set(Order(EAST, "recorded"))
    assert recorder.done == []
