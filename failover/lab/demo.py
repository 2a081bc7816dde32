"""The whole demo: the lab, the monitor and the web tier as child processes of one that ends them all.

The children hold the reading end of a pipe: when this process is gone, however it went, they end by themselves.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from failover import lifeline
from failover.lab.config import PROJECT
from failover.lab.errors import LabError
from failover.lab.files import APP_ENV, CONTROL, DirLock, write_whole

START_S = 90.0
STOP_S = 12.0
SURVEY = "DEMO20"
SURVEY_FILE = "polls/demo_survey.json"


@dataclass(frozen=True)
class DemoConfig:
    """What `make demo` may be told. `address` is where the web tier listens, `shown` the address that people type."""

    lab_dir: Path
    port: int
    address: str
    shown: str
    workers: int
    password: str

    @property
    def url(self) -> str:
        """The start page."""
        return f"http://{self.shown}:{self.port}/"

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, lab_dir: Path, password: str) -> DemoConfig:
        """Reads PORT, HOST, WORKERS and STACKS. Raises LabError, in one line, for what cannot be used."""
        host = environ.get("HOST") or "127.0.0.1"
        if host not in ("127.0.0.1", "lan"):
            raise LabError(f"HOST={host}: must be 127.0.0.1, or lan to open the web tier to the local network")
        if (environ.get("STACKS") or "1") != "1":
            raise LabError(f"STACKS={environ['STACKS']}: this version runs one web stack")
        config = cls(
            lab_dir=lab_dir,
            port=_whole(environ, "PORT", 8000, 1, 65_535),
            address="0.0.0.0" if host == "lan" else host,
            shown=lan_address() if host == "lan" else host,
            workers=_whole(environ, "WORKERS", 2, 1, 64),
            password=password,
        )
        _refuse_port_in_use(config)
        return config


def lan_address() -> str:
    """This machine's address in the local network. Raises LabError when there is none. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation: only the route is looked up
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        raise LabError("HOST=lan: this machine has no address in a local network")
    return address


