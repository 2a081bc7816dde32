"""The CPU time of each part of a demo, from /proc; nothing where there is no /proc."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process by /proc. `cpu` is the user and system time of all its threads, in seconds."""

    pid: int
    parent: int
    cpu: float
    command: str


def parts(folder: Path) -> dict[str, float]:
    """CPU seconds so far of each part of the demo in `folder`, of living processes. Empty without /proc."""
    pids: dict[str, int] = json.loads((folder / "demo.json").read_text())["pids"]
    return by_part(_processes(), pids)


def by_part(processes: Mapping[int, Process], roots: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds by part. A process belongs to the nearest of `roots` among its ancestors.

    Engines and functions are parts of their own, though the lab starts them.
    """
    named = {pid: name for name, pid in roots.items()}
    seconds: dict[str, float] = {}
    for process in processes.values():
        at: Process | None = process
        while at is not None and at.pid not in named:
            at = processes.get(at.parent)
        if at is None:
            continue
        part = named[at.pid]
        if part == "lab" and process.pid != at.pid:
            part = "functions" if "handler.py" in process.command else "engines"
        seconds[part] = seconds.get(part, 0.0) + process.cpu
    return seconds


def used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds of each part in between, the most first. A replaced process counts from its start."""
    spent = {part: max(0.0, seconds - before.get(part, 0.0)) for part, seconds in after.items()}
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _processes() -> dict[int, Process]:
    tick = os.sysconf("SC_CLK_TCK")
    processes = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            line, command = stat.read_text(), stat.with_name("cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has just ended
        process = parse(line, command, tick=tick)
        processes[process.pid] = process
    return processes


def parse(stat: str, command: str, *, tick: int) -> Process:
    """A process from its line in /proc. The name in brackets may hold any character."""
    pid, _, rest = stat.partition(" (")
    fields = rest.rpartition(") ")[2].split()
    return Process(int(pid), int(fields[1]), (int(fields[11]) + int(fields[12])) / tick, command)
