"""Large shards are counted aside, so that no batch of signals waits while they rest. Standard library only."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from polls.tallies.ports import Clock, Shard

AGAIN_S = 1.0  # before a shard that could not be counted has another turn

log = logging.getLogger(__name__)


class Aside:
    """Shards that wait to be counted, and a thread that counts them one after another with `count`, which returns those
    that could not be counted.

    A shard that is signalled while it waits is counted once, one that is signalled while it is being counted once more.
    What waits is lost with the process, as a signal may be: a sweep finds it.
    """

    def __init__(self, count: Callable[[Iterable[Shard]], frozenset[Shard]], *, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._waiting: dict[Shard, None] = {}  # in the order in which they came
        self._came = threading.Condition()
        threading.Thread(target=self._work, name="aside", daemon=True).start()

    def put(self, shard: Shard) -> None:
        """Let this shard be counted, behind those that wait already."""
        with self._came:
            self._waiting.setdefault(shard)
            self._came.notify()

    def _work(self) -> None:
        while True:
            with self._came:
                self._came.wait_for(lambda: self._waiting)
                shard = next(iter(self._waiting))
                del self._waiting[shard]
            try:
                failed = self._count([shard])
            except Exception:  # of this shard alone: the others must not wait for a thread that has ended
                log.exception("%s was not counted; a sweep will try again", shard)
                continue
            if failed:
                self._clock.wait(AGAIN_S)
                self.put(shard)
