"""Sets faults, at most one for each layer of a region, and ends each in time, so that none is forgotten."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from failover.lab.errors import FaultRefused, LabError, LabStopping, LayerTaken
from failover.lab.faults.kinds import KINDS, FaultKind, Layer, Order, World

LONGEST_S = 3600.0
IDLE_S = 60.0
"""How long the expiry thread waits while no fault is in force."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fault:
    """A fault that is in force.

    ``until`` is on the monotonic clock, ``cut`` is the number of connections that were reset.
    ``ending`` is set once its time is over. A fault that could not be mended stays ``ending`` until
    it is cleared.
    """

    order: Order
    layer: Layer
    until: float
    cut: int = 0
    ending: bool = False

    def row(self) -> dict[str, Any]:
        """The fault as the state document shows it."""
        return {
            "region": self.order.region,
            "kind": self.order.kind,
            "layer": self.layer,
            "seconds": self.order.seconds,
            "remaining_s": round(max(0.0, self.until - time.monotonic()), 1),
            "keep_connections": self.order.keep_connections,
            "ms": self.order.ms,
            "cut": self.cut,
        }


class FaultBook:
    """Sets, clears and ends faults, from any thread.

    It decides under ``_lock``. It breaks or mends a region outside it, under that region's own lock
    in ``_working``.
    """

    def __init__(self, world: World, *, kinds: Sequence[FaultKind] = KINDS) -> None:
        self._world = world
        self._kinds = {kind.name: kind for kind in kinds}
        self._active: dict[tuple[str, Layer], Fault] = {}
        self._working = {region: threading.Lock() for region in world.regions}
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._closing = False
        self._expiry = threading.Thread(target=self._expire, name="fault-expiry", daemon=True)

    def start(self) -> None:
        """Begin to end faults in time."""
        self._expiry.start()

    def close(self) -> None:
        """Forget every fault and take no more orders.

        Nothing is mended: the lab's parts are about to stop.
        """
        with self._lock:
            self._closing = True
            self._active.clear()
        self._changed.set()

    def active(self) -> list[dict[str, Any]]:
        """Every fault in force, as the state document shows it."""
        with self._lock:
            return [fault.row() for fault in self._active.values()]

    def set(self, order: Order) -> dict[str, Any]:
        """Break a region and return the fault's row.

        Raises FaultRefused, with nothing changed, and LabError, with the region mended, when it
        fails half-way.
        """
        order = self._checked(order)
        if not self._working[order.region].acquire(blocking=False):
            raise FaultRefused(f"{order.region} is being broken or mended right now: try again in a moment")
        try:
            fault = self._break(self._admit(order))
        finally:
            self._working[order.region].release()
        self._changed.set()
        log.info("fault %s set in %s for %g s", order.kind, order.region, order.seconds)
        return fault.row()

    def _admit(self, order: Order) -> Fault:
        """Put the fault down as in force, so that no other is set. Raises FaultRefused."""
        with self._lock:
            if self._closing:
                raise FaultRefused("the lab is stopping")
            layer = self._kinds[order.kind].layer
            if present := self._active.get((order.region, layer)):
                kind, remaining_s = present.order.kind, present.row()["remaining_s"]
                raise LayerTaken(
                    f"{kind} is in force in {order.region}'s {layer} layer for another {remaining_s:.0f} s: clear it "
                    "first"
                )
            fault = Fault(order, layer, until=time.monotonic() + order.seconds)
            self._active[order.region, layer] = fault
            return fault

    def _break(self, fault: Fault) -> Fault:
        order, kind = fault.order, self._kinds[fault.order.kind]
        try:
            fault = replace(fault, cut=kind.apply(self._world, order))
        except LabError:
            with self._lock:
                self._active.pop((order.region, kind.layer), None)
            kind.restore(self._world, order.region)
            raise
        with self._lock:
            self._active[order.region, kind.layer] = fault
        return fault

    def clear(self, region: str | None = None, kind: str | None = None) -> list[dict[str, Any]]:
        """End one kind of fault in a region, all faults of a region, or all; return their rows.

        Raises FaultRefused for an unknown region or kind. Raises LabError when a fault could not be
        ended; the others have ended then.
        """
        if region is not None and region not in self._world.regions:
            raise FaultRefused(self._unknown_region(region))
        if kind is not None and kind not in self._kinds:
            raise FaultRefused(self._unknown_kind(kind))
        with self._lock:
            faults = [
                fault
                for fault in self._active.values()
                if region in (None, fault.order.region) and kind in (None, fault.order.kind)
            ]
        mended, errors = [], []
        # Engines come last: one that comes back is compared with the others, for which replication must go on.
        for fault in sorted(faults, key=lambda fault: fault.layer is Layer.ENGINE):
            try:
                if self._mend(fault):
                    mended.append(fault.row())
            except LabError as error:
                errors.append(f"{fault.order.kind} in {fault.order.region} could not be mended: {error}")
        if errors:
            raise LabError("; ".join(errors))
        return mended

    def _mend(self, fault: Fault) -> bool:
        """Mend the region; False when the fault is no longer in force."""
        order = fault.order
        with self._working[order.region]:
            with self._lock:
                present = self._active.get((order.region, fault.layer))
                if self._closing or present is None or present.order is not order:
                    return False
            self._kinds[order.kind].restore(self._world, order.region)
            with self._lock:
                self._active.pop((order.region, fault.layer), None)
        log.info("fault %s in %s is over", order.kind, order.region)
        return True

    def _expire(self) -> None:
        """End every fault whose time is over, then wait for the next, until the lab stops."""
        while not self._closing:
            with self._lock:
                now = time.monotonic()
                waiting = [fault for fault in self._active.values() if not fault.ending]
                due = [fault for fault in waiting if fault.until <= now]
                next_end = min((fault.until for fault in waiting), default=now + IDLE_S)
                for fault in due:
                    self._active[fault.order.region, fault.layer] = replace(fault, ending=True)
            for fault in due:
                # In a thread of its own: an end that takes long must not delay the next.
                threading.Thread(target=self._end, args=(fault,), name="fault-end", daemon=True).start()
            if not due:
                self._changed.wait(max(0.0, next_end - now))
                self._changed.clear()

    def _end(self, fault: Fault) -> None:
        try:
            self._mend(fault)
        except LabStopping:
            return
        except LabError as error:
            log.error("%s in %s could not be mended: %s", fault.order.kind, fault.order.region, error)

    def _checked(self, order: Order) -> Order:
        """The order, with its kind's usual milliseconds where none were given. Raises FaultRefused."""
        if order.region not in self._world.regions:
            raise FaultRefused(self._unknown_region(order.region))
        kind = self._kinds.get(order.kind)
        if kind is None:
            raise FaultRefused(self._unknown_kind(order.kind))
        if kind.needs_tls and not self._world.tls:
            raise FaultRefused(f"{order.kind} needs a lab with TLS: start it with LAB_TLS=1")
        if order.keep_connections and not kind.cuts:
            raise FaultRefused(f"{order.kind} cuts no connections, so there are none to keep")
        if not 0 < order.seconds <= LONGEST_S:
            raise FaultRefused(f"a fault lasts more than 0 and at most {LONGEST_S:.0f} s, not {order.seconds:g}")
        return replace(order, ms=_milliseconds(kind, order))

    def _unknown_kind(self, kind: str) -> str:
        return f"unknown fault {kind!r}: known are {', '.join(self._kinds)}"

    def _unknown_region(self, region: str) -> str:
        return f"unknown region {region!r}: known are {', '.join(self._world.regions)}"


def _milliseconds(kind: FaultKind, order: Order) -> int | None:
    if kind.ms is None:
        if order.ms is not None:
            raise FaultRefused(f"{order.kind} takes no milliseconds")
        return None
    ms = kind.ms.usual if order.ms is None else order.ms
    if not kind.ms.least <= ms <= kind.ms.most:
        raise FaultRefused(f"{order.kind} takes {kind.ms.least} to {kind.ms.most} milliseconds, not {ms}")
    return ms
