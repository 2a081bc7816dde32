"""The alarms of the event log: replication that is behind, and a configuration that every region refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from failover.core.config import RouterConfig
from failover.core.errors import refusals
from failover.core.events import AUTOMATIC, Event, EventKind
from failover.core.phrases import phrase
from failover.core.signals.lag import Lag
from failover.core.watching.evidence import Evidence
from failover.core.watching.facts import Misconfiguration

Lags = Mapping[tuple[str, str], Lag]
"""The lag from one region to another, by the names of both."""


class LagAlarms:
    """One alarm for each pair of regions. `ids` names events."""

    def __init__(self, config: RouterConfig, ids: Callable[[], str]) -> None:
        self._config = config
        self._ids = ids
        self._raised: set[tuple[str, str]] = set()

    def events(self, lags: Lags, wall: float) -> list[Event]:
        """What changed. An alarm is raised above the limit and cleared below half of it, so that a lag that sways about
        its limit is one alarm. An unknown lag neither raises nor clears it."""
        events = []
        for (origin, region), lag in lags.items():
            pair = (origin, region)
            limit_ms = self._config.lag_limit_ms / (2 if pair in self._raised else 1)
            if lag.ms is None or lag.within(limit_ms) != (pair in self._raised):
                continue
            self._raised ^= {pair}
            kind = EventKind.LAG_ALARM if pair in self._raised else EventKind.LAG_CLEARED
            reason = phrase("replication is {seconds:.1f} s behind", seconds=lag.ms / 1000)
            events.append(Event(self._ids(), wall, kind, origin, region, AUTOMATIC, reason, region))
        return events


class ConfigurationAlarm:
    """One alarm for as long as every region refuses something, however many calls that are. `ids` names events."""

    def __init__(self, evidence: Mapping[str, Evidence], config: RouterConfig, ids: Callable[[], str]) -> None:
        self._evidence = evidence
        self._config = config
        self._ids = ids
        self._denied_at = self._answered_at = float("-inf")
        self._raised = False

    def count(self, *, denied: bool, answered: bool, now: float) -> None:
        """Note that some call was refused by every region, and that some call was answered."""
        if denied:
            self._denied_at = now
        if answered:
            self._answered_at = now

    def refused(self, now: float) -> Misconfiguration | None:
        """What the regions say when every one of them refuses canaries, or lately refused one and the same call."""
        details = {name: evidence.health.refusal(now, self._config) for name, evidence in self._evidence.items()}
        if not all(details.values()):
            if now - self._denied_at > self._config.error_window_s:
                return None
            details = {name: evidence.refusal for name, evidence in self._evidence.items()}
        return Misconfiguration(refusals(details), entirely=self._denied_at > self._answered_at)

    def events(self, now: float, wall: float) -> list[Event]:
        """What changed."""
        refused = self.refused(now)
        if (refused is not None) == self._raised:
            return []
        self._raised = refused is not None
        if refused is None:
            kind, before, after = EventKind.CONFIGURATION_CLEARED, "alarm", "ok"
            reason = phrase("the regions refuse nothing any more")
        else:
            kind, before, after = EventKind.CONFIGURATION_ALARM, "ok", "alarm"
            reason = phrase("every region refuses calls: {refusal}", refusal=refused.detail)
        return [Event(self._ids(), wall, kind, before, after, AUTOMATIC, reason)]
