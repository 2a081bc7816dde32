"""A monitor as a process of its own, on a run directory of a test, and what it has published."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from failover.core.status.types import StatusDocument
from tests.conftest import Lab
from tests.failover.adapters.faulty import EAST
from tests.processes import running, wait_while_running

Monitor = subprocess.Popen[str]
NOTHING: StatusDocument = {}
"""A monitor reads its view only."""


@contextlib.contextmanager
def monitor(lab: Lab, run_dir: Path, **extra: str) -> Iterator[Monitor]:
    """A monitor on a run directory of its own; canaries twice a second."""
    environment = {"FAILOVER_RUN_DIR": str(run_dir), "FAILOVER_HEARTBEAT_S": "0.3", "FAILOVER_HOLD_S": "1", **extra}
    # Nobody reads what it prints meanwhile: it must not fill the pipe.
    environment["SURVEY_LOG_LEVEL"] = "ERROR"
    with running("monitor", lab_dir=lab.dir, **environment) as process:
        yield process


def status(run_dir: Path) -> dict[str, Any]:
    try:
        document = json.loads((run_dir / "status.json").read_text())
    except FileNotFoundError:
        return {}
    return document["status"]


def region(run_dir: Path, name: str) -> dict[str, Any]:
    return next((row for row in status(run_dir).get("regions", ()) if row["name"] == name), {})


def until(process: Monitor, probe: Callable[[], object], what: str, within: float = 30) -> None:
    wait_while_running(process, probe, within=within, what=what)


def explained(run_dir: Path, rule: str) -> dict[str, Any]:
    """A rule for us-east-1."""
    return next(row for row in status(run_dir)["explain"] if (row["rule"], row["region"]) == (rule, EAST))


def without_east(lab: Lab, url: str) -> str:
    """The lab's endpoints with another in the place of us-east-1's."""
    return f"{EAST}={url},{lab.environment()['FAILOVER_ENDPOINTS'].split(',')[1]}"
