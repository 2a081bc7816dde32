"""The events that wait to be written to the event log, which any region can take."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from failover.core.events import Event

log = logging.getLogger(__name__)
WAITING_MOST = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event, and the regions that have refused it."""

    event: Event
    refused_by: frozenset[str] = frozenset()


class Outbox:
    """Hands each event to one region at a time, until a region takes it or all `regions` have
    refused it. When more than `most` events wait, the oldest are lost. Thread-safe.
    """

    def __init__(self, regions: Iterable[str], *, most: int = WAITING_MOST) -> None:
        self._regions = frozenset(regions)
        self._most = most
        self._lock = threading.Lock()
        self._queue: deque[Waiting] = deque()

    def put(self, event: Event) -> None:
        """Adds a new event."""
        self.put_back(Waiting(event))

    def put_back(self, waiting: Waiting) -> None:
        """Adds an event that could not be written now."""
        with self._lock:
            self._queue.append(waiting)
            oldest = self._queue.popleft() if len(self._queue) > self._most else None
        if oldest is not None:
            _log_loss(oldest, "too many wait")

    def refused(self, waiting: Waiting, region: str, error: BaseException) -> None:
        """Notes that `region` will never take this event. It waits for the other regions; if all
        have refused it, it is lost.
        """
        waiting = replace(waiting, refused_by=waiting.refused_by | {region})
        if waiting.refused_by >= self._regions:
            _log_loss(waiting, error)
        else:
            self.put_back(waiting)

    def take(self, region: str) -> Waiting | None:
        """Removes and returns the oldest event that `region` has not refused. The caller writes it
        or puts it back.
        """
        with self._lock:
            waiting = next((entry for entry in self._queue if region not in entry.refused_by), None)
            if waiting is not None:
                self._queue.remove(waiting)
            return waiting


def _log_loss(waiting: Waiting, why: object) -> None:
    details = {"event": "event-refused", "id": waiting.event.id, "error": why}
    log.warning("the event %(id)s cannot be logged: %(error)s", details)
