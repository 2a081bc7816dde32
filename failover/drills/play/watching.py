"""Writes down, beside the votes, what the monitor says, how busy the machine is, and what arrives in
each region's replicas.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psutil
from botocore.exceptions import ClientError

from failover.drills.entries import OURS, Event, Sample, Seen
from failover.drills.ledger import LedgerFile
from failover.drills.play.preflight import status_of
from failover.drills.strategies.catalogue import STRATEGIES
from failover.drills.strategies.stores import ballots_in
from failover.drills.students import Arm
from failover.lab.control.client import LabClient
from failover.lab.engine.replica import EngineReplica
from failover.lab.errors import CursorLost, LabError
from failover.lab.faults.outside import region_of
from failover.lab.replication.link import Cursor

VOTES = "survey-votes"
"""The application's own table of ballots, in which a shard's key begins with the survey's code."""
SAMPLE_S = 1.0
ARRIVALS_S = 0.5
"""Between two readings of a stream: how late an arrival is noticed at most."""
STREAM_ERRORS = (LabError, ClientError, OSError, KeyError)
"""A region that is down, or is starting and has no tables yet."""


class Watching:
    """Threads beside a drill: one for the monitor's status, one for each region's streams."""

    def __init__(self, running: Sequence[Arm], regions: Sequence[str], *, lab: LabClient, book: LedgerFile) -> None:
        self._arms, self._lab, self._book = running, lab, book
        self._over = threading.Event()
        self._events: set[str] = set()
        self.arrived: dict[tuple[str, str], set[str]] = {
            (arm.strategy, region): set() for arm in running for region in regions
        }
        """The vote_ids that were seen so far, by strategy and region."""
        self._threads = [threading.Thread(target=self._follow_status, name="status", daemon=True)]
        self._threads += [
            threading.Thread(target=self._follow_streams, args=(region,), name=f"arrivals-{region}", daemon=True)
            for region in regions
        ]

    def start(self) -> None:
        """Begin."""
        self._client = psutil.Process()
        self._client.cpu_percent()
        psutil.cpu_percent()
        self._began = time.time()
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10)

    def _follow_status(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self._sample()
        self._sample()

    def _sample(self) -> None:
        status = status_of(self._lab.lab_dir)
        if status is None:
            return
        for event in sorted(status["events"], key=lambda event: str(event["at"])):
            at = datetime.fromisoformat(event["at"]).timestamp()
            if event["id"] not in self._events and at >= self._began:
                self._events.add(event["id"])
                self._book.write(Event(event["kind"], event["region"] or event["to"], event["reason"], at))
        lag = {f"{row['from']}>{row['to']}": row["lag_ms"] for row in status["replication"]}
        cpu, client = psutil.cpu_percent() / 100, self._client.cpu_percent() / 100
        self._book.write(Sample(status["routing"]["active"], lag, round(cpu, 3), round(client, 3), time.time()))

    def _follow_streams(self, region: str) -> None:
        """Read each table's stream. A stream ends with its engine; what was written since the last
        reading is then found by a scan.
        """
        replica: EngineReplica | None = None
        cursors: dict[str, Cursor] = {}
        while not self._over.wait(ARRIVALS_S):
            try:
                if replica is None:
                    engine = region_of(self._lab.state(), region)["engine"]
                    if engine["port"] is None:
                        continue
                    replica = EngineReplica(region, engine["incarnation"], engine["port"])
                for arm in self._arms:
                    table = VOTES if arm.strategy in OURS else STRATEGIES[arm.strategy].table
                    if arm.strategy not in cursors:
                        cursors[arm.strategy] = replica.end_of_stream(table)
                        self._note(arm, region, list(replica.scan(table)))
                    page = replica.read(cursors[arm.strategy])
                    cursors[arm.strategy] = page.cursor
                    self._note(arm, region, page.images)
            except CursorLost:
                cursors.clear()
            except STREAM_ERRORS:  # the region is down; it comes back with another engine or another port
                replica, cursors = None, {}

    def _note(self, arm: Arm, region: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Write down the votes of the arm's survey that are new here."""
        arrived = self.arrived[arm.strategy, region]
        if arm.strategy in OURS:
            items = [item for item in items if item["shard"]["S"].startswith(f"{arm.code}#")]
        ids = [item["vote_id"]["S"] for item in items if "vote_id" in item]
        ids += [vote_id for item in items if "vote_id" not in item for _, vote_id, _ in ballots_in(dict(item))]
        new = tuple(dict.fromkeys(vote_id for vote_id in ids if vote_id not in arrived))
        if new:
            arrived.update(new)
            self._book.write(Seen(arm.strategy, region, new, time.time()))
