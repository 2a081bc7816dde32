"""The single-region application beside the demo: started when a page asks for it, and no sooner.

A web worker only leaves a note, so none of its threads ever waits for that application. What becomes
of it concerns nobody else: when it ends by itself, the next note starts it again.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from failover.lab.demo.children import Children

NAME, NOTE = "stock", "stock.wanted"
COMMAND = (sys.executable, "-m", "gunicorn", "-c", "python:failover.drills.strategies.server")
APPLICATION = "failover.drills.stock.app:create()"


class StockTier:
    """Starts it, and says where it listens once it does.

    `environment` gives the variables of an application of the running lab. It listens on `host`, and
    `ours` is the port of our application.
    """

    def __init__(self, lab_dir: Path, environment: Callable[[], Mapping[str, str]], *, host: str, ours: int) -> None:
        self._lab_dir, self._environment, self._host, self._ours = lab_dir, environment, host, ours
        self._note = lab_dir / "run" / NOTE
        self._children: Children | None = None
        self._port: int | None = None
        self._is_ready = False
        self._note.unlink(missing_ok=True)

    @property
    def port(self) -> int | None:
        """Where it listens; None until it does."""
        return self._port if self._is_ready else None

    def step(self) -> bool:
        """Start it when it is wanted. Returns whether `port` has just changed."""
        before = self.port
        if self._children is not None and self._children.exit_code(NAME) is not None:
            self._children, self._port, self._is_ready = None, None, False
        if self._children is None and self._note.exists():
            self._note.unlink()
            self._start()
        if self._port is not None and not self._is_ready:
            with socket.socket() as probe:
                probe.settimeout(0.1)
                self._is_ready = probe.connect_ex(("127.0.0.1", self._port)) == 0
        return self.port != before

    def stop(self) -> None:
        """End it."""
        if self._children is not None:
            self._children.stop()

    def _start(self) -> None:
        with socket.create_server((self._host, 0)) as free:
            self._port = free.getsockname()[1]
        environment = {**self._environment(), "STOCK_OURS": str(self._ours)}
        self._children = Children(self._lab_dir, environment, say=lambda _line: None)
        self._children.start(NAME, [*COMMAND, "--bind", f"{self._host}:{self._port}", APPLICATION])


def ask_for(lab_dir: Path) -> None:
    """Leave the note that it is wanted. Raises OSError."""
    (lab_dir / "run" / NOTE).touch()
