"""Plays every kind of fault in both regions, again and again, unattended, and counts what was lost.

It starts demos of its own, one that speaks plain HTTP and one that speaks TLS, so a class is not
disturbed. Each run is a short drill in a process of its own; what it came to is one line in
`matrix.jsonl`, and a matrix that was stopped goes on behind the last line.

Circuits that open again and again are held open longer (the engine calls it flapping), so each run
begins with a monitor that remembers nothing, and the run is not played before its status says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from failover.drills.drill import ORDINALS
from failover.drills.exports import ExportFailed
from failover.drills.play.preflight import STEADY_S, status_of
from failover.lab import environment
from failover.lab.config import PROJECT
from failover.lab.demo.children import Children
from failover.lab.demo.demo import MANAGE
from failover.lab.faults.kinds import KINDS
from failover.lab.logs import last_line, last_line_of

RESULTS = "matrix.jsonl"
START_S = 120.0
RUN_S = STEADY_S + 120.0
"""How long one run may take, the wait for the steady state included."""
DEMO = "demo"
DRILL = """
title = "{kind} in the {region} region"
claim = "One kind of fault, in one region."
question = "Is a vote lost, and how long does it take?"
steady = "Every vote is acknowledged by the first region."
limits = "A short run with few students."
rollback = "manage.py fault --clear"
seconds = 9.5

[students]
rate = 15
students = 60
tries = 4

[[timeline]]
at = 2.5
do = "fault"
region = "{region}"
kind = "{kind}"
text = "{kind} in the {region} region"

[[timeline]]
at = 7
do = "clear"
text = "it is mended"

[[hypothesis]]
text = "no acknowledged vote is lost"
measure = "lost"
most = 0
"""


@dataclass(frozen=True, order=True)
class Cell:
    """One run: a kind of fault, the region by its order, and which repeat of it."""

    repeat: int
    kind: str
    region: str


@dataclass(frozen=True)
class Result:
    """What a run came to; times in ms."""

    kind: str
    region: str
    repeat: int
    attempted: int
    failed: int
    lost: int
    duplicated: int
    rto_ms: float | None
    switched_ms: float | None
    worst_ms: float | None


def cells(repeats: int, *, tls: bool, kinds: Sequence[str] = ()) -> list[Cell]:
    """Every run in order. With `tls` the kinds that need it, without it the others; `kinds` narrows."""
    chosen = [kind.name for kind in KINDS if kind.needs_tls is tls and (not kinds or kind.name in kinds)]
    return sorted(Cell(repeat, kind, region) for repeat in range(repeats) for kind in chosen for region in ORDINALS)


def results(directory: Path) -> list[Result]:
    """What was played so far. Raises ExportFailed for a file that is not a matrix's."""
    path = directory / RESULTS
    if not path.exists():
        return []
    try:
        return [Result(**json.loads(line)) for line in path.read_text().splitlines()]
    except (ValueError, TypeError) as error:
        raise ExportFailed(f"{path}: is not what a matrix writes: {error}") from error


def play(directory: Path, repeats: int, *, kinds: Sequence[str] = (), say: Callable[[str], object]) -> list[Result]:
    """Plays what is missing, and returns everything. Raises ExportFailed."""
    done = {Cell(result.repeat, result.kind, result.region) for result in results(directory)}
    for tls in (False, True):
        missing = [cell for cell in cells(repeats, tls=tls, kinds=kinds) if cell not in done]
        if missing:
            lab_dir = directory / ("tls" if tls else "plain")
            with _demo(lab_dir, tls=tls) as env:
                for number, cell in enumerate(missing, 1):
                    result = _run(cell, directory, lab_dir, env)
                    with (directory / RESULTS).open("a") as out:
                        out.write(json.dumps(asdict(result)) + "\n")
                    say(f"{number} of {len(missing)}{' with TLS' if tls else ''}  {_line(result)}")
    return results(directory)


def table(played: Sequence[Result]) -> Iterator[str]:
    """For each kind and region: medians, with the range in brackets."""
    yield f"{'kind':<22}{'region':<8}{'runs':>5}{'failed':>16}{'lost':>6}{'RTO s':>20}{'switched s':>20}"
    for kind, region in dict.fromkeys((result.kind, result.region) for result in sorted(played, key=_order)):
        runs = [result for result in played if (result.kind, result.region) == (kind, region)]
        yield (
            f"{kind:<22}{region:<8}{len(runs):>5}{_range([run.failed for run in runs]):>16}"
            f"{sum(run.lost for run in runs):>6}{_range([run.rto_ms for run in runs], 1000):>20}"
            f"{_range([run.switched_ms for run in runs], 1000):>20}"
        )
    lost, doubled = (sum(getattr(result, name) for result in played) for name in ("lost", "duplicated"))
    yield f"{len(played)} runs, {sum(result.attempted for result in played)} votes: {lost} lost, {doubled} duplicated"


