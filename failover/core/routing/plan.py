"""Routing: which decision holds, which region comes first, and which wishes are refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

from failover.core.config import RouterConfig
from failover.core.phrases import Phrase, phrase
from failover.core.regions import Region
from failover.core.signals.breaker import Circuit, CircuitState
from failover.core.signals.health import Health, HealthState
from failover.core.text import harm, harmless, is_empty, tidy

Mode = Literal["auto", "pinned"]
CLOCKS_DIFFER_S = 10.0
"""Two hosts' clocks may differ by so much without an event being wrong. No decision is ever made by a clock."""
LONGEST_REASON = 200
LONGEST_ACTOR = 150
"""Characters; Django's account names are no longer."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided: follow the rules (`auto`) or a first choice (`pinned`). `at` is seconds since the epoch.

    It is sticky: only a later decision ends it. `forced` records that a safety rule was overridden.
    """

    mode: Mode
    region: str | None
    epoch: int
    id: str
    actor: str
    reason: str
    at: float
    forced: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "pinned"):
            raise ValueError(f"a routing mode is auto or pinned, not {self.mode!r}")
        if (self.mode == "pinned") != (self.region is not None):
            raise ValueError("a pin names its region, auto names none")

    @property
    def rank(self) -> tuple[int, float, str]:
        """Every reader agrees on the highest: the epoch, then the later one, then the id."""
        return (self.epoch, self.at, self.id)


def checked_reason(text: str) -> str:
    """The reason of a decision, as it is kept. Raises ValueError, with a phrase, for one that cannot be kept."""
    reason = tidy(text)
    if is_empty(reason):
        raise ValueError(phrase("a reason is needed"))
    if len(reason) > LONGEST_REASON:
        raise ValueError(phrase("the reason is longer than {most} characters", most=LONGEST_REASON))
    if (character := harm(reason)) is not None:
        raise ValueError(phrase("the reason holds a character that cannot be shown: {character}", character=character))
    return reason


def actor_name(text: str) -> str:
    """Who decided, as it can be shown: nobody chooses the name that an operating system has for them."""
    name = harmless(tidy(text), most=LONGEST_ACTOR)
    return "unknown" if is_empty(name) else name


def latest(decisions: Iterable[Decision]) -> tuple[Decision | None, tuple[Decision, ...]]:
    """The decision that holds, and those that it supersedes without its maker having known of them.

    Superseded are the others of the same epoch, and those of a lower epoch that were made later: both come only from
    two people who decided on two sides of a split. An earlier decision of a lower epoch was simply followed by another;
    "later" is by more than hosts' clocks may differ, since each decision bears the time of the host it was made on.
    """
    distinct = {decision.id: decision for decision in decisions}
    if not distinct:
        return None, ()
    ranked = sorted(distinct.values(), key=lambda decision: decision.rank, reverse=True)
    winner, losers = ranked[0], ranked[1:]
    return winner, tuple(one for one in losers if one.epoch == winner.epoch or one.at - winner.at > CLOCKS_DIFFER_S)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which regions a call meets, in which order.

    `preferred` has every region, by pin and priority alone; `order` those that are let through now (all of them in a
    panic, never none); `active` is the region that ordinary traffic goes to. `ailing` are those whose canaries
    fail or that are behind: of the regions that no circuit lets through they are asked last.
    """

    preferred: tuple[str, ...]
    order: tuple[str, ...]
    active: str
    panic: bool
    ailing: frozenset[str] = frozenset()

    @property
    def home(self) -> str:
        """The region that everything would go to if all were well."""
        return self.preferred[0]


def plan(
    regions: Sequence[Region],
    circuits: Mapping[str, CircuitState],
    decision: Decision | None,
    ailing: frozenset[str] = frozenset(),
) -> Plan:
    """The pinned region, else the regions (given by priority), without those whose circuit is open; all when all are,
    the `ailing` ones last.

    A half-open region keeps its place in the order (it gets single trials there) but is active only when no closed
    one is left. A pin to a region that is not configured is no pin.
    """
    pinned = decision.region if decision is not None else None
    names = [region.name for region in regions]
    preferred = (pinned, *(name for name in names if name != pinned)) if pinned in names else tuple(names)
    order = tuple(name for name in preferred if circuits[name] is not CircuitState.OPEN)
    closed = [name for name in order if circuits[name] is CircuitState.CLOSED]
    panic = not order
    order = order or tuple(sorted(preferred, key=ailing.__contains__))
    return Plan(preferred=preferred, order=order, active=(closed or order)[0], panic=panic, ailing=ailing)


def refuse_pin(
    region: str,
    *,
    health: Mapping[str, HealthState],
    circuits: Mapping[str, CircuitState],
    forced: bool = False,
) -> Phrase | None:
    """Why this pin must not be set, as a sentence, or None when it may.

    `circuits` has every configured region. A force overrides the safety rules, not a name that does not exist.
    """
    if region not in circuits:
        return phrase(
            "{region} is not one of the configured regions ({regions}).", region=region, regions=", ".join(circuits)
        )
    if forced:
        return None
    if health.get(region) is HealthState.UNREACHABLE:
        return phrase(
            "{region} is unreachable: its canaries fail, so the pin would send every vote on a detour.", region=region
        )
    if circuits[region] is CircuitState.OPEN:
        return phrase(
            "{region}'s circuit is open: live traffic or canaries failed there, so no vote would go to it.",
            region=region,
        )
    others_usable = any(state is not CircuitState.OPEN for name, state in circuits.items() if name != region)
    if health.get(region) is not HealthState.HEALTHY and not others_usable:
        return phrase(
            "{region} is not known to be healthy and no other region is usable: the pin would leave no region.",
            region=region,
        )
    return None


@dataclass(frozen=True, slots=True)
class Failback:
    """What must hold before an open region gets trials again. Each condition is explained on its own."""

    held: bool
    canaries: bool
    lag: bool
    pace: bool = True

    @property
    def met(self) -> bool:
        """Whether all hold."""
        return self.held and self.canaries and self.lag and self.pace

    @property
    def waits_for(self) -> Phrase:
        """What is still missing, in words that can follow "waits for"."""
        conditions = (
            (phrase("the end of its hold"), self.held),
            (phrase("more canaries"), self.canaries),
            (phrase("replication"), self.lag),
            (phrase("quick answers"), self.pace),
        )
        missing = [words for words, holds in conditions if not holds] or [phrase("its turn")]
        return reduce(lambda some, more: phrase("{some} and {more}", some=some, more=more), missing)


def failback(
    circuit: Circuit, health: Health, *, lag: bool, config: RouterConfig, now: float, pace: bool = True
) -> Failback:
    """The conditions for an open circuit. `lag`: whether every lag into the region is known and below its limit;
    `pace`: whether a region that was too slow answers its canaries quickly again."""
    enough = health.passes >= config.canaries_to_close and health.passing(now, config)
    return Failback(held=circuit.waited(now), canaries=enough, lag=lag, pace=pace)
