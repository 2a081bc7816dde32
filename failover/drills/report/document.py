"""Makes report.json from a drill and its ledger."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from failover.drills import verify
from failover.drills.drill import Drill, Expectation
from failover.drills.ledger import Ledger
from failover.drills.predict import score

LEDGER, REPORT, PAGE, VERIFY = "ledger.jsonl", "report.json", "report.html", "verify.py"
CLOCKS_MS = 50.0
"""The students' and the application's clocks may differ by so much."""
Document = dict[str, Any]


def document(
    drill: Drill, directory: Path, environment: Mapping[str, Any], predicted: Mapping[str, Any] | None = None
) -> Document:
    """The report of the ledger in `directory`: one run, or `runs` of several strategies. `predicted`: the
    results of the prediction survey, when there was one.
    """
    entries, digest = verify.read((directory / LEDGER).read_text(encoding="utf-8"))
    ledger = Ledger.read(directory / LEDGER)
    runs = [_run(drill, ledger, entries, strategy, environment) for strategy in ledger.run.strategies]
    if predicted is not None:
        rows = score(predicted, runs)
        runs = [run | {"prediction": rows} for run in runs]
    if len(runs) == 1:
        return {**runs[0], "digest": digest}
    return {
        "drill": drill.name,
        "started_at": runs[0]["started_at"],
        "students": ledger.run.students,
        "rate": ledger.run.rate,
        "digest": digest,
        "runs": runs,
    }


def has_held(report: Document) -> bool:
    """Whether every expectation of every strategy came true."""
    return all(row["held"] for run in report.get("runs", [report]) for row in run["hypothesis"])


def write(
    drill: Drill, directory: Path, environment: Mapping[str, Any], predicted: Mapping[str, Any] | None = None
) -> Document:
    """Writes report.json and verify.py beside the ledger, and returns the report."""
    report = document(drill, directory, environment, predicted)
    (directory / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copyfile(verify.__file__, directory / VERIFY)
    return report


def this_machine(state: Mapping[str, Any]) -> Document:
    """Where the drill ran. `state` is the lab's."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "round_trips": ", ".join(f"{row['name']} {row['front']['rtt_ms']:g} ms" for row in state["regions"]),
        "tls": bool(state["tls"]),
    }


def _run(
    drill: Drill, ledger: Ledger, entries: list[Document], strategy: str, environment: Mapping[str, Any]
) -> Document:
    figures = verify.figures(entries, strategy)
    votes = figures["votes"]
    return {
        "drill": drill.name,
        "started_at": datetime.fromtimestamp(ledger.run.at, UTC).isoformat(timespec="milliseconds"),
        "strategy": strategy,
        "students": ledger.run.students,
        "rate": ledger.run.rate,
        "hypothesis": [
            _row(expectation, figures) for expectation in drill.hypothesis if expectation.strategy == strategy
        ],
        "timeline": _timeline(ledger),
        **figures,
        "budget": {"allowed": drill.budget, "used": votes["failed"] / max(1, votes["attempted"])},
        "clocks_agree": figures["clocks_ms"] <= CLOCKS_MS,
        "prediction": None,
        "environment": dict(environment),
        "limits": drill.limits,
    }


def _row(expectation: Expectation, figures: Document) -> Document:
    flat = figures | figures["votes"] | figures["classes"] | figures["latency_ms"]
    measured, attempted = flat[expectation.measure], figures["votes"]["attempted"]
    return {
        "text": expectation.text,
        "measure": expectation.measure,
        "bound": expectation.bound(attempted),
        "measured": measured,
        "held": expectation.holds(measured, attempted),
    }


def _timeline(ledger: Ledger) -> Sequence[Document]:
    """What was done and what the monitor said, in ms since the first vote was due."""
    moments = [(act.at, act.text if act.kind or act.what != "kill" else act.what) for act in ledger.acts]
    moments += [(event.at, f"{event.kind} {event.region}: {event.text}") for event in ledger.events]
    return [{"at_ms": round((at - ledger.run.at) * 1000), "event": text} for at, text in sorted(moments)]