def _order(result: Result) -> tuple[int, str]:
    return [kind.name for kind in KINDS].index(result.kind), result.region


def _range(values: Sequence[float | None], unit: float = 1) -> str:
    known = sorted(value / unit for value in values if value is not None)
    if not known:
        return "never"
    text = f"{median(known):.3g}"
    return text if known[0] == known[-1] else f"{text} ({known[0]:.3g} to {known[-1]:.3g})"


def _line(result: Result) -> str:
    rto = "none" if result.rto_ms is None else f"{result.rto_ms / 1000:.1f} s"
    return f"{result.kind} {result.region}: {result.failed} failed, {result.lost} lost, RTO {rto}"


def _run(cell: Cell, directory: Path, lab_dir: Path, env: Mapping[str, str]) -> Result:
    """One run, with a monitor that remembers nothing. Raises ExportFailed when it cannot be played."""
    name = f"{cell.kind}-{cell.region}-{cell.repeat}"
    file, out = directory / "drills" / f"{name}.toml", directory / "runs" / f"{name}-{time.time_ns()}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(DRILL.format(kind=cell.kind, region=cell.region))
    _forget_history(lab_dir)
    try:
        done = subprocess.run(
            [*MANAGE, "drill", str(file), "--strategy", "router", "--out", str(out), "--seed", str(cell.repeat)],
            cwd=PROJECT,
            env=env,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExportFailed(f"{name}: did not end within {RUN_S:.0f} s") from None
    if done.returncode not in (0, 1):
        raise ExportFailed(f"{name}: {last_line(done.stderr or done.stdout)}")
    report = json.loads((out / "report.json").read_text())
    votes = report["votes"]
    return Result(
        cell.kind,
        cell.region,
        cell.repeat,
        attempted=votes["attempted"],
        failed=votes["failed"],
        lost=votes["lost"],
        duplicated=votes["duplicated"],
        rto_ms=report["rto_ms"],
        switched_ms=report["switched_ms"],
        worst_ms=report["latency_ms"]["worst"],
    )


def _forget_history(lab_dir: Path) -> None:
    """End the monitor, which its demo starts again, without the status by which it would go on.

    Raises ExportFailed unless the new one says that no circuit has opened.
    """
    pid = _pids(lab_dir)["monitor"]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + START_S
    while _pids(lab_dir).get("monitor") == pid:
        (lab_dir / "run" / "status.json").unlink(missing_ok=True)
        if time.monotonic() > deadline:
            raise ExportFailed("the monitor was not started again")
        time.sleep(0.02)
    while (status := status_of(lab_dir)) is None:
        if time.monotonic() > deadline:
            raise ExportFailed("the monitor has not reported again")
        time.sleep(0.1)
    openings = {row["region"]: row["value"] for row in status["explain"] if row["rule"] == "flapping"}
    if any(openings.values()):
        raise ExportFailed(f"the monitor remembers openings of circuits: {openings}")


def _pids(lab_dir: Path) -> dict[str, int]:
    try:
        pids: dict[str, int] = json.loads((lab_dir / "demo.json").read_text())["pids"]
    except (OSError, ValueError, KeyError):
        return {}
    return pids


@contextmanager
def _demo(lab_dir: Path, *, tls: bool) -> Iterator[dict[str, str]]:
    """A demo of its own for the time of the block, and the environment that finds it. Raises
    ExportFailed when it does not start.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {"LAB_DIR": str(lab_dir.resolve()), "PORT": str(port), "LAB_TLS": "1" if tls else "0"}
    env = {**environment.for_child(os.environ), **variables}
    children = Children(lab_dir, env, say=lambda _line: None)
    children.start(DEMO, [*MANAGE, "demo"])
    try:
        deadline = time.monotonic() + START_S
        while _pids(lab_dir).get("demo") != children.pid(DEMO):
            if children.exit_code(DEMO) is not None or time.monotonic() > deadline:
                raise ExportFailed(f"the demo of the matrix did not start: {last_line_of(children.log(DEMO))}")
            time.sleep(0.1)
        yield env
    finally:
        children.stop()
