"""Sets the routing: checks a person's decision, writes it to every region, and sees which one
holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeVar

from failover import wiring
from failover.adapters.control_store import read_decisions, write_decision, write_event
from failover.adapters.errors import classify
from failover.core.decisions import CLOCKS_DIFFER_S, Decision, Mode, actor_name, checked_reason, latest
from failover.core.errors import FailoverError, NoRegionAnswered, RoutingRefused, RoutingSuperseded
from failover.core.events import Event
from failover.core.phrases import phrase
from failover.core.ports import Bound
from failover.core.routing import plan
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import HealthState
from failover.core.status.routing_log import superseded
from failover.gateway.everywhere import ask

T = TypeVar("T")
ROUTING_TIMEOUT_S = 1.5
"""How long each read and each write of the control rows may take."""


class RoutingUnknown(NoRegionAnswered):
    """A routing change was sent, and no region said whether it took it."""

    _headline = phrase("no region said whether it took the decision")


class _Written(NamedTuple):
    """The regions that took a decision, the decision that holds now, and those that lost to it."""

    regions: tuple[str, ...]
    holds: Decision
    losers: tuple[Decision, ...]


def refuse_pin(region: str) -> str | None:
    """Why pinning `region` would be refused now, as a sentence, or None when it would not. A status
    that is too old refuses nothing.
    """
    return _refusal(region, forced=False)


def route(mode: Mode, region: str | None, *, actor: str, reason: str, force: bool = False) -> Decision:
    """Sets the routing in every region that answers. It holds until someone changes it.

    Raises
    - `ValueError` for a reason that is missing or cannot be kept, or a mode and region that do not
      go together;
    - `RoutingRefused` when a safety rule forbids it (and `force` was not given, or cannot help);
    - `RoutingSuperseded` when another person decided at the same moment and that decision holds, as
      far as that can be known then (the event log always says it);
    - `RoutingUnknown` when it was sent and no region said whether it took it, another
      `NoRegionAnswered` when no region answered, `FailoverError` when the database refused.
    """
    reason, actor = checked_reason(reason), actor_name(actor)
    epoch, overridden = _check(mode, region, force=force)
    for _ in range(2):
        decision = Decision(
            mode=mode,
            region=region,
            epoch=epoch + 1,
            id=uuid.uuid4().hex,
            actor=actor,
            reason=reason,
            at=wiring.current().clock.wall(),
            forced=overridden,
        )
        written = _write(decision)
        if written.holds.id == decision.id or decision.at - written.holds.at <= CLOCKS_DIFFER_S:
            break
        # An earlier decision holds, from a region that `_check` could not ask. Go above it, once.
        epoch = written.holds.epoch
    for loser in written.losers:
        # Two people decided at the same moment. No monitor may have seen the loser before it was
        # overwritten.
        with suppress(FailoverError):  # the decision stands, whether or not this can be logged
            _control(written.regions, partial(_log, superseded(loser, written.holds)))
    if written.holds.id != decision.id:
        raise RoutingSuperseded(
            phrase(
                "{winner} decided at the same moment, and that holds: {to} ({reason})",
                winner=written.holds.actor,
                to=written.holds.region or written.holds.mode,
                reason=written.holds.reason,
            )
        )
    return decision


def _check(mode: Mode, region: str | None, *, force: bool) -> tuple[int, bool]:
    """The highest known epoch, and whether a safety rule was overridden. Raises `RoutingRefused`."""
    wired = wiring.current()
    overridden = False
    if mode == "pinned" and region is not None:
        if refusal := _refusal(region, forced=force):
            raise RoutingRefused(refusal)
        overridden = force and _refusal(region, forced=False) is not None
    asked = tuple(dict.fromkeys([*wired.router.order(), *([region] if region else [])]))
    answers = _control(asked, lambda _: read_decisions())
    if region is not None and region not in answers:
        # The monitor needs three canaries to see a fault; a pin within those seconds is refused
        # here.
        if not force:
            raise RoutingRefused(
                phrase("{region} does not answer now, so the pin would send every vote on a detour.", region=region)
            )
        overridden = True
    epochs = [decision.epoch for decision in chain.from_iterable(answers.values())]
    published = wired.files.published(now=wired.clock.wall())
    if published is not None and published.view.decision is not None:
        # It may stand only in a region that does not answer now, where a lower epoch would not
        # hold.
        epochs.append(published.view.decision.epoch)
    return max(epochs, default=0), overridden


def _write(decision: Decision) -> _Written:
    """Writes the decision to every region, reads them again, and says which decision holds.

    Regions without traffic are written too: one that is back but not yet trusted must not keep an
    older decision.
    """
    met = _control(wiring.current().config.regions, lambda _: write_decision(decision), decides=True)
    known = [decision, *(older for older in met.values() if older is not None)]
    with suppress(FailoverError):  # the first of two writers meets nothing, and may be overwritten by now
        again = _control(tuple(met), lambda _: read_decisions(strong=True))
        known += chain.from_iterable(again.values())
    winner, losers = latest(known)
    return _Written(tuple(met), winner or decision, losers)


def _log(event: Event, _: Bound) -> None:
    write_event(event)


def _control(asked: tuple[str, ...], op: Callable[[Bound], T], *, decides: bool = False) -> dict[str, T]:
    """Runs `op` in the regions `asked`, and raises one of our own errors if none succeeded."""
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
    """What the safety rules say about a pin, by the monitor's status if that is recent."""
    wired = wiring.current()
    health = dict.fromkeys(wired.config.regions, HealthState.UNKNOWN)
    circuits = dict.fromkeys(wired.config.regions, CircuitState.CLOSED)
    now = wired.clock.wall()
    published = wired.files.published(now=now)
    if published is not None and published.fresh(now=now):
        for status in published.status["regions"]:
            if status["name"] in circuits:
                health[status["name"]] = HealthState(status["state"])
                circuits[status["name"]] = CircuitState(status["circuit"])
    return plan.refuse_pin(region, health=health, circuits=circuits, forced=forced)