class Demo:
    """Starts the parts in order and stops them in the opposite one. `run` blocks until stopped."""

    def __init__(self, config: DemoConfig, *, say: Callable[[str], object]) -> None:
        self._config = config
        self._say = say
        self._stopping = threading.Event()
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._lock: DirLock | None = None

    def stop(self) -> None:
        """Ends `run`; may be called from a signal handler."""
        self._stopping.set()

    def run(self, prepare: Callable[[], None]) -> None:
        """Runs the demo; `prepare` (accounts) is called once the lab is ours. Raises LabError in one line."""
        alive, self._lifeline = os.pipe()  # nothing is ever written: the pipe ends with this process
        os.set_inheritable(alive, True)
        self._alive = alive
        try:
            self._take_directory()
            self._start("lab", [*MANAGE, "lab"])
            self._await("lab", self._lab_is_ready)
            prepare()
            status = self._config.lab_dir / "run" / "status.json"
            before = _changed_at(status)  # the last demo's monitor left one
            self._start("monitor", [*MANAGE, "monitor"])
            self._start("web", [sys.executable, "-m", "gunicorn", "-c", str(PROJECT / "deploy" / "gunicorn.conf.py")])
            self._manage("survey", "import", str(PROJECT / SURVEY_FILE))
            self._await("monitor", lambda: _changed_at(status) != before)
            self._await("web", self._answers)
            if not self._stopping.is_set():
                self._ready()
            while not self._stopping.wait(0.2):
                self._all_run()
        except _Stopped:
            pass
        finally:
            self._stop_children()
            if self._lock is not None:
                (self._config.lab_dir / "demo.json").unlink(missing_ok=True)
                self._lock.release()

    def _take_directory(self) -> None:
        """Raises LabError, before anything is touched, when another demo or lab works in the directory."""
        lab_dir = self._config.lab_dir
        lab = DirLock(lab_dir)
        lab.take()
        lab.release()  # the lab itself takes it for good
        lock = DirLock(lab_dir, "demo.lock", "demo")
        lock.take()
        self._lock = lock

    def _environment(self) -> dict[str, str]:
        config = self._config
        hosts = dict.fromkeys([config.shown, "127.0.0.1", "localhost", "[::1]"])
        # What this process has read from an older app.env, or from a profile of its user, is not what its lab will say.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_")
            and name not in ("FAILOVER_REGIONS", "FAILOVER_ENDPOINTS", "FAILOVER_NAMESERVER")
        }
        return {
            **inherited,
            "LAB_DIR": str(config.lab_dir),
            "DJANGO_SETTINGS_MODULE": "surveyapp.settings.lab",
            "DJANGO_ALLOWED_HOSTS": ",".join(hosts),
            "SURVEY_PUBLIC_URL": config.url if config.address == "0.0.0.0" else "",
            "BIND": f"{config.address}:{config.port}",
            "WORKERS": str(config.workers),
            lifeline.VARIABLE: str(self._alive),
        }

    def _start(self, name: str, command: Sequence[str]) -> None:
        logs = self._config.lab_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with open(logs / f"{name}.out", "wb") as out:
            child = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=(self._alive,),
                start_new_session=True,  # Ctrl-C reaches this process alone, which stops them in order
            )
        self._children.append((name, child))

    def _manage(self, *arguments: str) -> None:
        done = subprocess.run(
            [*MANAGE, *arguments], cwd=PROJECT, env=self._environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0 and not self._stopping.is_set():
            raise LabError(f"manage.py {' '.join(arguments)}: {_last_line(done.stderr or done.stdout)}")

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            self._all_run()
            if time.monotonic() > deadline:
                raise LabError(f"the {name} was not ready within {START_S:.0f} s: see {self._log(name)}")
            if self._stopping.wait(0.05):
                raise _Stopped

    def _all_run(self) -> None:
        for name, child in self._children:
            if child.poll() is not None:
                told = _last_line(self._log(name).read_text(errors="replace"))
                raise LabError(f"the {name} ended by itself: {told} ({self._log(name)})")

    def _lab_is_ready(self) -> bool:
        """Whether our own lab is: the files of one that was killed may still lie there."""
        try:
            control = json.loads((self._config.lab_dir / CONTROL).read_text())
        except (FileNotFoundError, ValueError):
            return False
        return control["pid"] == self._children[0][1].pid and (self._config.lab_dir / APP_ENV).exists()

    def _answers(self) -> bool:
        try:
            with DIRECT.open(f"http://127.0.0.1:{self._config.port}/healthz/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except (OSError, http.client.HTTPException):
            return False

    def _ready(self) -> None:
        url, config = self._config.url, self._config
        pids = {"demo": os.getpid(), **{name: child.pid for name, child in self._children}}
        write_whole(config.lab_dir / "demo.json", json.dumps({"url": url, "port": config.port, "pids": pids}))
        self._say(f"ready {url}  survey {SURVEY}  admin {url}admin/  user instructor  password {config.password}")

    def _stop_children(self) -> None:
        for name, child in reversed(self._children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                try:
                    child.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    self._say(f"the {name} did not stop within {STOP_S:.0f} s and was killed")
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()

    def _log(self, name: str) -> Path:
        return self._config.lab_dir / "logs" / f"{name}.out"


class _Stopped(Exception):
    """Stopped by a signal while it was starting."""


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a school's proxy does not know this machine
MANAGE = (sys.executable, str(PROJECT / "manage.py"))


def _whole(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or len(text) > 9 or not low <= int(text) <= high:
        raise LabError(f"{name}={text}: must be a whole number from {low} to {high}")
    return int(text)


def _refuse_port_in_use(config: DemoConfig) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn binds: a port in TIME_WAIT is free
        try:
            probe.bind((config.address, config.port))
        except OSError as error:
            raise LabError(
                f"port {config.port} cannot be used: {error.strerror}; choose another with PORT=..."
            ) from None


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
