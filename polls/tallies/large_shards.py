"""Large shards are counted in a thread of their own, so that no batch of signals waits while they
rest.

Standard library only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from polls.tallies.ports import Clock, Shard

AGAIN_S = 1.0  # before a shard that could not be counted is queued again

log = logging.getLogger(__name__)


class LargeShards:
    """A queue of shards, and a thread that counts them one after another with `count`, which
    returns the shards that could not be counted.

    A shard that is signalled while it waits is counted once; one that is signalled while it is
    being counted is counted once more. The queue is lost with the process, as a signal may be: a
    sweep finds those shards.
    """

    def __init__(self, count: Callable[[Iterable[Shard]], frozenset[Shard]], *, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._waiting: dict[Shard, None] = {}  # in the order in which they came
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="large-shards", daemon=True).start()

    def put(self, shard: Shard) -> None:
        """Queue this shard, behind those that wait already."""
        with self._changed:
            self._waiting.setdefault(shard)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                shard = next(iter(self._waiting))
                del self._waiting[shard]
            try:
                failed = self._count([shard])
            except Exception:  # the thread must live on: other shards wait for it
                log.exception("%s was not counted; a sweep will try again", shard)
                continue
            if failed:
                self._clock.wait(AGAIN_S)
                self.put(shard)
