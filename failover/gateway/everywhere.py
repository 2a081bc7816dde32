"""One operation in several regions at once, beside the router: what each of them is to be asked or told."""

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
    """What came back: the value by region of those that answered, what became of the others, and the time it took."""

    values: dict[str, T]
    failures: Mapping[str, Failure]
    ms: float

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Those that failed."""
        return tuple(Attempt(r, f.outcome, self.ms, f.detail, f.error_class) for r, f in self.failures.items())

    @property
    def refusal(self) -> BaseException | None:
        """The first error that is the caller's own business."""
        return next((f.error for f in self.failures.values() if f.error_class is ErrorClass.CALLER), None)

    @property
    def error(self) -> BaseException:
        """What to raise where none answered: the caller's own business, that all that were asked refuse, or that none
        answered."""
        if self.refusal is not None:
            return self.refusal
        every = set(wiring.current().config.regions) == self.failures.keys()
        if every and all(one.error_class is ErrorClass.DENIED for one in self.failures.values()):
            return RefusedEverywhere(self.attempts)
        return NoRegionAnswered(self.attempts)

    @property
    def unsure(self) -> bool:
        """Whether a region may have done what it was told without our knowing."""
        return any(f.error_class is ErrorClass.UNKNOWN for f in self.failures.values())


def ask(regions: Sequence[str], op: Callable[[Bound], T], *, timeout: float) -> Answers[T]:
    """Runs `op` at once in all `regions`; none is waited for longer than `timeout` seconds. Where none has answered by
    then those that were sent it are asked once more, over new connections and for half as long: the pooled ones may be
    dead. Where all refuse for what they say of themselves or of us, the regions that were left out are asked instead.
    Never raises.
    """
    wired = wiring.current()
    started = wired.clock.monotonic()
    results = wired.runner.run_everywhere(regions, op, strong=False, timeout=timeout)
    if all(isinstance(one, Failure) and one.error_class is ErrorClass.DENIED for one in results.values()):
        left_out = [name for name in wired.config.regions if name not in results]
        results |= wired.runner.run_everywhere(left_out, op, strong=False, timeout=timeout)
    silent = [name for name, result in results.items() if _is_silent(result)]
    if silent and not any(isinstance(result, Success) for result in results.values()):
        results |= wired.runner.run_everywhere(silent, op, strong=False, timeout=timeout / 2, fresh=True)
    ms = (wired.clock.monotonic() - started) * 1000
    return Answers(
        {region: result.value for region, result in results.items() if isinstance(result, Success)},
        {region: result for region, result in results.items() if isinstance(result, Failure)},
        ms,
    )


def _is_silent(result: Success[T] | Failure) -> bool:
    """Whether a region was sent something and did not answer."""
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
    """As `ask`, of the regions that get traffic now. One that is being tried out (half-open) is asked by one call at a
    time, however long it hangs, as long as others are closed. Left out altogether it would never be asked again by a
    worker whose own traffic all goes elsewhere, so that no trial closes its circuit.
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
