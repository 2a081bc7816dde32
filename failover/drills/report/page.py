"""Writes report.html: one file that needs no other, with a policy that lets it load none."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from failover.drills.drill import Drill
from failover.drills.entries import ROUTER
from failover.drills.ledger import Ledger
from failover.drills.report.chart import chart
from failover.drills.report.document import LEDGER, PAGE, Document

STYLE = Path(__file__).resolve().parent.parent / "templates" / "drills" / "report.css"
STEPS = {
    "first_failure_ms": "the first request failed",
    "detected_ms": "the monitor opened the region's circuit",
    "switched_ms": "votes went to another region",
    "last_failure_ms": "the last request failed",
    "rto_ms": "the first success after it",
    "failback_ms": "and after the mending: traffic came home",
}
"""What the time without service is made of, in ms after the fault; the last one after its end."""


def policy() -> str:
    """The Content-Security-Policy that the page brings along: its own styles, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def write(drill: Drill, directory: Path, report: Document) -> None:
    """Writes report.html beside its ledger."""
    ledger = Ledger.read(directory / LEDGER)
    runs = sorted(report.get("runs", [report]), key=lambda run: run["strategy"] != ROUTER)
    context: dict[str, Any] = {
        "drill": drill,
        "report": report,
        "run": runs[0],
        "runs": [run | {"steps": _steps(run, ledger.of_strategy(run["strategy"]))} for run in runs],
        "expectations": [row | {"strategy": run["strategy"]} for run in runs for row in run["hypothesis"]],
        "held": all(row["held"] for run in runs for row in run["hypothesis"]),
        "void": any(run["latency_void"] for run in runs),
        "chart": chart(ledger, [run["strategy"] for run in runs]),
        "policy": policy(),
        # Our own file, and not text of anybody's.
        "style": mark_safe(_style()),  # noqa: S308  (the style sheet beside this module)
    }
    (directory / PAGE).write_text(render_to_string("drills/report.html", context), encoding="utf-8")


def _steps(run: Document, ledger: Ledger) -> list[tuple[str, float | None]]:
    begins = min((act.at for act in ledger.acts if act.what != "prepare"), default=float("inf"))
    failures = [(tried.at - begins) * 1000 for tried in ledger.tries if tried.failed and tried.at >= begins]
    known = run | {
        "first_failure_ms": min(failures, default=None),
        "last_failure_ms": max(failures, default=None),
        "rto_ms": run["rto_ms"] if failures else None,
    }
    return [(text, known[name]) for name, text in STEPS.items()]


def _style() -> str:
    return STYLE.read_text(encoding="utf-8")
