"""Runs the whole demo: the lab, the monitor and the web tier, as child processes that end with it.

The monitor and the web tier are started again when they die, as a service manager would do in
production. Without its lab a demo has no regions: when the lab ends, the demo ends.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from failover.lab import environment
from failover.lab.config import PROJECT
from failover.lab.control.client import LabClient
from failover.lab.demo.children import Children
from failover.lab.demo.config import DemoConfig
from failover.lab.demo.stock import StockTier
from failover.lab.disk import DiskWatch
from failover.lab.engine.leash import UNSAVED
from failover.lab.errors import LabError
from failover.lab.files import APP_ENV, CONTROL, DEMO_LOCK, DirLock, write_whole
from failover.lab.logs import last_line

START_S = 90.0
"""How long each part may take until it is ready."""
RESTARTED = ("monitor", "web")
SURVEY = "DEMO20"
SURVEY_FILE = "polls/demo_survey.json"
MANAGE = (sys.executable, str(PROJECT / "manage.py"))
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", str(PROJECT / "deploy" / "gunicorn.conf.py"))
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Opens addresses without a proxy: a school's proxy does not know this machine."""


class Demo:
    """Starts the parts in order and stops them in the opposite one. `run` blocks until stopped."""

    def __init__(self, config: DemoConfig, *, say: Callable[[str], object]) -> None:
        self._config = config
        self._say = say
        self._stopping = threading.Event()
        self._children = Children(config.lab_dir, _environment(config), say=say)
        self._stock = StockTier(config.lab_dir, self._app_env, host=config.listens[0], ours=config.port)
        self._lock: DirLock | None = None

    def stop(self) -> None:
        """End `run`; may be called from a signal handler."""
        self._stopping.set()

    def run(self, prepare: Callable[[], None]) -> None:
        """Run the demo; `prepare` (accounts) is called once the lab is ours.

        Raises LabError in one line.
        """
        try:
            self._take_directory()
            self._start_lab()
            prepare()
            self._start_monitor_and_web()
            if not self._stopping.is_set():
                self._say_ready()
            self._watch()
        except _Stopped:
            pass
        finally:
            self._stock.stop()
            self._children.stop()
            if self._lock is not None:
                (self._config.lab_dir / "demo.json").unlink(missing_ok=True)
                self._lock.release()
        self._check_end_of_lab()

    def _take_directory(self) -> None:
        """Take the directory for this demo.

        Raises LabError when another demo or lab works in it; nothing is touched then.
        """
        lab = DirLock(self._config.lab_dir)
        lab.take()
        lab.release()  # the lab itself takes it for good
        lock = DirLock(self._config.lab_dir, DEMO_LOCK, "demo")
        lock.take()
        self._lock = lock

    def _start_lab(self) -> None:
        self._children.start("lab", [*MANAGE, "lab"])
        self._await("lab", self._lab_is_ready)
        self._await("lab", self._regions_are_open)

    def _start_monitor_and_web(self) -> None:
        """Start both and import the survey meanwhile.

        Wait for the monitor's first status and for the web tier.
        """
        status = self._config.lab_dir / "run" / "status.json"
        before = _changed_at(status)  # the last demo's monitor left one
        self._children.start("monitor", [*MANAGE, "monitor"])
        self._children.start("web", GUNICORN)
        lines = self._manage("survey", "import", "--keep", "--renew", str(PROJECT / SURVEY_FILE))
        for notice in lines[1:]:  # the first line is the code; a notice says that a new round began
            self._say(notice)
        self._await("monitor", lambda: _changed_at(status) != before)
        self._await("web", self._web_answers)

    def _watch(self) -> None:
        """Keep the children running until stopped, and warn of a disk that gets full."""
        disk = DiskWatch(self._config.lab_dir)
        while not self._stopping.wait(0.2):
            try:
                has_changed = self._stock.step()
                if self._children.keep_running(RESTARTED) or has_changed:
                    self._write_pids()
            except OSError as error:  # a full disk: the rest goes on, and with it the votes that are in memory
                self._say(f"a file in LAB_DIR={self._config.lab_dir} could not be written: {error.strerror}")
            if line := disk.line():
                self._say(line)

    def _app_env(self) -> dict[str, str]:
        """The environment of an application that is none of ours, in this lab."""
        lines = (self._config.lab_dir / APP_ENV).read_text().splitlines()
        return {
            **self._children.environment,
            **dict(line.split("=", 1) for line in lines),
            "FAILOVER_RUN_DIR": str(self._config.lab_dir / "run"),
        }

    def _check_end_of_lab(self) -> None:
        """Raises LabError when the lab lost votes or did not stop in order."""
        code = self._children.exit_code("lab")
        if code == UNSAVED:  # the lab's own message may have gone to a log on the same full disk
            raise LabError(
                f"the votes could not be saved in LAB_DIR={self._config.lab_dir}: is the disk full? Those since the "
                "last stop are lost; what was saved before is kept"
            )
        # SIGTERM: it was stopped before it listened for signals.
        if code not in (None, 0, -signal.SIGTERM):
            raise LabError(f"the lab did not stop in order: {self._children.how_it_ended('lab')}")

    def _manage(self, *arguments: str) -> list[str]:
        """Run a management command and return the lines that it printed.

        Raises LabError in one line.
        """
        command = subprocess.run(
            [*MANAGE, *arguments],
            cwd=PROJECT,
            env=self._children.environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if command.returncode != 0 and not self._stopping.is_set():
            raise LabError(f"manage.py {' '.join(arguments)}: {last_line(command.stderr or command.stdout)}")
        return command.stdout.splitlines()

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            self._children.check()
            if time.monotonic() > deadline:
                raise LabError(f"the {name} was not ready within {START_S:.0f} s: see {self._children.log(name)}")
            if self._stopping.wait(0.05):
                raise _Stopped

    def _lab_is_ready(self) -> bool:
        """Whether our own lab is: the files of a lab that was killed may still be there."""
        try:
            control = json.loads((self._config.lab_dir / CONTROL).read_text())
        except (FileNotFoundError, ValueError):
            return False
        return control["pid"] == self._children.pid("lab") and (self._config.lab_dir / APP_ENV).exists()

    def _regions_are_open(self) -> bool:
        """A front opens once the replicas have been compared.

        With very many ballots the lab is ready before that.
        """
        return all(region["front"]["open"] for region in LabClient(self._config.lab_dir).state()["regions"])

    def _web_answers(self) -> bool:
        try:
            with DIRECT.open(f"http://127.0.0.1:{self._config.port}/healthz/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except (OSError, http.client.HTTPException):
            return False

    def _say_ready(self) -> None:
        url, config = self._config.url, self._config
        self._write_pids()
        if len(config.urls) > 1:
            others = ", ".join(config.urls[1:])
            self._say(f"where phones cannot open {url} try {others}; HOST=<address> puts an address into the QR code")
        self._say(f"ready {url}  survey {SURVEY}  admin {url}admin/  user instructor  password {config.password}")

    def _write_pids(self) -> None:
        config = self._config
        pids = {"demo": os.getpid(), **self._children.pids()}
        document = {"url": config.url, "port": config.port, "stock": self._stock.port, "pids": pids}
        write_whole(config.lab_dir / "demo.json", json.dumps(document))


class _Stopped(Exception):
    """Stopped by a signal while the demo was starting."""


def _environment(config: DemoConfig) -> dict[str, str]:
    return {
        **environment.for_child(os.environ),
        "LAB_DIR": str(config.lab_dir),
        "LAB_RUN": "",  # the demo's own run directory, whatever this shell says
        "DJANGO_SETTINGS_MODULE": "surveyapp.settings.lab",
        "DJANGO_ALLOWED_HOSTS": ",".join(config.hosts),
        "SURVEY_PUBLIC_URL": config.url if config.is_open else "",
        "BIND": config.bind,
        "WORKERS": str(config.workers),
    }


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
