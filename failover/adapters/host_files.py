"""The files through which the processes of one host exchange data, below the run directory.

The monitor publishes its status and its host's totals; each web worker writes its own report. Every
file is replaced as a whole, so a reader never sees half of one. A monitor that is killed leaves an
old status behind, which is recognised by its age. A worker holds a lock that ends with it, however
it ends, so the report of a dead worker is recognised too.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover.core.config import RouterConfig
from failover.core.disk import is_unwritable
from failover.core.exchange.reports import (
    HostView,
    WorkerReport,
    report_from_json,
    report_to_json,
    view_from_json,
    view_to_json,
)
from failover.core.exchange.totals import Totals, totals_from_json, totals_to_json
from failover.core.status.types import StatusDocument


@dataclass(frozen=True)
class Published:
    """A monitor's output: its verdict for the workers, the status document for people, and when it
    was published (seconds since the epoch).
    """

    at: float
    view: HostView
    status: StatusDocument

    def fresh(self, *, now: float) -> bool:
        """Whether it still counts at `now` (seconds since the epoch). One that is dated too far
        ahead does not: the clock was set back since, so its age is unknown.
        """
        return abs(now - self.at) <= RouterConfig().stale_after_s


class HostFiles:
    """Reads and writes the files below `run_dir`. Makes the directory if it can; without the
    directory nothing is read, and each write raises `OSError`.
    """

    def __init__(self, run_dir: Path) -> None:
        self._status = run_dir / "status.json"
        self._totals = run_dir / "totals.json"
        self._workers = run_dir / "workers"
        self._held: dict[str, int] = {}
        try:
            self._workers.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not is_unwritable(error):
                raise

    def publish(self, view: HostView, status: StatusDocument, *, at: float) -> None:
        """Replaces what the monitor published before."""
        _replace(self._status, {"at": at, "view": view_to_json(view), "status": status})

    def published(self, *, now: float) -> Published | None:
        """What the monitor published last, or None when no monitor ever ran here, or one of another
        version did. `now` (seconds since the epoch) determines the view's age.
        """
        content = _load(self._status)
        try:
            at = float(content["at"])
            return Published(at, view_from_json(content["view"], age_s=max(0.0, now - at)), content["status"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def changed_at(self) -> int:
        """A number that changes whenever the monitor publishes (0 when it never has)."""
        try:
            return self._status.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def write_totals(self, totals: Totals) -> None:
        """Replaces the host's totals. Only the monitor calls it."""
        _replace(self._totals, totals_to_json(totals))

    def totals(self) -> Totals:
        """What this host has counted for good; empty totals when the file cannot be read."""
        try:
            return totals_from_json(_load(self._totals))
        except ValueError:
            return Totals()

    def hold(self, worker: str) -> None:
        """Marks `worker` (a name that no other process ever has) as running, until `release` or
        until this process ends, however that happens. Raises `OSError` when that cannot be written;
        call it again then.
        """
        if worker in self._held:
            return
        self._workers.mkdir(parents=True, exist_ok=True)
        path = self._workers / f"{worker}.lock"
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        descriptor = os.open(draft, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            draft.replace(path)  # renamed when locked, so it is never seen unlocked while its worker runs
        except OSError:
            os.close(descriptor)
            raise
        self._held[worker] = descriptor

    def release(self, worker: str) -> None:
        """Marks `worker` as ended; the monitor counts its report and removes it."""
        if worker in self._held:
            os.close(self._held.pop(worker))

    def gone(self) -> frozenset[str]:
        """The workers that left files behind and no longer run. Their reports are final."""
        names = {path.stem for path in self._workers.glob("*") if path.suffix in (".json", ".lock")}
        return frozenset(name for name in names if not self._runs(name))

    def _runs(self, worker: str) -> bool:
        try:
            with open(self._workers / f"{worker}.lock") as handle:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def write_report(self, worker: str, report: WorkerReport) -> None:
        """Replaces the report of `worker`, which must be held."""
        _replace(self._workers / f"{worker}.json", report_to_json(report))

    def reports(self) -> Mapping[str, WorkerReport]:
        """Every worker's latest report. One that cannot be read is left out; its worker writes
        another soon.
        """
        reports = {}
        for path in self._workers.glob("*.json"):
            content = _load(path)
            if content is not None:
                try:
                    reports[path.stem] = report_from_json(content)
                except ValueError:
                    continue
        return reports

    def forget(self, worker: str) -> None:
        """Removes the files of a worker that is gone and counted."""
        for path in self._workers.glob(f"{worker}.*"):  # its report, its lock, and an unfinished draft
            path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Removes unfinished drafts of a monitor that was killed."""
        for path in self._status.parent.glob("*.tmp"):
            path.unlink(missing_ok=True)


def _replace(path: Path, content: Any) -> None:
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        draft.write_text(json.dumps(content, separators=(",", ":")))
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)  # half a file is useless, and takes up room on a full disk
        raise


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
