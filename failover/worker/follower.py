"""A web worker's link to its host's monitor: takes the monitor's verdict, hands in the worker's counters."""

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
PERIOD_S = 0.2  # a flip must reach every worker within a second of the decision; the monitor needs most of it


class Follower:
    """Looks at the monitor's file five times a second and reads it when it has changed; writes a report when there is
    something new.
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
        """Takes the verdict that stands, then keeps following in a daemon thread. Files that cannot be written stop
        nothing: what was counted is handed in once they can.
        """
        self._try_step()
        threading.Thread(target=self._loop, name="follower", daemon=True).start()

    def stop(self) -> None:
        """Hands in the last report, which the monitor counts and removes, and ends the thread at its next round."""
        with self._lock:
            self._stopped.set()
            with suppress(OSError):  # a full disk, or a directory that is gone: then these last counts are lost
                self._hand_in()
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
                self._hand_in()

    def _hand_in(self) -> None:
        self._files.hold(self._worker)  # first: a report that nobody holds is counted as the last one
        report = self._router.report()
        news = replace(report, at=0.0)  # its time alone is none; an outcome or a circuit's turn without a call is
        if news != self._reported:
            self._files.write_report(self._worker, report)
            self._reported = news

    def _loop(self) -> None:
        while not self._stopped.is_set():
            self._clock.wait(PERIOD_S)
            self._try_step()

    def _try_step(self) -> None:
        """A full disk or a half-removed directory must not end the following: the next round tries again. It is said
        once, and again only when it was over meanwhile.
        """
        try:
            self.step()
            self._unusable = False
        except (OSError, ValueError) as error:
            if not self._unusable:
                told = {"event": "files-unusable", "error": error}
                log.warning("the files shared with the monitor cannot be used: %(error)s", told)
            self._unusable = True
