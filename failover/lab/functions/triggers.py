"""Every function of the lab in every region, each pair in a thread of its own."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from failover.lab.config import PROJECT
from failover.lab.errors import LabError
from failover.lab.functions.event_source import EventSourceMapping, Streamed, Trigger

BUSY_POLL_S, IDLE_POLL_S = 0.1, 0.2
"""Pause between two looks at a stream, while records come and while none do."""

log = logging.getLogger(__name__)

TALLY = Trigger(
    "tally",
    "survey-votes",
    (sys.executable, str(PROJECT / "deploy" / "functions" / "tally" / "handler.py"), "--stdin"),
)


class Triggers:
    """Every trigger in every region.

    ``replica_of`` gives a region's present incarnation, None while it is down.
    """

    def __init__(
        self,
        triggers: Sequence[Trigger],
        regions: Sequence[str],
        lab_dir: Path,
        replica_of: Callable[[str], Streamed | None],
    ) -> None:
        self._replica_of = replica_of
        self._closing = threading.Event()
        self._mappings = {
            (trigger.name, region): EventSourceMapping(trigger, region, lab_dir, monotonic=time.monotonic)
            for trigger in triggers
            for region in regions
        }
        self._threads = [
            threading.Thread(target=self._follow, args=pair, name=f"{pair[0]}-{pair[1]}", daemon=True)
            for pair in self._mappings
        ]

    def start(self) -> None:
        """Begin to hand in records."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Hand in no more, and end the functions.

        The next lab's first sweep finds the records that still wait.
        """
        self._closing.set()
        for mapping in self._mappings.values():
            mapping.end()

    def join(self) -> None:
        """Wait for the threads. One may be in a call to an engine: the engine's end ends the call."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(6)

    def state(self) -> list[dict[str, Any]]:
        """One row for each function and region, for the state document."""
        return [
            {"name": name, "region": region, **asdict(mapping.stats)}
            for (name, region), mapping in self._mappings.items()
        ]

    def _follow(self, name: str, region: str) -> None:
        mapping, last_problem, busy = self._mappings[name, region], "", True
        while not self._closing.wait(BUSY_POLL_S if busy else IDLE_POLL_S):
            replica = self._replica_of(region)
            if replica is None:
                continue
            try:
                busy = mapping.step(replica)
                last_problem = ""
            except (ClientError, LabError) as error:
                if str(error) != last_problem and not self._closing.is_set():
                    log.warning("the function %s in %s waits: %s", name, region, error)
                last_problem = str(error)
        mapping.end()
