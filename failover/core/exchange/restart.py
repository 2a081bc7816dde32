"""What a monitor that restarts goes on with: how long things had been as they were when its host's view was written.

Circuits are written as ages, since the monotonic times of one process mean nothing to the next one. Only the time from
the view to the restart is taken from wall clocks. It counts as zero when they were set back, so no age is below zero,
and no hold lasts longer than one that begins with the restart.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from failover.core.config import RouterConfig
from failover.core.signals.breaker import Circuit, CircuitState

_MALFORMED = (KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Past:
    """One circuit's past. `since_s`, `relapses_s` and `disputed_s` are ages in seconds when the view was written.

    It has been in its state for `since_s`, None where it never turned; live traffic last failed while canaries passed
    `disputed_s` ago, None for never. The others are those of `Circuit`, of `RegionFacts` and of `Health`.
    """

    since_s: float | None = None
    wait_s: float = 0.0
    openings: int = 0
    relapses_s: tuple[float, ...] = ()
    disputed_s: float | None = None
    quick_ms: float | None = None
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Serving:
    """The region that ordinary traffic goes to, and since when: seconds since the epoch, for people to read."""

    region: str
    since: float


def remembered(circuit: Circuit, *, disputed_at: float, quick_ms: float | None, sound: bool, now: float) -> Past:
    """A circuit's past as of `now`."""
    return Past(
        since_s=_ago(circuit.since, now),
        wait_s=circuit.wait_s,
        openings=circuit.openings,
        relapses_s=tuple(now - at for at in circuit.relapses),
        disputed_s=_ago(disputed_at, now),
        quick_ms=quick_ms,
        sound=sound,
    )


def resumed(state: CircuitState, reason: str, past: Past, *, config: RouterConfig, written_at: float) -> Circuit:
    """The circuit that was written at `written_at`, on the clock of the process that goes on with it.

    No wait is longer than any that `config` has: it may have changed meanwhile.
    """
    return Circuit(
        state=state,
        since=float("-inf") if past.since_s is None else written_at - past.since_s,
        wait_s=min(past.wait_s, config.flap_hold_s),
        openings=past.openings,
        reason=reason,
        relapses=tuple(written_at - age_s for age_s in past.relapses_s),
    )


def past_to_json(past: Past | None) -> dict[str, Any] | None:
    """A past as plain JSON values."""
    return None if past is None else asdict(past)


def past_from_json(document: Any) -> Past | None:
    """The past that was written; None for anything else, such as what another version or a broken disk left."""
    try:
        past = Past(
            since_s=_optional(document["since_s"]),
            wait_s=_number(document["wait_s"]),
            openings=int(_number(document["openings"])),
            relapses_s=tuple(map(_number, document["relapses_s"])),
            disputed_s=_optional(document["disputed_s"]),
            quick_ms=_optional(document["quick_ms"]),
            sound=bool(document["sound"]),
        )
    except _MALFORMED:
        return None
    turned = past.openings > 0
    return past if turned == (past.since_s is not None) == (past.wait_s > 0) else None


def serving_to_json(serving: Serving | None) -> dict[str, Any] | None:
    """The serving region as plain JSON values."""
    return None if serving is None else asdict(serving)


def serving_from_json(document: Any) -> Serving | None:
    """The serving region that was written; None for anything else."""
    try:
        return Serving(str(document["region"]), _number(document["since"]))
    except _MALFORMED:
        return None


def _ago(at: float, now: float) -> float | None:
    return now - at if isfinite(at) else None


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _number(value: Any) -> float:
    """A number that is not below zero. Raises one of `_MALFORMED` for anything else."""
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"neither an age nor a count: {value!r}")
    return number
