"""A clock that moves only when a caller waits, and a runner that plays a script.

They keep the promises of the real ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.ports import Bound, Success

T = TypeVar("T")


class FakeClock:
    """Stands still until a caller waits. Starts on 20 October 2025, 07:00 UTC."""

    def __init__(self, *, monotonic: float = 1000.0, wall: float = 1_760_943_600.0) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return self._monotonic

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def wait(self, seconds: float) -> None:
        """Let that much time pass at once."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._monotonic += seconds
        self._wall += seconds


@dataclass(frozen=True, slots=True)
class Step:
    """What a region does with one attempt: it fails in this way (None: it answers), after so many seconds."""

    failure: Failure | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt that the runner was asked for."""

    region: str
    strong: bool
    timeout: float
    fresh: bool = False


def fails(error_class: ErrorClass, *, seconds: float = 0.0, error: BaseException | None = None) -> Step:
    """A step that fails in the usual way of its class."""
    outcome = {
        ErrorClass.NOT_SENT: Outcome.DNS,
        ErrorClass.UNKNOWN: Outcome.SERVER_ERROR,
        ErrorClass.REFUSED: Outcome.THROTTLED,
        ErrorClass.CALLER: Outcome.DENIED,
        ErrorClass.DENIED: Outcome.DENIED,
    }[error_class]
    failure = Failure(error_class, outcome, "as the script says", error or RuntimeError(outcome.value))
    return Step(failure, seconds)


def answers(*, seconds: float = 0.0) -> Step:
    """A step that runs the operation."""
    return Step(None, seconds)


@dataclass
class ScriptedRunner:
    """Plays each region's steps in turn, then its `steady` step for ever (an answer at once unless told otherwise)."""

    clock: FakeClock
    script: dict[str, deque[Step]] = field(default_factory=dict)
    steady: dict[str, Step] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)

    def renew(self, region: str) -> None:
        """Note it."""
        self.renewed.append(region)

    def plays(self, region: str, *steps: Step) -> None:
        """Queue steps for a region."""
        self.script.setdefault(region, deque()).extend(steps)

    def always(self, region: str, step: Step) -> None:
        """What a region does once its queue is empty."""
        self.steady[region] = step

    def run(self, region: str, op: Callable[[Bound], T], bound: Bound, timeout: float) -> Success[T] | Failure:
        """Never raises and never takes longer than `timeout` seconds of the fake clock."""
        step = self.next_step(region, bound, timeout)
        if step.seconds >= timeout:
            self.clock.wait(timeout)
            return Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, f"no answer in {timeout:.3f} s", TimeoutError())
        self.clock.wait(step.seconds)
        if step.failure is not None:
            return step.failure
        try:
            return Success(op(bound))
        except Exception as exc:  # the contract: whatever an operation raises becomes a failure
            return Failure(ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, repr(exc), exc)

    def next_step(self, region: str, bound: Bound, timeout: float) -> Step:
        """What the region does now. A fake that decides it otherwise overrides this alone."""
        self.calls.append(Call(region, bound.strong, timeout, bound.fresh))
        queued = self.script.get(region)
        return queued.popleft() if queued else self.steady.get(region, Step())
