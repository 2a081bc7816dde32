"""How a command, a drill or a test talks to the running lab, and starts one of its own."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from failover.lab.config import PROJECT
from failover.lab.errors import FaultRefused, LabError, LabNotRunning
from failover.lab.files import APP_ENV, CONTROL, TOKEN
from failover.lab.waiting import wait_until

TIMEOUT_S = 60.0
"""Clearing a stop waits until the engine is back and the replicas have been compared."""


class LabClient:
    """The running lab of a directory. Every method raises LabNotRunning, LabError or FaultRefused, in one line."""

    def __init__(self, lab_dir: Path) -> None:
        self.lab_dir = lab_dir

    def state(self) -> dict[str, Any]:
        """The state document: regions, replication, faults, nameserver."""
        return self._ask("GET", "/state")

    def set_fault(
        self,
        region: str,
        kind: str,
        *,
        seconds: float | None = None,
        keep_connections: bool = False,
        ms: int | None = None,
    ) -> dict[str, Any]:
        """Break a region; returns the fault. Raises FaultRefused with nothing changed."""
        asked = {"region": region, "kind": kind, "seconds": seconds, "keep_connections": keep_connections, "ms": ms}
        body = {name: value for name, value in asked.items() if value is not None}
        fault: dict[str, Any] = self._ask("POST", "/faults", body)["fault"]
        return fault

    def clear(self, region: str | None = None) -> list[dict[str, Any]]:
        """Mend a region, or all; returns what was mended."""
        query = "?" + urlencode({"region": region}) if region is not None else ""
        cleared: list[dict[str, Any]] = self._ask("DELETE", "/faults" + query)["cleared"]
        return cleared

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            url = urlsplit(json.loads((self.lab_dir / CONTROL).read_text())["url"])
            token = (self.lab_dir / TOKEN).read_text().strip()
        except (OSError, ValueError, KeyError):
            raise LabNotRunning(
                f"no lab is running in {self.lab_dir}: start one with make demo or manage.py lab"
            ) from None
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_S)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = connection.getresponse()
            document: dict[str, Any] = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LabNotRunning(f"the lab in {self.lab_dir} does not answer ({error}): is it still running?") from error
        finally:
            connection.close()
        if reply.status == http.HTTPStatus.CONFLICT:
            raise FaultRefused(document["error"])
        if reply.status != http.HTTPStatus.OK:
            raise LabError(document["error"])
        return document


class LabProcess:
    """A lab as a child process that ends with its parent, whatever happens to the parent.

    A context manager; inside it the lab is ready. ``command`` defaults to the lab without Django, which needs
    ``specs``.
    """

    def __init__(
        self,
        lab_dir: Path,
        *,
        specs: Path | None = None,
        command: list[str] | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.lab_dir = lab_dir
        self.client = LabClient(lab_dir)
        default = [sys.executable, "-m", "failover.lab", "--lab-dir", str(lab_dir), "--specs", str(specs)]
        self._command = command or default
        self._env = os.environ | (env or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None

    @property
    def pid(self) -> int:
        """The lab's own pid."""
        if self._process is None:
            raise LabNotRunning("the lab was not started")
        return self._process.pid

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Start and wait until it is ready. Raises LabError with the lab's own line when it is not."""
        read_end, self._lifeline = os.pipe()
        (self.lab_dir / "logs").mkdir(parents=True, exist_ok=True)
        errors = self.lab_dir / "logs" / "lab-stderr.log"
        with errors.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._command,
                cwd=PROJECT,
                env=self._env | {"LAB_LIFELINE_FD": str(read_end), "LAB_DIR": str(self.lab_dir)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(read_end,),
                start_new_session=True,  # Ctrl-C is the parent's to handle; the lifeline then ends the lab
            )
        os.close(read_end)
        process = self._process
        ready = wait_until(lambda: process.poll() is not None or self._ready(process.pid), timeout_s)
        if process.poll() is not None or not ready:
            self.stop()
            said = errors.read_text(errors="replace").strip().splitlines()
            raise LabError(said[-1] if said else f"the lab in {self.lab_dir} was not ready in {timeout_s:g} s")

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """End it in order; harmless when it has ended."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> LabProcess:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def _ready(self, pid: int) -> bool:
        """app.env is written last; another lab's would not carry this pid."""
        try:
            control = json.loads((self.lab_dir / CONTROL).read_text())
        except (OSError, ValueError):
            return False
        return control.get("pid") == pid and (self.lab_dir / APP_ENV).exists()
