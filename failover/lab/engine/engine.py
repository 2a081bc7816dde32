"""One engine process for a region: how it is started, stopped in order, and found again after a crash of the lab.

Settings and figures: ministack 1.5 starts in about 0.5 s, keeps its tables in STATE_DIR when it gets SIGTERM and has
lost everything after SIGKILL. An engine that did not end in order therefore starts with no data at all: an older
snapshot would be a region that travelled back in time.
"""

from __future__ import annotations

import fcntl
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
from typing import assert_never

from failover.lab.config import EngineKind, LabConfig
from failover.lab.engine.leash import UNSAVED
from failover.lab.environment import NO_CLOUD
from failover.lab.errors import LabError, LabStopping
from failover.lab.waiting import wait_until

STOP_DEADLINE_S = 8.0
"""How long an engine may take to save its tables after SIGTERM before it gets SIGKILL."""
START_DEADLINE_S = 30.0
LEASH = Path(__file__).with_name("leash.py")


@dataclass(frozen=True)
class Running:
    """One incarnation of an engine: a restart is a new one, and nothing that points into the old one is valid."""

    incarnation: int
    pid: int
    port: int
    leash: subprocess.Popen[bytes]


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def engine_command(config: LabConfig, region: str, port: int) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a region's engine. Raises LabError when the engine is not installed."""
    data, scratch = config.engine_dir(region) / "data", config.engine_dir(region) / "tmp"
    data.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(exist_ok=True)
    env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    env |= {**NO_CLOUD, "HOME": str(scratch), "TMPDIR": str(scratch)}
    match config.engine:
        case EngineKind.MINISTACK:
            env |= {
                "GATEWAY_PORT": str(port),
                "BIND_HOST": "127.0.0.1",  # its default is every interface
                "MINISTACK_REGION": region,
                "SERVICES": "dynamodb,dynamodbstreams",
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "PERSIST_STATE": "1",
                "STATE_DIR": str(data),
                "LOG_LEVEL": "WARNING",
            }
            return config.find_ministack(), env
        case EngineKind.DYNAMODB_LOCAL:
            jars = config.find_dynamodb_local()
            java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"]
            library = f"-Djava.library.path={jars / 'DynamoDBLocal_lib'}"
            jar = ["-jar", str(jars / "DynamoDBLocal.jar"), "-dbPath", str(data), "-port", str(port)]
            return [*java, library, *jar, "-disableTelemetry"], env
        case _:
            assert_never(config.engine)


def refuse_another_engine(config: LabConfig) -> None:
    """Each engine keeps its tables in its own way, so another one would start empty beside the votes. Notes which one
    this directory belongs to. Raises LabError, in one line, when that is another.
    """
    note = config.lab_dir / "engines" / "kind"
    if note.exists():
        kept = note.read_text().strip()
    else:  # made by an earlier version, which did not note it
        data = [path for region in config.regions for path in config.engine_dir(region).glob("data/*")]
        local = any(path.suffix == ".db" for path in data)
        kept = EngineKind.DYNAMODB_LOCAL if local else EngineKind.MINISTACK if data else config.engine
    if kept != config.engine:
        raise LabError(
            f"LAB_DIR={config.lab_dir} keeps the votes of ENGINE={kept}: start with that, or set another LAB_DIR"
        )
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{config.engine}\n")


class Engine:
    """A region's engine. ``on_crash(incarnation)`` is called, in a thread, when it ends without being told to."""

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
        if (folder / "running").exists():
            shutil.rmtree(folder / "data", ignore_errors=True)
        port = free_port()
        command, env = engine_command(self._config, self._region, port)
        snapshot = str(folder / "data" / "dynamodb.json") if self._config.engine is EngineKind.MINISTACK else ""
        log = self._config.lab_dir / "logs" / f"engine-{self._region}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            leash = subprocess.Popen(
                [sys.executable, "-I", str(LEASH), str(folder), str(log), str(STOP_DEADLINE_S), snapshot, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
                start_new_session=True,  # Ctrl-C in the terminal is for the lab, which then stops the engines in order
            )
        pid = leash.stdout.readline().strip() if leash.stdout else b""
        if not pid:
            _end(leash)
            (folder / "running").unlink(missing_ok=True)  # nothing has been written since, so the data can be trusted
            raise LabError(f"the engine of {self._region} could not be started: {last_line(log)} ({log})")
        self._incarnations += 1
        running = Running(self._incarnations, int(pid), port, leash)
        answered = wait_until(
            lambda: leash.poll() is not None or port_answers(port), START_DEADLINE_S, stopping=self._stopping
        )
        if not answered or leash.poll() is not None:
            _end(leash)
            (folder / "running").unlink(missing_ok=True)
            if self._stopping.is_set():
                raise LabStopping(f"stopped while the engine of {self._region} was starting")
            raise LabError(f"the engine of {self._region} did not start: {last_line(log)} ({log})")
        with self._lock:
            self._running = running
        threading.Thread(target=self._watch, args=(running,), name=f"watch-{self._region}", daemon=True).start()
        return running

    def stop(self) -> None:
        """Stop in order, so that the data is kept: CONT, TERM, and KILL at the deadline. Harmless when stopped. Whether
        the data was saved, `is_saved` says.
        """
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            _end(running.leash)
            self.is_saved = running.leash.returncode != UNSAVED

    def freeze(self) -> None:
        """Stop the process where it stands: its port accepts and nothing answers. Raises LabError when it is gone."""
        with self._lock:
            if self._running is None or self._running.leash.poll() is not None:
                raise LabError(f"the engine of {self._region} does not run")
            os.kill(self._running.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, with everything that was sent to it meanwhile. Harmless when it is not frozen or not there."""
        with self._lock:
            if self._running is not None and self._running.leash.poll() is None:
                os.kill(self._running.pid, signal.SIGCONT)

    def _watch(self, running: Running) -> None:
        running.leash.wait()
        with self._lock:
            crashed = self._running is running
            if crashed:
                self._running = None
        if crashed and not self._stopping.is_set():
            self._on_crash(running.incarnation)


def last_line(log: Path) -> str:
    """The last words of a child process that writes to `log`."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return lines[-1].strip() if lines else "it said nothing"


def port_answers(port: int) -> bool:
    """Whether something on loopback accepts connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def clear_leftover(folder: Path, *, stopping: threading.Event) -> None:
    """Stop the engine that a killed lab may have left in this folder.

    A held lock proves that the engine or its leash lives, and a leash ends with its engine: only then is the pid in
    the file trusted, so that a number which now belongs to somebody else is never signalled.
    """
    lock = os.open(folder / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for signals in ((signal.SIGCONT, signal.SIGTERM), (signal.SIGKILL,)):
            if _lockable(lock):
                return
            _signal_leftover(folder, signals)
            if wait_until(lambda: _lockable(lock), STOP_DEADLINE_S, stopping=stopping):
                return
        raise LabError(f"an engine of an earlier lab still holds {folder}: stop it, or choose another LAB_DIR")
    finally:
        os.close(lock)


def _lockable(lock: int) -> bool:
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
        return  # it ended between the look and the signal; the lock will tell


def _end(leash: subprocess.Popen[bytes]) -> None:
    """Let go of the leash: it stops its engine and ends. Its own death is waited for, a little longer than it needs."""
    if leash.stdin:
        leash.stdin.close()
    try:
        leash.wait(STOP_DEADLINE_S + 2)
    except subprocess.TimeoutExpired:
        leash.kill()
        leash.wait()
    if leash.stdout:
        leash.stdout.close()
