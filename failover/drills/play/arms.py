"""Starts the strategies of a drill, each as a process of its own with a table of its own."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from failover.drills import exports
from failover.drills.entries import ROUTER, ROUTER_STALE
from failover.drills.exports import ExportFailed
from failover.drills.strategies.catalogue import STRATEGIES
from failover.drills.students import Arm
from failover.lab import environment, files
from failover.lab.control.client import LabClient
from failover.lab.demo.children import Children
from failover.lab.demo.demo import DIRECT, GUNICORN, MANAGE
from failover.lab.logs import last_line_of

COMMAND = (sys.executable, "-m", "gunicorn", "-c", "python:failover.drills.strategies.server")
START_S = 30.0
REPLY_S = 10.0
STALE_S = 60.0
"""How long the second tier uses the last good addresses."""


@contextmanager
def running(
    strategies: Sequence[str],
    regions: tuple[str, ...],
    *,
    lab: LabClient,
    url: str,
    code: str,
    survey_file: Path,
) -> Iterator[list[Arm]]:
    """The arms of these strategies until the block ends; the router's is the demo's own web tier at
    `url`, with its survey `code`. `survey_file` is for another web tier of ours, which needs a survey of
    its own. Raises ExportFailed when one does not start.
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
            if name == ROUTER_STALE:
                arms.append(_second_tier(children, survey_file, regions))
                continue
            strategy = STRATEGIES[name]
            lab.add_table(strategy.table)
            with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
                variables = {"DRILL_STRATEGY": name, "DRILL_SOCKET": str(listening.fileno())}
                children.start(strategy.table, COMMAND, keep=[listening.fileno()], extra=variables)
                address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            arms.append(Arm(name, (address,), code, strategy.regions(regions)))
        _await(arms, children)
        yield arms
    finally:
        children.stop()
        lab.clear_tables()
        for arm in arms:
            if arm.strategy == ROUTER_STALE:
                with suppress(ExportFailed):
                    exports.output_of("survey", "archive", arm.code)


def _second_tier(children: Children, survey_file: Path, regions: tuple[str, ...]) -> Arm:
    """Our web tier and monitor once more, with DNS answers that serve on. They share the tables and
    the routing decision with the demo, and nothing else. Raises ExportFailed.
    """
    definition = json.loads(survey_file.read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as copy:
        json.dump({name: value for name, value in definition.items() if name != "code"}, copy)
        copy.flush()
        code = exports.output_of("survey", "import", copy.name).strip()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    variables = {
        "BIND": address,
        "WORKERS": "1",
        "LAB_RUN": files.SECOND_RUN,
        "FAILOVER_DNS_STALE_S": f"{STALE_S:g}",
        "DJANGO_SETTINGS_MODULE": "surveyapp.settings.lab",
    }
    children.start(f"drill-monitor-{ROUTER_STALE}", [*MANAGE, "monitor"], extra=variables)
    children.start(f"drill-{ROUTER_STALE}", GUNICORN, extra=variables)
    return Arm(ROUTER_STALE, (f"http://{address}",), code, regions)


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
        "LAB_DIR": str(lab_dir),
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
