"""Links a web worker to its host's monitor: reads the monitor's verdict, writes the worker's
report.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import replace

from failover.adapters.host_files import HostFiles
from failover.core.exchange.reports import WorkerReport
from failover.core.ports import Clock
from failover.core.router import Router

log = logging.getLogger(__name__)
PERIOD_S = 0.2  # a flip must reach every worker within a second, and the monitor needs most of it


class Follower:
    """Checks the monitor's file five times per second and reads it when it has changed. Writes a
    report when its counters have changed.
    """

    def __init__(self, router: Router, files: HostFiles, clock: Clock, *, worker: str) -> None:
        self._router = router
        self._files = files
        self._clock = clock
        self._worker = worker
        self._seen = 0
        self._reported: WorkerReport | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._unusable = False

    def start(self) -> None:
        """Reads the current verdict, then keeps following in a daemon thread. Files that cannot be
        written stop nothing: the counters are written once they can be.
        """
        self._try_step()
        threading.Thread(target=self._loop, name="follower", daemon=True).start()

    def stop(self) -> None:
        """Writes the last report, which the monitor counts and removes, and ends the thread at its
        next round.
        """
        with self._lock:
            self._stopped.set()
            with suppress(OSError):  # a full disk, or a directory that is gone: these last counts are lost
                self._write_report()
            self._files.release(self._worker)

    def step(self) -> None:
        """One round."""
        changed_at = self._files.changed_at()
        if changed_at != self._seen:
            published = self._files.published(now=self._clock.wall())
            if published is not None:
                self._router.follow(published.view)
            self._seen = changed_at
        with self._lock:
            if not self._stopped.is_set():
                self._write_report()

    def _write_report(self) -> None:
        self._files.hold(self._worker)  # first: a report without a lock is counted as final
        report = self._router.report()
        undated = replace(report, at=0.0)  # a new time alone is no reason to write
        if undated != self._reported:
            self._files.write_report(self._worker, report)
            self._reported = undated

    def _loop(self) -> None:
        while not self._stopped.is_set():
            self._clock.wait(PERIOD_S)
            self._try_step()

    def _try_step(self) -> None:
        """Runs one round. A full disk or a half-removed directory must not end the following: the
        next round tries again. It is logged once, and again only after a success.
        """
        try:
            self.step()
            self._unusable = False
        except (OSError, ValueError) as error:
            if not self._unusable:
                details = {"event": "files-unusable", "error": error}
                log.warning("the files shared with the monitor cannot be used: %(error)s", details)
            self._unusable = True
