"""Puts back what a drill broke when the drill itself is gone, also when it was killed with -9.

`python -m failover.drills.play.watchdog LAB_DIR` waits for the end of the drill that started it (see
adapters/lifeline.py). A drill that ends in order stops it first. A drill's processes end by
themselves, and each fault has an end of its own; this is for the seconds until then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from failover.adapters import lifeline
from failover.drills import exports
from failover.drills.exports import ExportFailed
from failover.drills.play.preflight import status_of
from failover.lab.config import PROJECT
from failover.lab.control.client import LabClient
from failover.lab.errors import LabError

ACTOR = "drill"


def put_back(lab_dir: Path) -> None:
    """End every fault, remove the drill's tables, and follow the rules again. Without a lab there is
    nothing to put back.
    """
    with contextlib.suppress(LabError):
        lab = LabClient(lab_dir)
        lab.clear()
        lab.clear_tables()
    status = status_of(lab_dir)
    if status is not None and status["routing"]["mode"] == "pinned" and ACTOR in status["routing"]["reason"]:
        with contextlib.suppress(ExportFailed):
            exports.output_of("routing", "auto", "--reason", f"a {ACTOR} was killed")


@contextmanager
def watching(lab_dir: Path) -> Iterator[None]:
    """A watchdog for the time of the block."""
    alive, held = os.pipe()
    try:
        watchdog = subprocess.Popen(
            [sys.executable, "-m", __name__, str(lab_dir)],
            cwd=PROJECT,
            env={**os.environ, lifeline.VARIABLE: str(alive)},
            pass_fds=(alive,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        os.close(alive)
    try:
        yield
    finally:
        watchdog.send_signal(signal.SIGTERM)
        watchdog.wait()
        os.close(held)


def main(lab_dir: Path) -> None:
    """Wait for the drill's end."""
    gone = threading.Event()
    lifeline.hold(gone.set)
    gone.wait()
    put_back(lab_dir)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
