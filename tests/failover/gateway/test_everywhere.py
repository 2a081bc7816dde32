"""What is asked of every region: a half-open one gets one such call at a time, and is not forgotten either."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from failover import gateway, wiring
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.signals.breaker import CircuitState
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.waiting import wait_until

OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED
BOTH = {EAST: EAST, WEST: WEST}
Says = Callable[[CircuitState, CircuitState], None]


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Says]:
    """Says which state the circuits of us-east-1 and us-west-2 have. No operation here reaches a region."""
    with wiring.using(faulty.make_config(tmp_path, {EAST: 9, WEST: 9})) as wired:

        def say(east: CircuitState, west: CircuitState) -> None:
            view = HostView(None, {EAST: HostCircuit(east), WEST: HostCircuit(west)})
            wired.files.publish(view, {}, at=wired.clock.wall())  # type: ignore[typeddict-item]  # only the view counts
            wired.follower.step()

        yield say


class Hung:
    """An operation that hangs in us-east-1 until it is let go."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._inside = threading.Semaphore(0)
        self._pool = ThreadPoolExecutor(8)

    def __call__(self, bound: gateway.Bound) -> str:
        if bound.region == EAST:
            self._inside.release()
            assert self._go.wait(30)
        return bound.region

    def begin(self, *, half_open: bool = False) -> Future[dict[str, str]]:
        """A call in a thread of its own, which has reached us-east-1."""
        call = self._pool.submit(gateway.everywhere, self, timeout=30, half_open=half_open)
        assert self._inside.acquire(timeout=30)
        return call

    def let_go(self) -> None:
        self._go.set()


@pytest.fixture
def hung() -> Iterator[Hung]:
    operation = Hung()
    yield operation
    operation.let_go()
    operation._pool.shutdown()


def here(bound: gateway.Bound) -> str:
    return bound.region


def asked(*, half_open: bool = False) -> dict[str, str]:
    return gateway.everywhere(here, timeout=30, half_open=half_open)


def test_a_half_open_region_is_asked_by_one_call_at_a_time(monitor: Says, hung: Hung) -> None:
    monitor(HALF_OPEN, CLOSED)
    first = hung.begin()
    assert [asked() for _ in range(5)] == [{WEST: WEST}] * 5
    hung.let_go()
    assert first.result(30) == BOTH
    assert asked() == BOTH, "its turn is over"


def test_a_turn_lasts_until_the_call_itself_has_ended_whoever_has_given_up_on_it(monitor: Says, hung: Hung) -> None:
    monitor(HALF_OPEN, CLOSED)
    assert gateway.everywhere(hung, timeout=0.05) == {WEST: WEST}
    assert asked() == {WEST: WEST}
    hung.let_go()
    wait_until(lambda: asked() == BOTH, within=30, what="us-east-1 is asked again")


def test_a_turn_that_could_not_begin_is_over_at_once(monitor: Says, hung: Hung) -> None:
    monitor(HALF_OPEN, CLOSED)
    calls = [hung.begin(half_open=True) for _ in range(4)]  # every thread that the region may hold

    def only_west_answers() -> bool:
        try:
            return asked() == {WEST: WEST}
        except gateway.NoRegionAnswered:
            return False  # the threads of us-west-2 are not all back yet

    wait_until(only_west_answers, within=30, what="us-west-2 has a free thread")
    hung.let_go()
    assert [call.result(30) for call in calls] == [BOTH] * 4
    assert asked() == BOTH


def test_what_is_rare_asks_a_half_open_region_whoever_else_does(monitor: Says, hung: Hung) -> None:
    monitor(HALF_OPEN, CLOSED)
    hung.begin()
    assert asked(half_open=True) == BOTH


@pytest.mark.parametrize(("east", "west"), [(HALF_OPEN, HALF_OPEN), (HALF_OPEN, OPEN), (OPEN, OPEN), (CLOSED, CLOSED)])
def test_where_no_other_circuit_is_closed_or_all_are_nobody_waits_for_a_turn(
    east: CircuitState, west: CircuitState, monitor: Says, hung: Hung
) -> None:
    monitor(east, west)
    hung.begin()
    assert EAST in asked()


def test_an_open_region_is_not_asked(monitor: Says) -> None:
    monitor(OPEN, CLOSED)
    assert asked() == {WEST: WEST}


def test_a_failed_call_ends_its_turn_too(monitor: Says) -> None:
    monitor(HALF_OPEN, CLOSED)

    def breaks(bound: gateway.Bound) -> str:
        if bound.region == EAST:
            raise ConnectionResetError
        return bound.region

    assert [gateway.everywhere(breaks, timeout=30) for _ in range(2)] == [{WEST: WEST}] * 2
    assert asked() == BOTH
