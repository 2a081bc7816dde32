"""Starts the demo's child processes, restarts those that die, and stops all in reverse order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from failover.adapters import lifeline
from failover.lab.config import PROJECT
from failover.lab.errors import LabError
from failover.lab.logs import last_line_of

STOP_S = 12.0
"""How long a child may take to end after SIGTERM before it gets SIGKILL."""
MOST_RESTARTS, WITHIN_S = 5, 60.0
"""The sixth restart within this time ends the demo instead: a restart does not mend what is wrong.
"""


class Children:
    """The demo's child processes by name. Their output goes to ``LAB_DIR/logs/NAME.out``.

    Each holds the reading end of a pipe into which nothing is ever written. The pipe ends with this
    process, also when it is killed, and the children then end by themselves (see lifeline.py).
    """

    def __init__(self, lab_dir: Path, environment: Mapping[str, str], *, say: Callable[[str], object]) -> None:
        self._lab_dir = lab_dir
        self._say = say
        self._pipe, self._lifeline = os.pipe()
        os.set_inheritable(self._pipe, True)
        self.environment = {**environment, lifeline.VARIABLE: str(self._pipe)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, Sequence[str]] = {}
        self._restarts: deque[float] = deque(maxlen=MOST_RESTARTS)

    def start(
        self, name: str, command: Sequence[str], *, keep: Sequence[int] = (), extra: Mapping[str, str] | None = None
    ) -> None:
        """Start a child, which gets the open files `keep` and the variables `extra` too. Its log is
        emptied at its first start in this demo.
        """
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab" if name in self._processes else "wb") as out:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**self.environment, **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=(self._pipe, *keep),
                # Ctrl-C reaches this process alone, which stops them in order.
                start_new_session=True,
            )
        self._commands[name] = command

    def pid(self, name: str) -> int:
        """The process of a child that was started."""
        return self._processes[name].pid

    def pids(self) -> dict[str, int]:
        """The process of every child that was started, by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._lab_dir / "logs" / f"{name}.out"

    def check(self) -> None:
        """Raises LabError when a child has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise LabError(f"the {name} ended by itself: {self.how_it_ended(name)}")

    def keep_running(self, names: Sequence[str]) -> bool:
        """Start again those of these children that died; whether there were any.

        Raises LabError when another child has ended, and for children that die again and again.
        """
        restarted = False
        for name in names:
            if self._processes[name].poll() is None:
                continue
            now = time.monotonic()
            if len(self._restarts) == MOST_RESTARTS and now - self._restarts[0] < WITHIN_S:
                break
            self._restarts.append(now)
            self._restart(name)
            restarted = True
        self.check()
        return restarted

    def _restart(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            # The workers of a web tier that was killed still hold its port.
            os.killpg(self._processes[name].pid, signal.SIGKILL)
        self._say(f"the {name} is started again, since it ended by itself: {self.how_it_ended(name)}")
        self.start(name, self._commands[name])

    def how_it_ended(self, name: str) -> str:
        """The signal that ended a child, else the last line of its log."""
        code = self._processes[name].returncode
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"{last_line_of(self.log(name))} ({self.log(name)})"

    def exit_code(self, name: str) -> int | None:
        """How a child ended; None while it runs, and when it was not started."""
        process = self._processes.get(name)
        return process.poll() if process else None

    def stop(self) -> None:
        """Stop every child that runs, the last one first, and wait until it has ended."""
        for name, process in reversed(self._processes.items()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    self._say(f"the {name} did not stop within {STOP_S:.0f} s and was killed")
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
