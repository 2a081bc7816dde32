"""The regions that one call asks, one after another, until one of them answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import TypeVar

from failover.core.errors import Attempt, Outcome
from failover.core.ports import Clock
from failover.core.routing.attempts import Choice, Job
from failover.core.routing.plan import Plan
from failover.core.routing.region_slots import RegionSlot
from failover.core.signals.breaker import CircuitState

T = TypeVar("T")
_CONGESTED = "others wait there, and none is answered"


class LastResort(IntEnum):
    """Why a region is asked, or asked again, after all that let the call through: in this order."""

    BESIDE_A_TRIAL = 0
    """Its circuit is half-open and another call is trying it: of all these the likeliest to answer."""
    PASSED_BY = 1
    """Other calls wait there, and none was answered lately."""
    CUT_SHORT = 2
    """A shortened attempt timed out there, which may have been about to answer."""
    OPEN = 3
    """Its circuit is open."""
    AFRESH = 4
    """A pooled connection failed there: once more, over a new one."""
    ONCE_MORE = 5
    """It was passed by or cut short as a last resort."""


class Candidates:
    """Finds the regions for a call. `host` gives the monitor's verdict on a region's circuit at a time; it is called
    under the lock."""

    def __init__(
        self,
        slots: Mapping[str, RegionSlot],
        *,
        host: Callable[[str, float], CircuitState | None],
        lock: threading.Lock,
        clock: Clock,
    ) -> None:
        self._slots = slots
        self._host = host
        self._lock = lock
        self._clock = clock

    def of(self, plan: Plan, job: Job[T]) -> Iterator[Choice]:
        """The regions that let this call through, and then, rather than fail it, those that do not.

        1. A region lets the call through when its circuit is closed, or half-open with no trial under way.
        2. It is passed by when it is congested and another region is still to be asked.
        3. When its circuit is half-open and its trial is under way, a share of the time is kept for it.
        4. When its circuit is open, it gets only time that remains.
        """
        passed_over: list[tuple[LastResort, str]] = []
        ahead, waiting = list(plan.order), 0
        for region in plan.preferred:
            if region in ahead:
                ahead.remove(region)
            with self._lock:
                now, slot = self._clock.monotonic(), self._slots[region]
                host = self._host(region, now)
                ticket = slot.admit(host, now)
                is_open = ticket is None and slot.state(host, now) is CircuitState.OPEN
                congested = ticket is not None and bool(ahead) and not ticket.patience_s
                if ticket is not None and congested:
                    slot.settle(ticket, None, now)
                    slot.count_congested()
            if ticket is not None and not congested:  # 1
                yield Choice(region, ticket, len(ahead), waiting)
                if region in job.cut_short:
                    passed_over.append((LastResort.CUT_SHORT, region))
                continue
            if congested:  # 2
                resort, why = LastResort.PASSED_BY, _CONGESTED
            elif not is_open:  # 3
                resort, why = LastResort.BESIDE_A_TRIAL, "another call is trying it"
                waiting += 1
            else:  # 4
                resort, why = LastResort.OPEN, "its circuit is open"
            passed_over.append((resort, region))
            if not plan.panic:
                job.note(Attempt(region, Outcome.SKIPPED, 0.0, why))
        yield from self._last_resorts(plan, job, passed_over)

    def _last_resorts(self, plan: Plan, job: Job[T], passed_over: list[tuple[LastResort, str]]) -> Iterator[Choice]:
        """The regions that were passed over, and those where a pooled connection failed, for as long as there are any.

        Among several whose circuit is open, the ailing ones come last. When one of them is congested and there is
        another one to ask, it is passed by or cut short, and asked once more at the end.
        """
        resorts = sorted(passed_over, key=lambda entry: (entry[0], entry[1] in plan.ailing))
        afresh = set[str]()
        while True:
            resorts += [(LastResort.AFRESH, name) for name in plan.preferred if name in job.pooled - afresh]
            resorts.sort(key=lambda entry: entry[0])
            afresh |= job.pooled
            if not resorts:
                return
            resort, region = resorts.pop(0)
            others = sum(other is resort for other, _ in resorts)
            ahead, waiting = (others, 0) if resort is LastResort.OPEN else (0, others)
            with self._lock:
                now, slot = self._clock.monotonic(), self._slots[region]
                ticket = slot.last_resort(now)
                congested = ahead > 0 and not ticket.patience_s
                if congested:
                    slot.settle(ticket, None, now)
                    slot.count_congested()
            if congested:
                job.note(Attempt(region, Outcome.SKIPPED, 0.0, _CONGESTED))
            else:
                yield Choice(region, ticket, ahead, waiting)
            if ahead and (congested or region in job.cut_short):
                resorts.append((LastResort.ONCE_MORE, region))
