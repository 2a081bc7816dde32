"""Reads the ballots as `manage.py survey export` prints them: a drill looks at the application from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover.drills.ledger import differences
from failover.drills.verdict import Ballot, Store

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
EXPORT_TIMEOUT_S = 60.0
LOOK_AGAIN_S = 0.5


class ExportFailed(Exception):
    """The application gave no export; one line."""


@dataclass(frozen=True)
class Export:
    """One reply of `survey export`: the ballots of the round that is current now."""

    round: int
    ballots: tuple[Ballot, ...]


def from_json(text: str) -> Export:
    """Merged (`ballots`) or raw (`rows`). Raises ExportFailed for anything else."""
    try:
        document: Mapping[str, Any] = json.loads(text)
        raw = "rows" in document
        rows = document["rows" if raw else "ballots"]
        ballots = (Ballot(row["voter"], row["vote_id"], row["answers"], row["region"] if raw else "") for row in rows)
        return Export(int(document["round"]), tuple(ballots))
    except (ValueError, KeyError, TypeError) as error:
        raise ExportFailed(f"the export is not what it should be: {error!r}") from error


def export(code: str, *, region: str | None = None, raw: bool = False, env: Mapping[str, str] | None = None) -> Export:
    """Asks the application, in a process of its own. `env` None: this process's. Raises ExportFailed."""
    arguments = ["survey", "export", code, "--ballots"]
    arguments += ["--region", region] if region else []
    arguments += ["--raw"] if raw else []
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
        raise ExportFailed(f"survey export {code}: {said[-1] if said else 'it said nothing'}")
    return from_json(done.stdout)


def converged(code: str, regions: Sequence[str], *, within_s: float, env: Mapping[str, str] | None = None) -> Store:
    """The store as soon as every replica holds the same rows; after `within_s` as it is then, equal or not.

    Raises ExportFailed when a region cannot be read even then.
    """
    deadline = time.monotonic() + within_s
    while True:
        over = time.monotonic() >= deadline
        try:
            raw = {region: export(code, region=region, raw=True, env=env) for region in regions}
            first, *others = raw.values()
            if over or not any(differences(first.ballots, other.ballots) for other in others):
                return _whole(raw, export(code, env=env))
        except ExportFailed:
            if over:
                raise
        time.sleep(LOOK_AGAIN_S)


def _whole(raw: Mapping[str, Export], merged: Export) -> Store:
    rounds = {merged.round, *(one.round for one in raw.values())}
    if len(rounds) > 1:
        raise ExportFailed(f"the survey was reset meanwhile: exports of the rounds {sorted(rounds)}")
    return Store(merged.round, merged.ballots, {region: one.ballots for region, one in raw.items()})
