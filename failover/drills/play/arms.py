"""Starts the strategies of a drill, each as a process of its own with a table of its own."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from failover.drills.entries import ROUTER
from failover.drills.exports import ExportFailed
from failover.drills.strategies.catalogue import STRATEGIES
from failover.drills.students import Arm
from failover.lab import environment, files
from failover.lab.control.client import LabClient
from failover.lab.demo.children import Children
from failover.lab.demo.demo import DIRECT
from failover.lab.logs import last_line_of

COMMAND = (sys.executable, "-m", "gunicorn", "-c", "python:failover.drills.strategies.server")
START_S = 30.0
REPLY_S = 10.0


@contextmanager
def running(
    strategies: Sequence[str], regions: tuple[str, ...], *, lab: LabClient, url: str, code: str
) -> Iterator[list[Arm]]:
    """The arms of these strategies until the block ends; the router's is the demo's own web tier at
    `url`. Raises ExportFailed when one does not start.
    """
    survey = _survey(url, code)
    lab.clear_tables()  # those of a drill that was killed
    children = Children(lab.lab_dir, _environment(lab.lab_dir, survey), say=lambda _line: None)
    arms = []
    try:
        for name in strategies:
            if name == ROUTER:
                arms.append(Arm(name, (url,), code, regions))
                continue
            strategy = STRATEGIES[name]
            lab.add_table(strategy.table)
            with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
                children.environment |= {"DRILL_STRATEGY": name, "DRILL_SOCKET": str(listening.fileno())}
                children.start(strategy.table, COMMAND, keep=[listening.fileno()])
                address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            arms.append(Arm(name, (address,), code, strategy.regions(regions)))
        _await(arms, children)
        yield arms
    finally:
        children.stop()
        lab.clear_tables()


def _survey(url: str, code: str) -> dict[str, Any]:
    """The survey as the application serves it. Raises ExportFailed."""
    try:
        with DIRECT.open(f"{url}/api/v1/surveys/{code}/", timeout=REPLY_S) as reply:
            survey: dict[str, Any] = json.load(reply)
    except (OSError, ValueError) as error:
        raise ExportFailed(f"{url} does not show survey {code}: {error}") from error
    return survey


def _environment(lab_dir: Path, survey: Mapping[str, Any]) -> dict[str, str]:
    lines = (line.partition("=") for line in (lab_dir / files.APP_ENV).read_text().splitlines())
    return {
        **environment.for_child(os.environ),
        **{name: value for name, _, value in lines},
        "FAILOVER_RUN_DIR": str(lab_dir / "run"),
        "DRILL_SURVEY": json.dumps(survey),
    }


def _await(arms: Sequence[Arm], children: Children) -> None:
    """Wait until every arm answers. Raises ExportFailed."""
    deadline = time.monotonic() + START_S
    for arm in arms:
        while True:
            with suppress(ExportFailed):
                _survey(arm.urls[0], arm.code)
                break
            name = f"drill-{arm.strategy}"
            if children.exit_code(name) is not None or time.monotonic() > deadline:
                raise ExportFailed(f"{arm.strategy} did not start: {last_line_of(children.log(name))}")
            time.sleep(0.05)
