"""The files by which the lab is found: written whole or not at all, removed when it stops."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failover.lab.config import endpoint_host
from failover.lab.errors import LabError

LOCK, DEMO_LOCK, SECRETS = "lab.lock", "demo.lock", "secrets.env"
LOOK_S = 0.2
"""How long a lock is tried for that somebody may hold only to look."""
APP_ENV, CONTROL, TOKEN, CA = "app.env", "control.json", "control.token", "tls/ca.pem"


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write beside, then rename: a reader sees the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "w") as out:
            out.write(text)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_app_env(lab_dir: Path, fronts: Mapping[str, int], nameserver: int, *, tls: bool) -> None:
    """What the application needs to run against this lab: written last, so that it also means "ready"."""
    scheme = "https" if tls else "http"
    endpoints = ",".join(f"{region}={scheme}://{endpoint_host(region)}:{port}" for region, port in fronts.items())
    lines = {
        "FAILOVER_REGIONS": ",".join(fronts),
        "FAILOVER_ENDPOINTS": endpoints,
        "FAILOVER_NAMESERVER": f"127.0.0.1:{nameserver}",
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    }
    if tls:
        lines["AWS_CA_BUNDLE"] = str(lab_dir / CA)
    write_whole(lab_dir / APP_ENV, "".join(f"{name}={value}\n" for name, value in lines.items()))


def write_control(lab_dir: Path, url: str, engines: Mapping[str, Mapping[str, Any]]) -> None:
    """Where the control server listens, and the engines' pids and ports."""
    document = {"url": url, "pid": os.getpid(), "engines": engines}
    write_whole(lab_dir / CONTROL, json.dumps(document, indent=1) + "\n")


def write_token(lab_dir: Path, token: str) -> None:
    """The key to the control server, readable by its owner alone."""
    write_whole(lab_dir / TOKEN, token + "\n", mode=0o600)


def remove(lab_dir: Path) -> None:
    """Take everything away by which a lab is found."""
    for name in (APP_ENV, CONTROL, TOKEN, CA):
        (lab_dir / name).unlink(missing_ok=True)


def is_running(lab_dir: Path, lock: str = LOCK) -> bool:
    """Whether a lab (or a demo, by its lock) works in the directory. It holds its lock for as long as it lives, however
    it ends; the files of one that was killed stay, and its ports may be another program's by now.
    """
    try:
        handle = os.open(lab_dir / lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def why_closed(lab_dir: Path) -> str:
    """One line when no application can use a lab in this directory now; else nothing."""
    if not is_running(lab_dir):
        return f"no lab is running in LAB_DIR={lab_dir}: start `make demo`"
    if not (lab_dir / APP_ENV).exists():
        return f"the lab in LAB_DIR={lab_dir} is still starting: try again when it says that it is ready"
    return ""


class DirLock:
    """Keeps a second lab (or `what` it is) out of the same directory for as long as this process lives."""

    def __init__(self, lab_dir: Path, name: str = LOCK, what: str = "lab") -> None:
        self._path = lab_dir / name
        self._what = what
        self._handle: int | None = None

    def take(self) -> None:
        """Raises LabError, in one line, when another lab has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(handle):
            owner = os.read(handle, 32).decode(errors="replace").strip()
            os.close(handle)
            where = self._path.parent
            raise LabError(
                f"a {self._what} (pid {owner}) is already running in {where}: stop it, or set another LAB_DIR"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def release(self) -> None:
        """Let the next lab in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _locked(handle: int) -> bool:
    """Takes the lock. It is tried for a moment, since `is_running` holds it for an instant to look."""
    deadline = time.monotonic() + LOOK_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S / 20)
