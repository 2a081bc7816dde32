"""The API of `failover`, and the only module through which `polls` and the dashboard reach the
regions.

`write` and `read` run an operation in the region that the router picks, fail over by its rules, and
return a `Routed` result: the value, the region, every attempt with its reason and time. An
operation is a function of a `Bound` (the region's name, whether reads are to be strong). Within it,
models that derive from `RegionalModel` talk to that region. It may run more than once and in
several regions, so it returns plain values and never an open iterator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from failover import wiring
from failover.adapters.binding import RegionNotBound, bind, bound_region
from failover.adapters.clock import SystemClock
from failover.adapters.models import PutResult, RegionalModel, StoredJSON, TableSpec, stamp, tables
from failover.core import text
from failover.core.decisions import Decision
from failover.core.errors import (
    Attempt,
    FailoverError,
    NoRegionAnswered,
    Outcome,
    OutcomeUnknown,
    RefusedEverywhere,
    RoutingRefused,
    RoutingSuperseded,
)
from failover.core.ports import Bound, Clock, Consistency, Routed
from failover.core.status.types import StatusDocument
from failover.gateway.decide import RoutingUnknown, refuse_pin, route
from failover.gateway.everywhere import ask, ask_sparingly
from failover.gateway.refresher import Refresher
from failover.worker import trace

__all__ = [
    "Attempt",
    "Bound",
    "Consistency",
    "Decision",
    "FailoverError",
    "NoRegionAnswered",
    "Outcome",
    "OutcomeUnknown",
    "PutResult",
    "Refresher",
    "RefusedEverywhere",
    "RegionNotBound",
    "RegionalModel",
    "Routed",
    "RoutingRefused",
    "RoutingSuperseded",
    "RoutingUnknown",
    "StatusDocument",
    "StoredJSON",
    "TableSpec",
    "at",
    "bound_region",
    "clock",
    "everywhere",
    "read",
    "refuse_pin",
    "regions",
    "route",
    "stamp",
    "status",
    "tables",
    "text",
    "write",
]

T = TypeVar("T")

clock: Clock = SystemClock()


def write(op: Callable[[Bound], T], *, idempotent: bool) -> Routed[T]:
    """Runs a writing operation. `idempotent=True` promises that it may be repeated in any region
    without harm. Only then is the next region tried after an unknown outcome.

    Raises `NoRegionAnswered` when no region answered before the deadline, or its subclasses
    `OutcomeUnknown` and `RefusedEverywhere`. A refusal that is the caller's mistake is raised
    unchanged.
    """
    return _traced(wiring.current().router.call(op, idempotent=idempotent, on_attempt=_note))


def read(op: Callable[[Bound], T], *, consistency: Consistency = Consistency.EVENTUAL) -> Routed[T]:
    """Runs a reading operation; `Routed.given` says which consistency it got. Raises as `write`."""
    return _traced(wiring.current().router.read(op, consistency=consistency, on_attempt=_note))


def everywhere(op: Callable[[Bound], T], *, timeout: float, half_open: bool = False) -> dict[str, T]:
    """Runs `op` simultaneously in every region whose circuit lets traffic through. Returns the values
    of the regions that answered, by region.

    A half-open region gets one of these calls at a time, as long as another region's circuit is
    closed. With `half_open` it gets every call; use that only for rare calls that need every region.

    Waits at most `timeout` seconds. If no region has answered by then, the silent ones are asked once
    more over new connections, for half as long. If no region answered, raises the database's refusal
    when a region refused the operation as the caller's mistake, `RefusedEverywhere` when every
    configured region denied it, and `NoRegionAnswered` otherwise.
    """
    if half_open:
        answers = ask(wiring.current().router.order(), op, timeout=timeout)
    else:
        answers = ask_sparingly(op, timeout=timeout)
    if not answers.values:
        raise answers.error
    return answers.values


@contextmanager
def at(region: str) -> Iterator[Bound]:
    """Within the block, models talk to `region`, without routing: for commands and audits. Raises
    `ValueError` for an unknown region.
    """
    wired = wiring.current()
    if region not in wired.config.regions:
        raise ValueError(f"{region} is not one of {', '.join(wired.config.regions)}")
    with bind(region):
        yield Bound(region, strong=True)


def regions() -> tuple[str, ...]:
    """The configured regions by priority, this stack's own first."""
    return wiring.current().config.regions


def status() -> StatusDocument | None:
    """What this host's monitor published last, or None when no monitor has run here. Its
    `generated_at` says how old it is.
    """
    wired = wiring.current()
    published = wired.files.published(now=wired.clock.wall())
    return text.harmless_json(published.status) if published else None


def _note(attempt: Attempt) -> None:
    trace.note((attempt,), None)


def _traced(result: Routed[T]) -> Routed[T]:
    trace.note((), result.region)
    return result
