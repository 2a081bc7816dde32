"""The whole demo: the lab, the monitor and the web tier as child processes of one that ends them all.

The children hold the reading end of a pipe: when this process is gone, however it went, they end by themselves. The
monitor and the web tier are started again when they die, as a service manager would do in production; without its lab a
demo has no regions, and ends.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from failover.adapters import lifeline
from failover.lab import environment
from failover.lab.config import PROJECT
from failover.lab.control.client import LabClient
from failover.lab.demo.config import DemoConfig
from failover.lab.engine.leash import UNSAVED
from failover.lab.errors import LabError
from failover.lab.files import APP_ENV, CONTROL, DEMO_LOCK, DirLock, DiskWatch, write_whole

START_S = 90.0
STOP_S = 12.0
RESTARTED = ("monitor", "web")
MOST_RESTARTS, WITHIN_S = 5, 60.0
SURVEY = "DEMO20"
SURVEY_FILE = "polls/demo_survey.json"


class Demo:
    """Starts the parts in order and stops them in the opposite one. `run` blocks until stopped."""

    def __init__(self, config: DemoConfig, *, say: Callable[[str], object]) -> None:
        self._config = config
        self._say = say
        self._stopping = threading.Event()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, Sequence[str]] = {}
        self._restarts: deque[float] = deque(maxlen=MOST_RESTARTS)
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
            self._await("lab", self._regions_are_open)
            prepare()
            status = self._config.lab_dir / "run" / "status.json"
            before = _changed_at(status)  # the last demo's monitor left one
            self._start("monitor", [*MANAGE, "monitor"])
            self._start("web", [sys.executable, "-m", "gunicorn", "-c", str(PROJECT / "deploy" / "gunicorn.conf.py")])
            told = self._manage("survey", "import", "--keep", "--renew", str(PROJECT / SURVEY_FILE))
            for notice in told[1:]:  # behind the code: that a new round began
                self._say(notice)
            self._await("monitor", lambda: _changed_at(status) != before)
            self._await("web", self._answers)
            if not self._stopping.is_set():
                self._ready()
            disk = DiskWatch(self._config.lab_dir)
            while not self._stopping.wait(0.2):
                self._keep_running()
                if line := disk.line():
                    self._say(line)
        except _Stopped:
            pass
        finally:
            self._stop_children()
            if self._lock is not None:
                (self._config.lab_dir / "demo.json").unlink(missing_ok=True)
                self._lock.release()
        lab = self._children.get("lab")
        if lab is not None and lab.returncode == UNSAVED:  # its log may lie on the same full disk: we say it
            raise LabError(
                f"the votes could not be saved in LAB_DIR={self._config.lab_dir}: is the disk full? Those since the "
                "last stop are lost; what was saved before is kept"
            )
        if lab is not None and lab.returncode not in (0, -signal.SIGTERM):  # the latter: it had not yet begun
            raise LabError(f"the lab did not stop in order: {self._told('lab')}")

    def _take_directory(self) -> None:
        """Raises LabError, before anything is touched, when another demo or lab works in the directory."""
        lab_dir = self._config.lab_dir
        lab = DirLock(lab_dir)
        lab.take()
        lab.release()  # the lab itself takes it for good
        lock = DirLock(lab_dir, DEMO_LOCK, "demo")
        lock.take()
        self._lock = lock

    def _environment(self) -> dict[str, str]:
        config = self._config
        return {
            **environment.for_child(os.environ),
            "LAB_DIR": str(config.lab_dir),
            "DJANGO_SETTINGS_MODULE": "surveyapp.settings.lab",
            "DJANGO_ALLOWED_HOSTS": ",".join(config.hosts),
            "SURVEY_PUBLIC_URL": config.url if config.is_open else "",
            "BIND": config.bind,
            "WORKERS": str(config.workers),
            lifeline.VARIABLE: str(self._alive),
        }

    def _start(self, name: str, command: Sequence[str]) -> None:
        logs = self._config.lab_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with open(logs / f"{name}.out", "ab" if name in self._children else "wb") as out:
            self._children[name] = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=(self._alive,),
                start_new_session=True,  # Ctrl-C reaches this process alone, which stops them in order
            )
        self._commands[name] = command

    def _manage(self, *arguments: str) -> list[str]:
        """Runs a management command; the lines that it printed. Raises LabError in one line."""
        done = subprocess.run(
            [*MANAGE, *arguments],
            cwd=PROJECT,
            env=self._environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0 and not self._stopping.is_set():
            raise LabError(f"manage.py {' '.join(arguments)}: {_last_line(done.stderr or done.stdout)}")
        return done.stdout.splitlines()

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            self._all_run()
            if time.monotonic() > deadline:
                raise LabError(f"the {name} was not ready within {START_S:.0f} s: see {self._log(name)}")
            if self._stopping.wait(0.05):
                raise _Stopped

    def _all_run(self) -> None:
        for name, child in self._children.items():
            if child.poll() is not None:
                raise LabError(f"the {name} ended by itself: {self._told(name)}")

    def _keep_running(self) -> None:
        """Starts again what died. Raises LabError for the lab, and for what dies again and again."""
        for name in RESTARTED:
            child = self._children[name]
            if child.poll() is None:
                continue
            now = time.monotonic()
            if len(self._restarts) == MOST_RESTARTS and now - self._restarts[0] < WITHIN_S:
                break
            self._restarts.append(now)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # the workers of a web tier that was killed still hold its port
            self._say(f"the {name} is started again, since it ended by itself: {self._told(name)}")
            try:
                self._start(name, self._commands[name])
                self._note_pids()
            except OSError as error:  # a full disk: what runs goes on, and the votes in memory with it
                self._say(f"a file in LAB_DIR={self._config.lab_dir} could not be written: {error.strerror}")
        self._all_run()

    def _told(self, name: str) -> str:
        code = self._children[name].returncode
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"{_last_line(self._log(name).read_text(errors='replace'))} ({self._log(name)})"

    def _lab_is_ready(self) -> bool:
        """Whether our own lab is: the files of one that was killed may still lie there."""
        try:
            control = json.loads((self._config.lab_dir / CONTROL).read_text())
        except (FileNotFoundError, ValueError):
            return False
        return control["pid"] == self._children["lab"].pid and (self._config.lab_dir / APP_ENV).exists()

    def _regions_are_open(self) -> bool:
        """A front opens when the replicas have been compared, and very many ballots take longer than the lab waits."""
        return all(region["front"]["open"] for region in LabClient(self._config.lab_dir).state()["regions"])

    def _answers(self) -> bool:
        try:
            with DIRECT.open(f"http://127.0.0.1:{self._config.port}/healthz/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except (OSError, http.client.HTTPException):
            return False

    def _ready(self) -> None:
        url, config = self._config.url, self._config
        self._note_pids()
        if len(config.urls) > 1:
            others = ", ".join(config.urls[1:])
            self._say(f"where phones cannot open {url} try {others}; HOST=<address> puts an address into the QR code")
        self._say(f"ready {url}  survey {SURVEY}  admin {url}admin/  user instructor  password {config.password}")

    def _note_pids(self) -> None:
        config = self._config
        pids = {"demo": os.getpid(), **{name: child.pid for name, child in self._children.items()}}
        write_whole(config.lab_dir / "demo.json", json.dumps({"url": config.url, "port": config.port, "pids": pids}))

    def _stop_children(self) -> None:
        for name, child in reversed(self._children.items()):
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


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
