"""The only door to the regions, for `polls` and for the dashboard.

`write` and `read` run an operation in the region that the router picks, failing over by its rules, and return a
`Routed` result: the value, the region, every attempt with its reason and time. An operation is a function of a
`Bound` (the region's name, whether reads are to be strong); within it, models that derive from `RegionalModel` talk
to that region. It may run more than once and in several regions, so it returns plain values and never an open
iterator.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from failover import wiring
from failover.adapters.binding import RegionNotBound, bind, bound_region
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import read_decisions, write_decision, write_event
from failover.adapters.errors import classify
from failover.adapters.models import PutResult, RegionalModel, TableSpec, stamp, tables
from failover.core import text
from failover.core.decisions import CLOCKS_DIFFER_S, Decision, Mode, actor_name, checked_reason, latest
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
from failover.core.events import Event
from failover.core.phrases import phrase
from failover.core.ports import Bound, Clock, Consistency, Routed
from failover.core.routing.plan import refuse_pin as policy_refuse_pin
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import HealthState
from failover.core.status.routing_log import superseded
from failover.core.status.types import StatusDocument
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
ROUTING_TIMEOUT_S = 1.5

clock: Clock = SystemClock()


class RoutingUnknown(NoRegionAnswered):
    """A routing change that was sent, and nobody knows whether a region took it."""

    _headline = phrase("no region said whether it took the decision")


def write(op: Callable[[Bound], T], *, idempotent: bool) -> Routed[T]:
    """Runs a writing operation. `idempotent=True` says that repeating it in any region does no harm: only then does
    an unknown outcome fail over.

    Raises `NoRegionAnswered` when no region answered before the deadline, or its subclasses `OutcomeUnknown` and
    `RefusedEverywhere`; what the database refuses as the caller's own business is raised as it came.
    """
    return _traced(wiring.current().router.call(op, idempotent=idempotent, on_attempt=_note))


def read(op: Callable[[Bound], T], *, consistency: Consistency = Consistency.EVENTUAL) -> Routed[T]:
    """Runs a reading operation; `Routed.given` says which consistency it got. Raises as `write`."""
    return _traced(wiring.current().router.read(op, consistency=consistency, on_attempt=_note))


def everywhere(op: Callable[[Bound], T], *, timeout: float, half_open: bool = False) -> dict[str, T]:
    """Runs `op` at once in every region whose circuit lets traffic through; returns the value by region, of those
    that answered. One whose circuit is half-open is left out while another of these calls is under way there, as long
    as others are closed; not with `half_open`, which is for what is rare and wants every region.

    None is waited for longer than `timeout` seconds, and half as long again where none answered: then they are asked
    once more, over new connections. Raises `NoRegionAnswered` (`RefusedEverywhere`) when none answered, or the
    database's own refusal when that was all that came back.
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
    """Within the block, models talk to `region`, without routing: for commands and audits. Raises `ValueError` for an
    unknown region.
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
    """What this host's monitor published last, or None when none has run here. How old it is, its `generated_at`
    says.
    """
    wired = wiring.current()
    published = wired.files.published(now=wired.clock.wall())
    return text.harmless_json(published.status) if published else None


def refuse_pin(region: str) -> str | None:
    """Why pinning `region` would be refused now, as a sentence, or None when it would not. What a monitor said that is
    silent by now refuses nothing.
    """
    return _refusal(region, forced=False)


def route(mode: Mode, region: str | None, *, actor: str, reason: str, force: bool = False) -> Decision:
    """Sets the routing, in every region that answers; sticky until someone changes it.

    Raises `RoutingRefused` when a safety rule forbids it (and `force` was not given, or cannot help),
    `RoutingSuperseded` when somebody else decided at the same moment and that decision holds, as far as that can be
    known then (the event log always says it), `ValueError` for a reason that is missing or cannot be kept, or a mode
    and region that do not go together, `RoutingUnknown` when it was sent and no region said whether it took it, another
    `NoRegionAnswered` when no region did, `FailoverError` when the database refused.
    """
    reason, actor = checked_reason(reason), actor_name(actor)
    wired = wiring.current()
    overridden = False
    if mode == "pinned" and region is not None:
        refusal = _refusal(region, forced=force)
        if refusal is not None:
            raise RoutingRefused(refusal)
        overridden = force and _refusal(region, forced=False) is not None
    asked = tuple(dict.fromkeys([*wired.router.order(), *([region] if region else [])]))
    answers = _control(asked, lambda _: read_decisions())
    if region is not None and region not in answers:
        # The monitor needs three canaries to see a fault; who pins a region within those seconds is told as well.
        if not force:
            raise RoutingRefused(
                phrase("{region} does not answer now, so the pin would send every vote on a detour.", region=region)
            )
        overridden = True
    known = [decision for found in answers.values() for decision in found]
    published = wired.files.published(now=wired.clock.wall())
    if published is not None and published.view.decision is not None:
        # It may stand in a region alone that does not answer now; a lower epoch than its would change nothing.
        known.append(published.view.decision)
    for _ in range(2):
        winner, _none = latest(known)
        decision = Decision(
            mode=mode,
            region=region,
            epoch=(winner.epoch if winner else 0) + 1,
            id=uuid.uuid4().hex,
            actor=actor,
            reason=reason,
            at=wired.clock.wall(),
            forced=overridden,
        )
        # Also where no traffic goes now: a region that is back but not yet trusted must not keep an older decision.
        met = _control(wired.config.regions, partial(_write, decision), decides=True)
        known = [decision, *(one for one in met.values() if one is not None)]
        with suppress(FailoverError):  # who wrote first has met nobody; it may be another's by now
            again = _control(tuple(met), lambda _: read_decisions(strong=True))
            known += [one for found in again.values() for one in found]
        winner, lost = latest(known)
        holds = winner or decision
        if holds.id == decision.id or decision.at - holds.at <= CLOCKS_DIFFER_S:
            break
        # It stood in a region that was not asked: no other wish of this moment, and to be followed by a later one.
    for one in lost:
        # Two people decided at the same moment, and no monitor may have seen the loser before it was overwritten.
        with suppress(FailoverError):  # the decision stands, whether or not this can be logged
            _control(tuple(met), partial(_log, superseded(one, holds)))
    if holds.id != decision.id:
        raise RoutingSuperseded(
            phrase(
                "{winner} decided at the same moment, and that holds: {to} ({reason})",
                winner=holds.actor,
                to=holds.region or holds.mode,
                reason=holds.reason,
            )
        )
    return decision


def _write(decision: Decision, _: Bound) -> Decision | None:
    return write_decision(decision)


def _log(event: Event, _: Bound) -> None:
    write_event(event)


def _control(asked: tuple[str, ...], op: Callable[[Bound], T], *, decides: bool = False) -> dict[str, T]:
    """`op` on the control rows of the regions; what the database refuses becomes one of our own errors."""
    answers = ask(asked, op, timeout=ROUTING_TIMEOUT_S)
    if answers.values:
        return answers.values
    if decides and answers.unsure:
        raise RoutingUnknown(answers.attempts)
    if answers.refusal is None:
        raise answers.error
    detail = classify(answers.refusal).detail
    raise FailoverError(phrase("the control table cannot be used: {detail}", detail=detail)) from answers.refusal


def _refusal(region: str, *, forced: bool) -> str | None:
    wired = wiring.current()
    health = dict.fromkeys(wired.config.regions, HealthState.UNKNOWN)
    circuits = dict.fromkeys(wired.config.regions, CircuitState.CLOSED)
    now = wired.clock.wall()
    published = wired.files.published(now=now)
    if published is not None and published.fresh(now=now):
        for one in published.status["regions"]:
            if one["name"] in circuits:
                health[one["name"]] = HealthState(one["state"])
                circuits[one["name"]] = CircuitState(one["circuit"])
    return policy_refuse_pin(region, health=health, circuits=circuits, forced=forced)


def _note(attempt: Attempt) -> None:
    trace.note((attempt,), None)


def _traced(result: Routed[T]) -> Routed[T]:
    trace.note((), result.region)
    return result
