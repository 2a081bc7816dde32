"""The steady state from which a drill begins: what is broken before it begins proves nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from failover.drills.exports import ExportFailed
from failover.lab.control.client import LabClient

STEADY_S = 180.0
"""How long a drill waits. A circuit that opened in several drills is held longer each time; one that
flaps, for two minutes in the lab.
"""
LOOK_AGAIN_S = 0.3


def status_of(lab_dir: Path) -> dict[str, Any] | None:
    """The document that the demo's monitor published last; None when it cannot be read now."""
    try:
        document: dict[str, Any] = json.loads((lab_dir / "run" / "status.json").read_text())["status"]
    except (OSError, ValueError, KeyError):
        return None
    return document


def not_steady(lab: LabClient) -> str:
    """Why the demo is not in its steady state, in a few words; empty when it is. Raises LabError."""
    faults = [f"{fault['kind']} in {row['name']}" for row in lab.state()["regions"] for fault in row["faults"]]
    if faults:
        return f"broken already: {', '.join(faults)}"
    status = status_of(lab.lab_dir)
    if status is None:
        return "the monitor has not reported yet"
    if status["routing"]["mode"] != "auto":
        return f"pinned to {status['routing']['region']} by {status['routing']['actor']}"
    first = min(status["regions"], key=lambda row: int(row["priority"]))["name"]
    if status["routing"]["active"] != first:
        return f"{status['routing']['active']} serves"
    # Degraded is well enough: the errors of the drill before count for two minutes, also when nobody votes since.
    well = ("healthy", "degraded")
    if ailing := [f"{row['name']} is {row['state']}" for row in status["regions"] if row["state"] not in well]:
        return ", ".join(ailing)
    if opened := [row["name"] for row in status["regions"] if row["circuit"] != "closed"]:
        return f"the circuit of {', '.join(opened)} is not closed"
    if behind := [f"{row['from']} to {row['to']}" for row in status["replication"] if row["state"] != "ok"]:
        return f"replication is not in order: {', '.join(behind)}"
    return ""


def await_steady(lab: LabClient, *, say: Callable[[str], object], within_s: float = STEADY_S) -> None:
    """Returns once the demo is steady. Raises ExportFailed with what is not, after `within_s`."""
    deadline, reported = time.monotonic() + within_s, ""
    while reason := not_steady(lab):
        if time.monotonic() > deadline:
            raise ExportFailed(f"the demo is not in its steady state: {reason}")
        if reason != reported:
            say(f"waiting for the steady state: {reason}")
            reported = reason
        time.sleep(LOOK_AGAIN_S)
