"""Starts, stops, freezes and watches the engine process of one region.

Settings and figures: ministack 1.5 starts in about 0.5 s. On SIGTERM it saves its tables in
STATE_DIR; after SIGKILL it has lost everything since its last save. So an engine that did not end
in order starts with no data at all: an older snapshot would take the region back in time.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from failover.lab.config import LabConfig
from failover.lab.engine.leash import UNSAVED
from failover.lab.engine.leftover import STOP_DEADLINE_S, clear_leftover
from failover.lab.engine.programs import engine_command, snapshot_file
from failover.lab.errors import LabError, LabStopping
from failover.lab.logs import last_line_of
from failover.lab.waiting import wait_until

START_DEADLINE_S = 30.0
LEASH = Path(__file__).with_name("leash.py")


@dataclass(frozen=True)
class Running:
    """One incarnation of an engine, from a start to its end.

    What belongs to one incarnation, such as a stream iterator or a port, is not valid in the next.
    """

    incarnation: int
    pid: int
    port: int
    leash: subprocess.Popen[bytes]


class Engine:
    """A region's engine.

    ``on_crash(incarnation)`` is called, in a thread, when it ends without being told to.
    ``is_saved`` says whether the last stop saved the tables.
    """

    def __init__(self, config: LabConfig, region: str, *, on_crash: Callable[[int], None], stopping: threading.Event):
        self._config = config
        self._region = region
        self._on_crash = on_crash
        self._stopping = stopping
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._incarnations = 0
        self.is_saved = True

    @property
    def running(self) -> Running | None:
        """The live incarnation, if there is one."""
        return self._running

    @property
    def incarnations(self) -> int:
        """How often this region was started in this lab."""
        return self._incarnations

    def start(self) -> Running:
        """Start the engine and wait until its port answers. Raises LabError in one line."""
        folder = self._config.engine_dir(self._region)
        folder.mkdir(parents=True, exist_ok=True)
        clear_leftover(folder, stopping=self._stopping)
        if (folder / "running").exists():  # it did not end in order: see this module's docstring
            shutil.rmtree(folder / "data", ignore_errors=True)
        port = free_port()
        command, env = engine_command(self._config, self._region, port)
        try:
            running = self._launch(folder, port, command, env)
        except LabError:
            # Nothing has been written since the last save, so the data can still be trusted.
            (folder / "running").unlink(missing_ok=True)
            raise
        with self._lock:
            self._running = running
        threading.Thread(target=self._watch, args=(running,), name=f"watch-{self._region}", daemon=True).start()
        return running

    def stop(self) -> None:
        """Stop in order, so that the data is kept: CONT, TERM, and KILL at the deadline.

        Harmless when stopped.
        """
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            _end(running.leash)
            self.is_saved = running.leash.returncode != UNSAVED

    def freeze(self) -> None:
        """Stop the process where it stands: its port accepts and nothing answers.

        Raises LabError when it is gone.
        """
        with self._lock:
            if self._running is None or self._running.leash.poll() is not None:
                raise LabError(f"the engine of {self._region} does not run")
            os.kill(self._running.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, with everything that was sent to it meanwhile.

        Harmless when it is not frozen or not there.
        """
        with self._lock:
            if self._running is not None and self._running.leash.poll() is None:
                os.kill(self._running.pid, signal.SIGCONT)

    def _launch(self, folder: Path, port: int, command: list[str], env: dict[str, str]) -> Running:
        """Start the program on its leash and wait for its port.

        Raises LabError, with the process ended.
        """
        log = self._config.lab_dir / "logs" / f"engine-{self._region}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        snapshot = str(snapshot_file(self._config, self._region) or "")
        with log.open("ab") as errors:
            leash = subprocess.Popen(
                [sys.executable, "-I", str(LEASH), str(folder), str(log), str(STOP_DEADLINE_S), snapshot, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
                # Ctrl-C in the terminal is for the lab, which then stops the engines in order.
                start_new_session=True,
            )
        pid = leash.stdout.readline().strip() if leash.stdout else b""
        if not pid:
            _end(leash)
            raise LabError(f"the engine of {self._region} could not be started: {last_line_of(log)} ({log})")
        self._incarnations += 1
        self._await_port(leash, port, log)
        return Running(self._incarnations, int(pid), port, leash)

    def _await_port(self, leash: subprocess.Popen[bytes], port: int, log: Path) -> None:
        answered = wait_until(
            lambda: leash.poll() is not None or port_answers(port), START_DEADLINE_S, stopping=self._stopping
        )
        if answered and leash.poll() is None:
            return
        _end(leash)
        if self._stopping.is_set():
            raise LabStopping(f"stopped while the engine of {self._region} was starting")
        raise LabError(f"the engine of {self._region} did not start: {last_line_of(log)} ({log})")

    def _watch(self, running: Running) -> None:
        running.leash.wait()
        with self._lock:
            crashed = self._running is running
            if crashed:
                self._running = None
        if crashed and not self._stopping.is_set():
            self._on_crash(running.incarnation)


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_answers(port: int) -> bool:
    """Whether something on loopback accepts connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(leash: subprocess.Popen[bytes]) -> None:
    """Let the leash stop its engine and end, by closing its stdin; kill it when that takes too
    long.
    """
    if leash.stdin:
        leash.stdin.close()
    try:
        leash.wait(STOP_DEADLINE_S + 2)
    except subprocess.TimeoutExpired:
        leash.kill()
        leash.wait()
    if leash.stdout:
        leash.stdout.close()
