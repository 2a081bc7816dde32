"""Runs a function as a child process that gets AWS's own event JSON, one event per line.

A line to the function is `{"id", "event"}`. Its answer is a line with `{"id", "reply"}` or
`{"id", "error"}`. The function talks to one region's engine, past its front, and sees little else
of this machine's environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Any

from failover.lab.environment import NO_CLOUD
from failover.lab.errors import LabError

KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
END_S = 3.0
"""How long the end of a killed function's output is waited for."""


class FunctionFailed(LabError):
    """The function did not answer, or answered that it failed; hand the event in again."""


def environment(region: str, port: int, scratch: Path) -> dict[str, str]:
    """The function's environment: its region's engine on loopback, and a folder for its files."""
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        **NO_CLOUD,
        "HOME": str(scratch),
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "FAILOVER_ENDPOINTS": f"{region}=http://127.0.0.1:{port}",
        "FAILOVER_RUN_DIR": str(scratch),
        # Counting may take its time: a large shard keeps an engine busy for a while.
        "FAILOVER_READ_TIMEOUT_S": "5",
        # Rest five times as long as a large shard took: votes get 5/6 of the engine.
        "TALLY_LARGE_REST": "5",
        "PYTHONUNBUFFERED": "1",
    }


class Function:
    """One child process.

    ``invoke`` and ``end`` may be called from any thread, ``end`` more than once.
    """

    def __init__(self, command: Sequence[str], env: dict[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # Ctrl-C in the terminal is for the lab, which then ends its children in order.
                start_new_session=True,
            )
        self._lock = threading.Lock()
        self._pending: dict[int, Future[dict[str, Any]]] = {}
        self._next_id = 0
        self._ended = False
        self._listener = threading.Thread(target=self._listen, name="function-replies", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        return not self._ended and self._process.poll() is None

    def invoke(self, event: dict[str, Any]) -> Future[dict[str, Any]]:
        """Hand an event in. The future gives the reply, or raises FunctionFailed."""
        reply: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._ended:
                reply.set_exception(FunctionFailed("the function has ended"))
                return reply
            number, self._next_id = self._next_id, self._next_id + 1
            self._pending[number] = reply
            line = json.dumps({"id": number, "event": event}) + "\n"
            try:
                if self._process.stdin:
                    self._process.stdin.write(line)
                    self._process.stdin.flush()
            except (OSError, ValueError):
                pass  # it has just ended: the listener thread fails every pending reply
        return reply

    def end(self) -> None:
        """Kill it at once, in the middle of its work: a function has to bear that on AWS too."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.close()
        self._listener.join(END_S)

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            try:
                answer = json.loads(line)
                with self._lock:
                    reply = self._pending.pop(answer["id"], None)
            except (ValueError, KeyError, TypeError):
                continue  # something else that the function printed
            if reply is None:
                continue
            if "error" in answer:
                _fail(reply, FunctionFailed(str(answer["error"])))
            else:
                reply.set_result(answer["reply"])
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()
        with self._lock:
            self._ended = True
            pending, self._pending = self._pending, {}
        for reply in pending.values():
            _fail(reply, FunctionFailed(f"the function ended (exit {self._process.returncode})"))


def _fail(reply: Future[dict[str, Any]], error: FunctionFailed) -> None:
    with contextlib.suppress(InvalidStateError):
        reply.set_exception(error)
