"""Makes a survey and reads its ballots by `manage.py survey`: a drill looks at the application from
outside.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from failover.drills.checker import differences
from failover.drills.plan import CannotVote
from failover.drills.verdict import Ballot, Store
from failover.lab.files import DEMO_LOCK, is_running

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
EXPORT_TIMEOUT_S = 60.0
LOOK_AGAIN_S = 0.5


class ExportFailed(Exception):
    """The application gave no export; one line."""


def demo_url(lab_dir: Path) -> str:
    """The demo's web tier on this machine, also when phones find it under another address. Raises
    CannotVote.
    """
    try:
        if is_running(lab_dir, DEMO_LOCK):
            return f"http://127.0.0.1:{json.loads((lab_dir / 'demo.json').read_text())['port']}"
    except (OSError, ValueError, KeyError):
        pass  # it is not ready yet
    raise CannotVote(f"no demo is running in LAB_DIR={lab_dir}: start `make demo`, or give --url")


def survey_of(file: Path) -> str:
    """Makes the survey in `file` unless it exists, and returns its code. Raises ExportFailed."""
    return output_of("survey", "import", "--keep", str(file)).strip()


def replica(code: str, region: str, *, env: Mapping[str, str] | None = None) -> tuple[Ballot, ...]:
    """The rows of one region's replica; the others need not answer. Raises ExportFailed."""
    return read_replica(output_of("survey", "export", code, "--raw", "--region", region, env=env))


def store(code: str, *, number: int | None = None, env: Mapping[str, str] | None = None) -> Store:
    """The rows of every region's replica, and the merged ballots, read afterwards, of the round `number`
    or the current one. Raises ExportFailed.
    """
    of_round = () if number is None else ("--round", str(number))
    return read_store(output_of("survey", "export", code, "--ballots", "--replicas", *of_round, env=env))


def converged(
    code: str,
    regions: Sequence[str],
    *,
    within_s: float,
    number: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Store:
    """Waits until every replica holds the same rows, at most `within_s`, and returns the store.

    Raises ExportFailed when a region cannot be read even then.
    """
    deadline = time.monotonic() + within_s
    while True:
        over = time.monotonic() >= deadline
        try:
            now = store(code, number=number, env=env)
            if set(now.raw) != set(regions):
                raise ExportFailed(f"the export is of {', '.join(now.raw)}, and not of {', '.join(regions)}")
            first, *others = now.raw.values()
            if over or not any(differences(first, other) for other in others):
                return now
        except ExportFailed:
            if over:
                raise
        time.sleep(LOOK_AGAIN_S)


def read_replica(text: str) -> tuple[Ballot, ...]:
    """What `survey export --raw --region` printed. Raises ExportFailed for anything else."""
    with _as_it_should_be():
        return _rows(json.loads(text)["rows"])


def read_store(text: str) -> Store:
    """What `survey export --ballots --replicas` printed. Raises ExportFailed for anything else."""
    with _as_it_should_be():
        document: Mapping[str, Any] = json.loads(text)
        merged = tuple(Ballot(row["voter"], row["vote_id"], row["answers"]) for row in document["ballots"])
        replicas = {region: _rows(rows) for region, rows in document["replicas"].items()}
        return Store(int(document["round"]), merged, replicas)


def _rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Ballot, ...]:
    return tuple(Ballot(row["voter"], row["vote_id"], row["answers"], row["region"]) for row in rows)


@contextmanager
def _as_it_should_be() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportFailed(f"the export is not what it should be: {error!r}") from error


def output_of(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Runs manage.py in a process of its own. `env`: this process's when None. Raises ExportFailed."""
    try:
        done = subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            capture_output=True,
            text=True,
            env=env,
            timeout=EXPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExportFailed(f"{' '.join(arguments)}: did not end within {EXPORT_TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ExportFailed(f"{' '.join(arguments)}: {lines[-1] if lines else 'it printed nothing'}")
    return done.stdout
