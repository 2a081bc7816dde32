"""The events that wait to be written to the log of any region."""

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
    """An event, and the regions that would not take it."""

    event: Event
    refused_by: frozenset[str] = frozenset()


class Outbox:
    """Hands each event to one region at a time, until one takes it or all `regions` have refused it. Of more than
    `most` the oldest are lost. Thread-safe.
    """

    def __init__(self, regions: Iterable[str], *, most: int = WAITING_MOST) -> None:
        self._regions = frozenset(regions)
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[Waiting] = deque()

    def put(self, event: Event) -> None:
        """A new event."""
        self.put_back(Waiting(event))

    def put_back(self, waiting: Waiting) -> None:
        """What could not be written now."""
        with self._lock:
            self._waiting.append(waiting)
            lost = self._waiting.popleft() if len(self._waiting) > self._most else None
        if lost is not None:
            _lost(lost, "too many wait")

    def refused(self, waiting: Waiting, region: str, error: BaseException) -> None:
        """`region` would not take it, now or later: the others are left to ask, or it is lost."""
        waiting = replace(waiting, refused_by=waiting.refused_by | {region})
        if waiting.refused_by >= self._regions:
            _lost(waiting, error)
        else:
            self.put_back(waiting)

    def take(self, region: str) -> Waiting | None:
        """The next one that `region` has not refused, for nobody else meanwhile."""
        with self._lock:
            found = next((one for one in self._waiting if region not in one.refused_by), None)
            if found is not None:
                self._waiting.remove(found)
            return found


def _lost(waiting: Waiting, why: object) -> None:
    told = {"event": "event-refused", "id": waiting.event.id, "error": why}
    log.warning("the event %(id)s cannot be logged: %(error)s", told)
