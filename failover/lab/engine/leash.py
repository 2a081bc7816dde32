"""Holds one engine on a leash: starts it, and stops it in order as soon as whoever started the leash is gone.

A program of its own, standard library only: ``python -I leash.py ENGINE_DIR LOG DEADLINE_S SNAPSHOT COMMAND...``. The
lab keeps the write end of the leash's stdin; a lab that is killed with -9 closes it too, and that is all the leash
waits for.
It prints the engine's pid, holds ``engine.lock`` together with the engine for as long as either lives (so a held
lock proves that the pid in ``engine.pid`` is still ours), and leaves the file ``running`` behind unless the engine
ended in order: data beside that file cannot be trusted.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

IN_ORDER = frozenset({0, -signal.SIGTERM, 128 + signal.SIGTERM})
"""Exit codes of an engine that ended by itself on SIGTERM (Java says 143)."""
LOCK_HELD, CANNOT_START = 75, 127
UNSAVED = 74
"""Exit code when the engine ended in order but did not write SNAPSHOT anew: a full disk, most of all. What it saved
before is still there.
"""
PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Linux only, and only a second rope: if the leash itself is killed with -9, its engine goes too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(engine: subprocess.Popen[bytes], deadline_s: float) -> None:
    engine.send_signal(signal.SIGCONT)  # a stopped process does not see SIGTERM
    engine.terminate()
    try:
        engine.wait(deadline_s)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()


def main(argv: list[str]) -> int:
    """Run until the engine ends or stdin closes; returns the engine's exit code."""
    engine_dir, log_path, deadline_s = Path(argv[1]), Path(argv[2]), float(argv[3])
    snapshot, command = argv[4], argv[5:]
    lock = os.open(engine_dir / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return LOCK_HELD
    pid_file, running = engine_dir / "engine.pid", engine_dir / "running"
    pid_file.unlink(missing_ok=True)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    told_to_stop = False

    def on_term(_number: int, _frame: FrameType | None) -> None:
        nonlocal told_to_stop
        told_to_stop = True

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running.touch()
    with log_path.open("ab") as log:
        try:
            engine = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # the leash has one thread
            )
        except OSError as error:
            log.write(f"{command[0]} could not be started: {error.strerror}\n".encode())
            return CANNOT_START
    with contextlib.suppress(OSError):  # a full disk: a region that runs matters more than one that is found again
        pid_file.write_text(str(engine.pid))
    sys.stdout.write(f"{engine.pid}\n")
    sys.stdout.flush()
    before, stopped = _written(snapshot), False
    while engine.poll() is None:
        readable, _, _ = select.select([sys.stdin, wake_read], [], [], 1.0)
        if wake_read in readable:
            os.read(wake_read, 512)
        if told_to_stop or sys.stdin in readable:
            _stop(engine, deadline_s)
            stopped = True
    if engine.returncode in IN_ORDER:
        running.unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)
    if stopped and engine.returncode in IN_ORDER and snapshot and _written(snapshot) == before:
        return UNSAVED
    return engine.returncode & 0xFF


def _written(snapshot: str) -> tuple[int, int] | None:
    """Which file stands under this name, and since when; None for none."""
    try:
        found = os.stat(snapshot)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


if __name__ == "__main__":
    sys.exit(main(sys.argv))
