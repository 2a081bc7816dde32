"""Runs the links: one thread for each direction, which reads the streams several times per second.

At every step a link gets the present incarnations of its two regions, so a restarted engine gets a
new Replica and never an old iterator. An engine that is down is tried again at the next step.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import permutations
from typing import Any

from botocore.exceptions import ClientError

from failover.lab.errors import ReplicaDown
from failover.lab.replication.link import Link, Replica, ReplicatedTable
from failover.lab.tables import TableSpec, key_names, replicated

POLL_S = 0.1
"""Pause between two steps.

It makes a lag of 0.1 s, or of 0.4 s for the first item after a second without any.
"""

log = logging.getLogger(__name__)
Lookup = Callable[[str], Replica | None]


class Replication:
    """All links of the lab.

    ``replica_of(region)`` gives the region's present incarnation, None while it is down.
    """

    def __init__(self, regions: Sequence[str], tables: Sequence[TableSpec], replica_of: Lookup) -> None:
        copied = [ReplicatedTable(table.name, key_names(table)) for table in replicated(tables)]
        self._replica_of = replica_of
        self._links = {pair: Link(copied, wall=time.time) for pair in permutations(regions, 2)}
        self._paused: set[str] = set()
        self._delays_ms: dict[str, int] = {}
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=pair, name=f"{pair[0]}>{pair[1]}", daemon=True)
            for pair in self._links
        ]

    def start(self) -> None:
        """Begin to copy."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Copy no more. The next lab's scan finds what was read and not yet written."""
        self._closing.set()

    def join(self) -> None:
        """Wait for the threads. One may be in a call to an engine: the engine's end ends the call."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(6)

    def add(self, table: TableSpec) -> None:
        """Copy another table too, from now on. It must exist."""
        for link in self._links.values():
            link.add(ReplicatedTable(table.name, key_names(table)))

    def remove(self, name: str) -> None:
        """Copy a table no more."""
        for link in self._links.values():
            link.remove(name)

    def pause(self, region: str, paused: bool) -> None:
        """Copy nothing into or out of a region, or copy again."""
        (self._paused.add if paused else self._paused.discard)(region)

    def delay(self, region: str, ms: int) -> None:
        """Delay every item into and out of a region by ``ms``.

        With 0, items that are being delayed go on at once.
        """
        self._delays_ms[region] = ms

    def delay_ms(self, source: str, target: str) -> int:
        """How long an item of this direction is delayed: the longer of its two regions' delays."""
        return max(self._delays_ms.get(source, 0), self._delays_ms.get(target, 0))

    def paused(self, source: str, target: str) -> bool:
        """Whether one of the direction's two regions is paused."""
        return bool(self._paused & {source, target})

    def in_sync(self, region: str, peer: str) -> bool:
        """Whether both regions' present incarnations have been compared, both ways."""
        here, there = self._replica_of(region), self._replica_of(peer)
        if here is None or there is None:
            return False
        return self._links[region, peer].in_sync(here.incarnation, there.incarnation) and self._links[
            peer, region
        ].in_sync(there.incarnation, here.incarnation)

    def state(self) -> list[dict[str, Any]]:
        """One row for each direction, for the state document."""
        return [
            {
                "from": source,
                "to": target,
                "paused": self.paused(source, target),
                "delay_ms": self.delay_ms(source, target),
                **asdict(link.stats),
            }
            for (source, target), link in self._links.items()
        ]

    def _follow(self, source: str, target: str) -> None:
        link, last_problem = self._links[source, target], ""
        while not self._closing.wait(POLL_S):
            here, there = self._replica_of(source), self._replica_of(target)
            if here is None or there is None:
                continue
            try:
                delay_s = self.delay_ms(source, target) / 1000
                link.step(here, there, paused=self.paused(source, target), delay_s=delay_s)
                last_problem = ""
            except (ReplicaDown, ClientError) as error:
                if str(error) != last_problem:
                    log.warning("replication %s to %s waits: %s", source, target, error)
                last_problem = str(error)
