"""The files by which other processes find the lab, and the lock on its directory.

A file is written whole or not at all. The lab removes its files when it stops.
"""

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

LOCK, DEMO_LOCK, DRILL_LOCK, SECRETS = "lab.lock", "demo.lock", "drill.lock", "secrets.env"
APP_ENV, CONTROL, TOKEN, CA = "app.env", "control.json", "control.token", "tls/ca.pem"
SECOND_RUN = "run-second"
"""The run directory of a second web tier and its monitor, beside the demo's own (`LAB_RUN`)."""
LOCK_PATIENCE_S = 0.2
"""How long taking a lock is tried: `is_running` holds it for an instant."""


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write another file and rename it: a reader sees the old file or the new one.

    ``mode`` is for a new file.
    """
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
    """Write the variables with which the application finds this lab.

    Written last: the file means "ready".

    ``fronts`` has the port of each region's front, ``nameserver`` is the nameserver's port.
    """
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
    """Write where the control server listens, and the engines' pids and ports."""
    document = {"url": url, "pid": os.getpid(), "engines": engines}
    write_whole(lab_dir / CONTROL, json.dumps(document, indent=1) + "\n")


def write_token(lab_dir: Path, token: str) -> None:
    """Write the control server's token, readable by its owner alone."""
    write_whole(lab_dir / TOKEN, token + "\n", mode=0o600)


def remove(lab_dir: Path) -> None:
    """Remove every file by which a lab is found."""
    for name in (APP_ENV, CONTROL, TOKEN, CA):
        (lab_dir / name).unlink(missing_ok=True)


def is_running(lab_dir: Path, lock: str = LOCK) -> bool:
    """Whether a lab works in the directory, or a demo when ``lock`` is DEMO_LOCK.

    The lock alone can tell: it is held for as long as the process lives, however that ends. The
    files of a lab that was killed stay behind, and its ports may belong to another program by now.
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
    """One line that says why no application can use a lab in this directory now.

    Empty when one can.
    """
    if not is_running(lab_dir):
        return f"no lab is running in LAB_DIR={lab_dir}: start `make demo`"
    if not (lab_dir / APP_ENV).exists():
        return f"the lab in LAB_DIR={lab_dir} is still starting: try again when it says that it is ready"
    return ""


class DirLock:
    """Keeps a second lab out of the directory for as long as this process lives.

    ``what`` names the kind of process in the message to the second one: a lab or a demo.
    """

    def __init__(self, lab_dir: Path, name: str = LOCK, what: str = "lab") -> None:
        self._path = lab_dir / name
        self._what = what
        self._handle: int | None = None

    def take(self) -> None:
        """Take the lock. Raises LabError, in one line, when another process holds it."""
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
        """Give the lock back. Harmless when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _locked(handle: int) -> bool:
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOCK_PATIENCE_S / 20)
