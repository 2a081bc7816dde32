"""Routing: which region comes first, and which wishes are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from failover.core.decisions import Decision
from failover.core.phrases import Phrase, phrase
from failover.core.regions import Region
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import HealthState


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
