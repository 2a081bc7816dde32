"""One operation in several regions at once, beside the router: what each of them is to be asked or told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from . import wiring
from .core.errors import Attempt, ErrorClass, Failure
from .core.interfaces import Bound, Success

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
    def unsure(self) -> bool:
        """Whether a region may have done what it was told without our knowing."""
        return any(f.error_class is ErrorClass.UNKNOWN for f in self.failures.values())


def ask(regions: Sequence[str], op: Callable[[Bound], T], *, timeout: float) -> Answers[T]:
    """Runs `op` at once in all `regions`; none is waited for longer than `timeout` seconds. Never raises."""
    wired = wiring.current()
    started = wired.clock.monotonic()
    results = wired.runner.run_everywhere(regions, op, strong=False, timeout=timeout)
    ms = (wired.clock.monotonic() - started) * 1000
    return Answers(
        {region: result.value for region, result in results.items() if isinstance(result, Success)},
        {region: result for region, result in results.items() if isinstance(result, Failure)},
        ms,
    )
