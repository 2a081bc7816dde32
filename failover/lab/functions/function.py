"""A function of the cloud as the lab runs it: a child process that is handed AWS's own event JSON, a line an event.

It gets `{"id", "event"}` and answers `{"id", "reply"}` or `{"id", "error"}`. It sees one region, straight at its
engine, and nothing else of this machine's environment.
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


class FunctionFailed(LabError):
    """The function did not answer, or said that it failed; the event is to be handed in again."""


def environment(region: str, port: int, scratch: Path) -> dict[str, str]:
    """What the function is told: its region's engine on loopback, and a place for its files."""
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        **NO_CLOUD,
        "HOME": str(scratch),
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "FAILOVER_ENDPOINTS": f"{region}=http://127.0.0.1:{port}",
        "FAILOVER_RUN_DIR": str(scratch),
        "FAILOVER_READ_TIMEOUT_S": "5",  # counting is in no hurry: a large shard takes an engine a while
        "TALLY_LARGE_REST": "5",  # and five sixths of the time it leaves the engine to the votes
        "PYTHONUNBUFFERED": "1",
    }


class Function:
    """One child process. ``invoke`` and ``end`` may be called from any thread, ``end`` more than once."""

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
                start_new_session=True,  # Ctrl-C in the terminal is for the lab, which then ends its children in order
            )
        self._lock = threading.Lock()
        self._asked: dict[int, Future[dict[str, Any]]] = {}
        self._next = 0
        self._ended = False
        self._listener = threading.Thread(target=self._listen, name="function-replies", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        return not self._ended and self._process.poll() is None

    def invoke(self, event: dict[str, Any]) -> Future[dict[str, Any]]:
        """Hands an event in. The future gives the reply, or raises FunctionFailed."""
        reply: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._ended:
                reply.set_exception(FunctionFailed("the function has ended"))
                return reply
            number, self._next = self._next, self._next + 1
            self._asked[number] = reply
            line = json.dumps({"id": number, "event": event}) + "\n"
            try:
                if self._process.stdin:
                    self._process.stdin.write(line)
                    self._process.stdin.flush()
            except (OSError, ValueError):
                pass  # it has just ended: whoever listens to it tells everyone who asked
        return reply

    def end(self) -> None:
        """Ends it at once, in the middle of whatever it does: a function must bear that, on AWS too."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.close()
        self._listener.join(END_S)

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            try:
                told = json.loads(line)
                with self._lock:
                    reply = self._asked.pop(told["id"], None)
            except (ValueError, KeyError, TypeError):
                continue  # something that the function printed, no answer
            if reply is None:
                continue
            if "error" in told:
                _settle(reply, FunctionFailed(str(told["error"])))
            else:
                reply.set_result(told["reply"])
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()
        with self._lock:
            self._ended = True
            asked, self._asked = self._asked, {}
        for reply in asked.values():
            _settle(reply, FunctionFailed(f"the function ended (exit {self._process.returncode})"))


def _settle(reply: Future[dict[str, Any]], error: FunctionFailed) -> None:
    with contextlib.suppress(InvalidStateError):
        reply.set_exception(error)
