"""Starts one engine, and stops it in order as soon as the process that started this one is gone.

A program of its own that uses only the standard library:
``python -I leash.py ENGINE_DIR LOG DEADLINE_S SNAPSHOT COMMAND...``

The lab keeps the writing end of the leash's stdin. A lab that is killed with -9 closes it too, and
the leash then stops the engine. While both live,

- the leash has printed the engine's pid on its first line of output;
- leash and engine together hold ``engine.lock``, so a held lock proves that the pid in
  ``engine.pid`` is still that of our engine;
- the file ``running`` exists. It stays behind unless the engine ended in order: data beside that
  file cannot be trusted.
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
"""Exit code when the engine ended in order and did not write SNAPSHOT anew: the disk may be full.

What it saved before is still there.
"""
PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    """Run until the engine ends or stdin closes.

    Returns the engine's exit code or one of those above.
    """
    engine_dir, log, deadline_s = Path(argv[1]), Path(argv[2]), float(argv[3])
    snapshot, command = argv[4], argv[5:]
    lock = os.open(engine_dir / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return LOCK_HELD
    pid_file, running = engine_dir / "engine.pid", engine_dir / "running"
    pid_file.unlink(missing_ok=True)
    signals = _Signals()
    running.touch()
    engine = _start(command, log, lock)
    if engine is None:
        return CANNOT_START
    # On a full disk a region that runs matters more than one that is found again.
    with contextlib.suppress(OSError):
        pid_file.write_text(str(engine.pid))
    sys.stdout.write(f"{engine.pid}\n")
    sys.stdout.flush()
    before = _version(snapshot)
    was_stopped = _wait(engine, signals, deadline_s)
    if engine.returncode in IN_ORDER:
        running.unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)
    if was_stopped and engine.returncode in IN_ORDER and snapshot and _version(snapshot) == before:
        return UNSAVED
    return engine.returncode & 0xFF


class _Signals:
    """Wakes ``select`` on a signal: SIGTERM, which asks for the end, or SIGCHLD, the engine's end.

    SIGINT is ignored: on Ctrl-C the lab stops its engines in order.
    """

    def __init__(self) -> None:
        self.descriptor, wake = os.pipe()
        self.is_stop_requested = False
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_term(self, _number: int, _frame: FrameType | None) -> None:
        self.is_stop_requested = True


def _start(command: list[str], log_path: Path, lock: int) -> subprocess.Popen[bytes] | None:
    """Start the engine, which inherits the lock. None, with the reason in the log, when that fails."""
    with log_path.open("ab") as log:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                # The leash has one thread.
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        except OSError as error:
            log.write(f"{command[0]} could not be started: {error.strerror}\n".encode())
            return None


def _die_with_parent() -> None:
    """A second safeguard, on Linux only: an engine whose leash is killed with -9 is killed too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(engine: subprocess.Popen[bytes], signals: _Signals, deadline_s: float) -> bool:
    """Wait for the engine's end, and stop it when that is asked for.

    Returns whether it was stopped.
    """
    was_stopped = False
    while engine.poll() is None:
        readable, _, _ = select.select([sys.stdin, signals.descriptor], [], [], 1.0)
        if signals.descriptor in readable:
            os.read(signals.descriptor, 512)
        if signals.is_stop_requested or sys.stdin in readable:
            _stop(engine, deadline_s)
            was_stopped = True
    return was_stopped


def _stop(engine: subprocess.Popen[bytes], deadline_s: float) -> None:
    engine.send_signal(signal.SIGCONT)  # a stopped process does not see SIGTERM
    engine.terminate()
    try:
        engine.wait(deadline_s)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()


def _version(snapshot: str) -> tuple[int, int] | None:
    """Inode and time of change of the snapshot, which differ after a save.

    None without such a file.
    """
    try:
        status = os.stat(snapshot)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


if __name__ == "__main__":
    sys.exit(main(sys.argv))
