"""Plays a drill's timeline: breaks, mends, pins and resets, and writes each down as it was seen."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

from failover.drills import exports
from failover.drills.drill import ORDINALS, Action, Do, Drill
from failover.drills.entries import Act
from failover.drills.exports import ExportFailed
from failover.drills.ledger import LedgerFile
from failover.lab.control.client import LabClient
from failover.lab.errors import LabError
from failover.lab.faults import verify
from failover.lab.faults.outside import region_of

SPARE_S = 60.0
"""A fault ends by itself so long after the drill should have ended it."""


class Timeline:
    """Plays in a thread of its own. `problem` says what could not be done; empty when all could."""

    def __init__(
        self,
        drill: Drill,
        regions: Sequence[str],
        code: str,
        *,
        lab: LabClient,
        book: LedgerFile,
        say: Callable[[str], object],
    ) -> None:
        self._drill, self._regions, self._code = drill, regions, code
        self._lab, self._book, self._say = lab, book, say
        self._over = threading.Event()
        self._has_pinned = False
        self.problem = ""
        self.is_complete = False
        """Whether everything was played."""
        self._thread = threading.Thread(target=self._play, name="timeline", daemon=True)

    def start(self, began: float) -> None:
        """Begin; `began` is when the first vote was due, in epoch s."""
        self._began = began
        self._thread.start()

    def end(self) -> None:
        """Play no further, and put back what is still broken. Harmless when nothing was begun."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(60)
        for fault in self._lab.clear():
            self._write("clear", fault["region"], fault["kind"], "cleared at the end of the drill", time.time())
        if self._has_pinned:
            self._has_pinned = False
            self._route("auto")

    def _play(self) -> None:
        for action in self._drill.timeline:
            if self._over.wait(max(0.0, self._began + action.at - time.time())):
                return
            try:
                self._do(action)
            except (LabError, ExportFailed, OSError) as error:
                self.problem = f"at {action.at:g} s, {action.do} {action.kind} {action.region}: {error}"
                self._say(self.problem)
                return
        self.is_complete = True

    def _do(self, action: Action) -> None:
        region = self._regions[ORDINALS[action.region]] if action.region else None
        self._say(f"{action.at:4.0f} s  {action.text}")
        match action.do:
            case Do.FAULT if region:
                self._fault(action, region)
            case Do.CLEAR:
                self._clear(action, region)
            case Do.KILL if region:
                pid, at = region_of(self._lab.state(), region)["engine"]["pid"], time.time()
                if pid is None:
                    raise ExportFailed(f"the engine of {region} does not run, so it cannot be killed")
                os.kill(pid, signal.SIGKILL)
                self._write("kill", region, "kill", action.text, at)
            case Do.PIN if region:
                self._has_pinned, at = True, time.time()
                self._route("pin", region, *(["--force"] if action.force else []))
                self._write("pin", region, "", action.text, at)
            case Do.AUTO:
                at = time.time()
                self._route("auto")
                self._has_pinned = False
                self._write("auto", "", "", action.text, at)
            case Do.RESET:
                at = time.time()
                exports.output_of("survey", "reset", self._code, "--open")
                self._write("reset", "", "", action.text, at)
            case _:
                self._write("say", "", "", action.text, time.time())

    def _fault(self, action: Action, region: str) -> None:
        before, at = self._lab.state(), time.time()
        seconds = self._drill.seconds - action.at + SPARE_S
        fault = self._lab.set_fault(
            region, action.kind, seconds=seconds, keep_connections=action.keep_connections, ms=action.ms
        )
        finding = verify.took_hold(before, fault)
        if not finding.holds:
            raise ExportFailed(f"it did not take hold: {finding.text}")
        self._write(
            "prepare" if action.prepares else "fault", region, action.kind, f"{action.text}. {finding.sentence}", at
        )

    def _clear(self, action: Action, region: str | None) -> None:
        at = time.time()
        for fault in self._lab.clear(region, action.kind or None):
            finding = verify.is_gone(self._lab.state(), fault)
            self._write("clear", fault["region"], fault["kind"], f"{action.text}. {finding.sentence}", at)

    def _route(self, mode: str, *arguments: str) -> None:
        exports.output_of("routing", mode, *arguments, "--reason", f"drill {self._drill.name}")

    def _write(self, what: str, region: str, kind: str, text: str, at: float) -> None:
        self._book.write(Act(what, region, kind, text, at))
