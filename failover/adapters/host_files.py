"""What the processes of one host tell each other, through small files below the run directory.

The monitor publishes one file; each web worker writes its own report. Every file is replaced as a whole, so a reader
never sees half of one, and a process that is killed leaves at worst an old file behind, which its age gives away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover.core.status import (
    HostView,
    StatusDocument,
    WorkerReport,
    report_from_json,
    report_to_json,
    view_from_json,
    view_to_json,
)


@dataclass(frozen=True)
class Published:
    """What the monitor published: its verdict for the workers, the document for people, and when (seconds since the
    epoch).
    """

    at: float
    view: HostView
    status: StatusDocument


class HostFiles:
    """Reads and writes the files below `run_dir`; makes the directory when it is missing."""

    def __init__(self, run_dir: Path) -> None:
        self._status = run_dir / "status.json"
        self._workers = run_dir / "workers"
        self._workers.mkdir(parents=True, exist_ok=True)

    def publish(self, view: HostView, status: StatusDocument, *, at: float) -> None:
        """Replaces what the monitor said before."""
        _replace(self._status, {"at": at, "view": view_to_json(view), "status": status})

    def published(self, *, now: float) -> Published | None:
        """What the monitor said last, or None when none ever ran here, or one of another version. `now` (seconds
        since the epoch) dates the view.
        """
        content = _load(self._status)
        try:
            at = float(content["at"])
            return Published(at, view_from_json(content["view"], age_s=max(0.0, now - at)), content["status"])
        except (KeyError, TypeError, ValueError):
            return None

    def changed_at(self) -> int:
        """A number that changes whenever the monitor publishes (0 when it never has)."""
        try:
            return self._status.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def write_report(self, worker: str, report: WorkerReport) -> None:
        """Replaces the report of `worker` (a name that no other process has, now or later)."""
        _replace(self._workers / f"{worker}.json", report_to_json(report))

    def reports(self) -> Mapping[str, WorkerReport]:
        """Every worker's latest report. One that cannot be read is left out: its worker writes another soon."""
        found = {}
        for path in self._workers.glob("*.json"):
            content = _load(path)
            if content is not None:
                try:
                    found[path.stem] = report_from_json(content)
                except ValueError:
                    continue
        return found

    def forget(self, worker: str) -> None:
        """Removes a report, once its worker is gone and counted."""
        (self._workers / f"{worker}.json").unlink(missing_ok=True)


def _replace(path: Path, content: Any) -> None:
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(content, separators=(",", ":")))
    draft.replace(path)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
