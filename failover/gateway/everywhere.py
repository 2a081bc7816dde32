"""Runs one operation in several regions at once, without the router."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from failover import wiring
from failover.adapters.runner import RegionBusy
from failover.core.errors import Attempt, ErrorClass, Failure, NoRegionAnswered, Outcome, RefusedEverywhere
from failover.core.ports import Bound, Success

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """The values by region, the failures by region, and the time that all of it took."""

    values: dict[str, T]
    failures: Mapping[str, Failure]
    ms: float

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The failed attempts."""
        return tuple(
            Attempt(region, failure.outcome, self.ms, failure.detail, failure.error_class)
            for region, failure in self.failures.items()
        )

    @property
    def refusal(self) -> BaseException | None:
        """The first error that is the caller's own mistake."""
        errors = (failure.error for failure in self.failures.values() if failure.error_class is ErrorClass.CALLER)
        return next(errors, None)

    @property
    def error(self) -> BaseException:
        """What to raise when no region answered: the caller's own mistake, that every configured
        region refused, or that no region answered.
        """
        if self.refusal is not None:
            return self.refusal
        every = set(wiring.current().config.regions) == self.failures.keys()
        if every and all(map(_is_denied, self.failures.values())):
            return RefusedEverywhere(self.attempts)
        return NoRegionAnswered(self.attempts)

    @property
    def unsure(self) -> bool:
        """Whether a region may have applied the operation without our knowing."""
        return any(failure.error_class is ErrorClass.UNKNOWN for failure in self.failures.values())


def ask(regions: Sequence[str], op: Callable[[Bound], T], *, timeout: float) -> Answers[T]:
    """Runs `op` at once in all `regions`, and waits at most `timeout` seconds. Never raises.

    When all of them deny the request (class E), the other configured regions are asked as well.
    When no region answered, the silent ones are asked once more over new connections, for half as
    long, because their pooled connections may be dead.
    """
    wired = wiring.current()
    started = wired.clock.monotonic()
    results = wired.runner.run_everywhere(regions, op, timeout=timeout)
    if all(map(_is_denied, results.values())):
        others = [name for name in wired.config.regions if name not in results]
        results |= wired.runner.run_everywhere(others, op, timeout=timeout)
    silent = [name for name, result in results.items() if _is_silent(result)]
    if silent and not any(isinstance(result, Success) for result in results.values()):
        results |= wired.runner.run_everywhere(silent, op, timeout=timeout / 2, fresh=True)
    ms = (wired.clock.monotonic() - started) * 1000
    return Answers(
        {region: result.value for region, result in results.items() if isinstance(result, Success)},
        {region: result for region, result in results.items() if isinstance(result, Failure)},
        ms,
    )


def _is_denied(result: Success[T] | Failure) -> bool:
    return isinstance(result, Failure) and result.error_class is ErrorClass.DENIED


def _is_silent(result: Success[T] | Failure) -> bool:
    """Whether a region was sent the request and did not answer."""
    return isinstance(result, Failure) and (result.pooled or result.outcome is Outcome.TIMEOUT)


class _Turns:
    """Lets one call at a time into a region. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def take(self, region: str) -> bool:
        with self._lock:
            free = region not in self._taken
            self._taken.add(region)
            return free

    def end(self, region: str) -> None:
        with self._lock:
            self._taken.discard(region)


_turns = _Turns()


def ask_sparingly(op: Callable[[Bound], T], *, timeout: float) -> Answers[T]:
    """As `ask`, for the regions that get traffic now. As long as another region's circuit is
    closed, a half-open region is asked by one call at a time, however long that hangs. It is not
    left out altogether: in a worker whose own traffic goes to other regions, no trial would ever
    close its circuit.
    """
    router = wiring.current().router
    asked, closed = router.order(), router.closed()
    mine = {region for region in asked if closed and region not in closed and _turns.take(region)}

    def in_turn(bound: Bound) -> T:
        try:
            return op(bound)
        finally:
            if bound.region in mine:
                _turns.end(bound.region)

    if closed:
        asked = tuple(region for region in asked if region in closed or region in mine)
    answers = ask(asked, in_turn, timeout=timeout)
    for region in mine & answers.failures.keys():
        if isinstance(answers.failures[region].error, RegionBusy):  # it never began
            _turns.end(region)
    return answers
