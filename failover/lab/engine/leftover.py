"""Stops the engine that a killed lab may have left behind, and signals no other process."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from pathlib import Path

from failover.lab.errors import LabError
from failover.lab.waiting import wait_until

STOP_DEADLINE_S = 8.0
"""How long an engine may take to save its tables after SIGTERM before it gets SIGKILL."""


def clear_leftover(folder: Path, *, stopping: threading.Event) -> None:
    """Stop the engine that a killed lab may have left in this folder.

    Raises LabError when it does not end.

    A held lock proves that the engine or its leash lives, and a leash ends with its engine. Only
    then is the pid in the file trusted: otherwise the number may belong to another program by now.
    """
    lock = os.open(folder / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # SIGCONT first: a frozen engine does not see SIGTERM.
        for signals in ((signal.SIGCONT, signal.SIGTERM), (signal.SIGKILL,)):
            if _is_free(lock):
                return
            _signal_leftover(folder, signals)
            if wait_until(lambda: _is_free(lock), STOP_DEADLINE_S, stopping=stopping):
                return
        raise LabError(f"an engine of an earlier lab still holds {folder}: stop it, or choose another LAB_DIR")
    finally:
        os.close(lock)


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    fcntl.flock(lock, fcntl.LOCK_UN)
    return True


def _signal_leftover(folder: Path, signals: tuple[signal.Signals, ...]) -> None:
    try:
        pid = int((folder / "engine.pid").read_text())
        for number in signals:
            os.kill(pid, number)
    except (OSError, ValueError):
        return  # it ended after the lock was tried; the next look at the lock will show that
