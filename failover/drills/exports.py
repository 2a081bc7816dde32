"""Makes a survey and reads its ballots by `manage.py survey`: a drill looks at the application from outside."""

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
from failover.drills.verdict import Ballot, Store

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
EXPORT_TIMEOUT_S = 60.0
LOOK_AGAIN_S = 0.5


class ExportFailed(Exception):
    """The application gave no export; one line."""


def survey_of(file: Path, *, env: Mapping[str, str] | None = None) -> str:
    """The code of the survey in `file`, which is made unless it is there. Raises ExportFailed."""
    return _told("survey", "import", "--keep", str(file), env=env).strip()


def replica(code: str, region: str, *, env: Mapping[str, str] | None = None) -> tuple[Ballot, ...]:
    """The rows of one region's replica, whatever is the matter with the others. Raises ExportFailed."""
    return read_replica(_told("survey", "export", code, "--raw", "--region", region, env=env))


def store(code: str, *, env: Mapping[str, str] | None = None) -> Store:
    """The rows of every region's replica, and the merged ballots as they were after that. Raises ExportFailed."""
    return read_store(_told("survey", "export", code, "--ballots", "--replicas", env=env))


def converged(code: str, regions: Sequence[str], *, within_s: float, env: Mapping[str, str] | None = None) -> Store:
    """The store as soon as every replica holds the same rows; after `within_s` as it is then, equal or not.

    Raises ExportFailed when a region cannot be read even then.
    """
    deadline = time.monotonic() + within_s
    while True:
        over = time.monotonic() >= deadline
        try:
            found = store(code, env=env)
            if set(found.raw) != set(regions):
                raise ExportFailed(f"the export is of {', '.join(found.raw)}, and not of {', '.join(regions)}")
            first, *others = found.raw.values()
            if over or not any(differences(first, other) for other in others):
                return found
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


def _told(*arguments: str, env: Mapping[str, str] | None) -> str:
    """Asks the application, in a process of its own. `env` None: this process's. Raises ExportFailed."""
    done = subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        capture_output=True,
        text=True,
        env=env,
        timeout=EXPORT_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ExportFailed(f"{' '.join(arguments)}: {said[-1] if said else 'it said nothing'}")
    return done.stdout
